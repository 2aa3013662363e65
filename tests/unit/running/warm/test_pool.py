"""The pool of servers: which of them live, and what a run in one of them is."""

from __future__ import annotations

import itertools
import json
import threading
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import pytest

from venvgrid import testing
from venvgrid.config import loading
from venvgrid.model import Cell, Environment, Event, LockEntry, Outcome, TestFinished
from venvgrid.processes.command import Cancellation, Completed
from venvgrid.processes.redaction import Redactor
from venvgrid.processes.runner import NotStartedError
from venvgrid.processes.warm.server import Imports, State
from venvgrid.project import inputs
from venvgrid.running.cell_command import CellCommands
from venvgrid.running.tasks import TestTask
from venvgrid.running.warm.pool import WarmPool
from venvgrid.running.warm.preview import Cold, Preview

if TYPE_CHECKING:
    from collections.abc import Callable

    from venvgrid.processes.command import Command

SESSION: dict[str, object] = {
    "t": "session",
    "v": 1,
    "pid": 1,
    "executable": "",
    "prefix": "",
    "version": "3.9",
    "implementation": "cpython",
}


def of_test(test: str, verdict: str) -> list[dict[str, object]]:
    """Return the records of a test."""
    return [{"t": "start", "id": test}, {"t": "test", "id": test, "verdict": verdict}]


TESTS: list[dict[str, object]] = [
    SESSION,
    {"t": "collected", "ids": 2},
    {"t": "left", "tests": 3},
    *of_test("a", "passed"),
    *of_test("b", "failed"),
    {"t": "attest"},
    {"t": "finish", "exitstatus": 1},
]


@dataclass
class FakeServer:
    """A server that starts nothing: a run writes `says` into the stream of the probe, and ends as `ended`."""

    command: Command
    folder: Path
    imports: Imports
    said: State | None = field(default_factory=State)
    says: list[dict[str, object]] = field(default_factory=lambda: TESTS)
    ended: dict[str, Any] = field(default_factory=lambda: {"exit_code": 1})
    alive: bool = True
    during: Callable[[], None] = lambda: None
    closing: Callable[[], object] = lambda: None
    runs: list[tuple[Command, str]] = field(default_factory=list)

    def state(self) -> State | None:
        return self.said

    def wait(self, _cancellation: Cancellation) -> State | None:
        return self.said

    def is_alive(self) -> bool:
        return self.alive

    def memory(self) -> int:
        return 1000

    def close(self) -> str:
        self.closing()
        self.alive = False
        return "one\nlast words\n"

    def run(
        self, command: Command, *, script: str = "", cancellation: Cancellation, poll: Callable[[], None]
    ) -> Completed:
        self.runs.append((command, script))
        self.during()
        specification = json.loads(Path(command.env["VENVGRID_PROBE"]).read_bytes())
        where = {"prefix": specification["prefix"]}
        lines = "".join(json.dumps({**record, **where}) + "\n" for record in self.says)
        Path(specification["stream"], "1.jsonl").write_text(lines, encoding="utf-8")
        poll()
        return Completed(argv=command.argv, cancelled=cancellation.is_set(), **{"exit_code": None, **self.ended})


@dataclass(kw_only=True)
class Lab:
    """A pool with fake servers; `settings` change each that is started from now on."""

    root: Path
    pool: WarmPool = field(init=False)
    servers: list[FakeServer] = field(default_factory=list)
    settings: dict[str, Any] = field(default_factory=dict)

    def launch(self, command: Command, folder: Path, imports: Imports) -> FakeServer:
        if problem := self.settings.get("problem"):
            raise NotStartedError(problem)
        self.servers.append(FakeServer(command, folder, imports, **self.settings))
        return self.servers[-1]

    def task(self, number: int = 1, **variables: str) -> TestTask:
        """Return the task of a cell in an environment of its own."""
        place = self.root / f"env{number}"
        for name in ("python", "pytest"):
            (place / "bin").mkdir(parents=True, exist_ok=True)
            (place / "bin" / name).write_text(f"#!{place}/bin/python\n", encoding="utf-8")
            (place / "bin" / name).chmod(0o755)
        python = testing.interpreter("3.9")
        key = str(number)
        found = Environment(
            key=key, path=place, python=place / "bin/python", site=place / "lib", interpreter=python, detail="built"
        )
        entry = LockEntry(key=key, interpreter=python, distributions=())
        axes = {"python": "3.9", **{f"env.{name}": value for name, value in variables.items()}}
        cell = Cell(id="-".join((f"cell{number}", *variables.values())), axes=MappingProxyType(axes))
        return TestTask(cell=cell, entry=entry, environment=found, project=None)

    def run(self, task: TestTask, **options: Any) -> Preview | Cold:
        return self.pool.run(task, **{"post": lambda _event: None, **options})


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    """Return a pool of at most two servers."""
    return make(tmp_path, 'command = ["pytest", "-q"]')


def make(root: Path, settings: str) -> Lab:
    """Return a pool whose project has these settings of tests."""
    text = f'[project]\ninstall = "none"\n[axes]\npython = "3.9"\n[test]\n{settings}\n'
    file = root / "matrix.toml"
    file.write_text(text, encoding="utf-8")
    commands = CellCommands(
        config=loading.parse(text, file=file),
        root=root / ".venvgrid",
        folder=root / "previews",
        arguments=(),
        environ={"PATH": "/bin"},
        redactor=Redactor.from_environ({}),
    )
    (root / "pool").mkdir()
    lab = Lab(root=root)
    lab.pool = WarmPool(
        commands=commands, folder=root / "pool", inputs=lambda: inputs.take(root), limit=2, launch=lab.launch
    )
    return lab


def test_a_preview_is_judged_as_a_full_run(lab: Lab) -> None:
    """The events of tests come as they happen; exit status and stream decide; what was left out is counted."""
    events = list[Event]()
    found = lab.run(lab.task(), post=events.append, tests_first=("b",), only_first=True)
    assert isinstance(found, Preview)
    assert (found.cell, found.outcome, found.tests) == ("cell1", Outcome.FAILED, {"passed": 1, "failed": 1})
    assert (found.is_red, found.is_green, found.failing, found.left_out) == (True, False, ("b",), 3)
    assert [event.test for event in events if isinstance(event, TestFinished)] == ["a", "b"]
    assert found.first is not None
    ((command, script),) = lab.servers[0].runs
    assert (command.argv, script) == (("pytest", "-q"), str(lab.task().environment.path / "bin/pytest"))


def test_a_preview_keeps_what_pytest_keeps_apart(lab: Lab) -> None:
    """The cache of pytest is not that of full runs; the probe knows of the preview and which tests go first."""
    seen = list[Any]()

    def during() -> None:
        seen.append(json.loads(Path(lab.servers[0].runs[0][0].env["VENVGRID_PROBE"]).read_bytes()))

    lab.settings["during"] = during
    lab.run(lab.task(), tests_first=("b",), only_first=True)
    assert {name: seen[0][name] for name in ("preview", "first", "only_first")} == {
        "preview": True,
        "first": ["b"],
        "only_first": True,
    }
    assert "imported" not in seen[0]
    assert seen[0]["options"].endswith("/cells/cell1/preview")


def test_a_server_serves_again(lab: Lab) -> None:
    """Cells with the same environment and variables share a server; another variable needs another one."""
    for task in (lab.task(), lab.task(), lab.task(A="1"), lab.task(A="2")):
        lab.run(task)
    assert [len(server.runs) for server in lab.servers] == [2, 1, 1]
    assert [server.alive for server in lab.servers] == [False, True, True]
    assert (lab.pool.memory(), lab.pool.states()) == (2000, (State(), State()))


def test_the_one_that_was_not_used_for_the_longest_time_goes(lab: Lab) -> None:
    """A server that was used lately stays."""
    for number in (1, 2, 1, 3):
        lab.run(lab.task(number))
    assert [server.alive for server in lab.servers] == [True, False, True]


def test_servers_that_hold_too_much_memory_go(lab: Lab) -> None:
    """As many stay as the memory allows, but one stays however large it is."""
    lab.pool.memory_limit = 1500  # bytes; each holds 1000
    lab.run(lab.task(1))
    lab.run(lab.task(2))
    assert [server.alive for server in lab.servers] == [False, True]
    lab.pool.memory_limit = 500
    lab.run(lab.task(2))
    assert [server.alive for server in lab.servers] == [False, True]


def test_a_server_with_a_run_stays(lab: Lab) -> None:
    """No run is ended to make room."""
    numbers = itertools.count(2)

    def during() -> None:
        if (number := next(numbers)) < 5:
            lab.run(lab.task(number))

    lab.settings["during"] = during
    lab.run(lab.task(1))
    assert [len(server.runs) for server in lab.servers] == [1, 1, 1, 1]
    assert sum(server.alive for server in lab.servers) == 2


@pytest.mark.parametrize(
    ("state", "reason"),
    [
        (State(refused="a thread runs after `import x`", threads=2), "a thread runs after `import x`"),
        (None, "its warm process ended: last words"),
    ],
)
def test_a_server_that_cannot_be_forked(lab: Lab, state: State | None, reason: str) -> None:
    """It ends, and the cell is cold, now and later, with the reason."""
    lab.settings["said"] = state
    assert [Cold(reason=reason)] * 2 == [lab.run(lab.task()), lab.run(lab.task())]
    assert [server.alive for server in lab.servers] == [False]
    assert lab.pool.prepare(lab.task()) == Cold(reason=reason)


def test_a_server_that_ended_is_started_again(lab: Lab) -> None:
    """A cell is not cold for ever because its server was killed."""
    lab.run(lab.task())
    lab.servers[0].alive = False
    assert isinstance(lab.run(lab.task()), Preview)
    assert len(lab.servers) == 2


def test_a_run_that_pytest_declines(lab: Lab) -> None:
    """Options that only pytest knows of make the cell cold."""
    lab.settings["says"] = [SESSION, {"t": "left", "tests": 0, "why": "coverage is measured"}]
    assert lab.run(lab.task()) == Cold(reason="coverage is measured")


def test_what_cannot_be_started_or_is_gone(lab: Lab) -> None:
    """A problem of the server is no verdict."""
    lab.settings["ended"] = {"error": "it is gone"}
    assert lab.run(lab.task()) == Cold(reason="it is gone")
    lab.settings = {"problem": "no memory"}
    assert lab.run(lab.task(2)) == Cold(reason="no memory")


def test_a_cancelled_run_is_neither_red_nor_green(lab: Lab) -> None:
    """It says nothing of the tests; before its start nothing is run."""
    cancellation = Cancellation()
    lab.settings["during"] = cancellation.set
    found = lab.run(lab.task(), cancellation=cancellation)
    assert isinstance(found, Preview)
    assert (found.outcome, found.is_red, found.is_green) == (Outcome.CANCELLED, False, False)
    assert lab.run(lab.task(), cancellation=cancellation) == Cold(reason="stopped by the user")
    assert len(lab.servers[0].runs) == 1


def test_other_imports_start_it_again(lab: Lab) -> None:
    """While idle, a server that was started before the cell was known is replaced; a run takes what there is."""
    lab.run(lab.task())
    task = lab.task()
    said = {"prefix": str(task.environment.path), "modules": ["0 1 six"], "variables": [], "patching": []}
    file = lab.pool.commands.private_folder(task.cell) / "imported.json"
    file.write_text(json.dumps(said), encoding="utf-8")
    lab.run(task)
    assert len(lab.servers) == 1
    assert lab.pool.prepare(task) is None
    assert lab.pool.prepare(task) is None
    assert [server.imports.modules for server in lab.servers] == [(), (("six", False),)]


def test_fewer_imports_do_not_start_it_again(lab: Lab) -> None:
    """After tests that could not be collected, a server stays that has imported what they need when they are mended."""
    task = lab.task()
    file = lab.pool.commands.private_folder(task.cell) / "imported.json"
    for modules in (["0 0 numpy", "0 1 six"], ["0 1 six"], [], ["0 1 six", "0 0 numpy"]):
        said = {"prefix": str(task.environment.path), "modules": modules, "variables": [], "patching": []}
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(said), encoding="utf-8")
        assert lab.pool.prepare(task) is None
    assert [server.imports.modules for server in lab.servers] == [(("numpy", False), ("six", False))]


def test_libraries_see_the_variables_of_the_cell(lab: Lab) -> None:
    """The server has the variables of the command, but the witness is asleep: its specification does not exist yet."""
    lab.pool.prepare(lab.task(A="1"))
    (server,) = lab.servers
    assert (server.command.env["A"], server.command.argv) == ("1", (str(lab.root / "env1/bin/python"),))
    assert not Path(server.command.env["VENVGRID_WITNESS"]).exists()


def test_cold_settings(tmp_path: Path) -> None:
    """Settings that a fork does not follow start no server."""
    lab = make(tmp_path, 'command = ["pytest"]\nreports = "exit-status"')
    assert lab.run(lab.task()) == Cold(reason='test.reports is "exit-status"')
    assert lab.servers == []


def test_an_edit_that_only_a_build_shows(lab: Lab) -> None:
    """A reason in place of an overlay is the answer."""
    assert lab.run(lab.task(), overlay=Cold(reason="setup.py")) == Cold(reason="setup.py")


def test_the_servers_are_closed_together(lab: Lab) -> None:
    """Each waits until its processes are gone: one after the other, the end of a session takes the sum."""
    lab.settings["closing"] = threading.Barrier(2, timeout=10).wait
    lab.run(lab.task(1))
    lab.run(lab.task(2))
    lab.pool.close()
    assert [server.alive for server in lab.servers] == [False, False]


def test_close(lab: Lab) -> None:
    """The end of the pool is the end of all servers."""
    lab.run(lab.task())
    lab.pool.close()
    assert [server.alive for server in lab.servers] == [False]
    assert replace(lab.pool).memory() == 0
