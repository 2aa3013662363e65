"""Public fakes of the doors: what venvgrid's own tests use, and what others can test their use of venvgrid with.

Each answers what it was told to and keeps what it was asked. Nothing here starts a process or reads the network.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from venvgrid.environments.builder import BuildError
from venvgrid.environments.store import Environment
from venvgrid.installers.base import Resolved, ResolveResult
from venvgrid.model.environment import Distribution, Interpreter, LockEntry
from venvgrid.model.result import Outcome
from venvgrid.project.metadata import Metadata, ProjectError
from venvgrid.project.wheels import Wheel
from venvgrid.running.cell_job import TestDone, base_result

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from venvgrid.installers.base import InstallRequest, ResolveRequest
    from venvgrid.model.plan import Cell
    from venvgrid.model.result import CellResult
    from venvgrid.processes.command import Command, Completed
    from venvgrid.running.cell_job import CellJob
    from venvgrid.running.loop import Post
    from venvgrid.running.tasks import CellAnswer


def interpreter(
    version: str = "3.12.1", implementation: str = "cpython", *, free_threaded: bool = False
) -> Interpreter:
    """Make an interpreter that exists nowhere, on 64-bit Linux."""
    major, minor = version.split(".")[:2]
    suffix = "t" if free_threaded else ""
    return Interpreter(
        executable=f"/pythons/{implementation}-{version}{suffix}/bin/python",
        version=version,
        implementation=implementation,
        free_threaded=free_threaded,
        debug=False,
        bits=64,
        platform="linux-x86_64",
        cache_tag=f"{implementation}-{major}{minor}",
        markers={"python_version": f"{major}.{minor}", "python_full_version": version, "sys_platform": "linux"},
        source="fake",
    )


def distribution(name: str, version: str, *, uploaded: str = "") -> Distribution:
    """Make a locked distribution with a hash that is its own."""
    digest = f"{hash_of(f'{name}-{version}'):064x}"
    return Distribution(name=name, version=version, hashes=(f"sha256:{digest}",), uploaded=uploaded)


def hash_of(text: str) -> int:
    """Give a number for a text: the same in every process."""
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=32).digest(), "big")


@dataclass(kw_only=True)
class FakeRunner:
    """A door to processes that starts none: `answer` gives what became of a command; `commands` keeps them all."""

    answer: Callable[[Command], Completed]
    commands: list[Command] = field(default_factory=list)

    def __call__(self, command: Command, *, poll: Callable[[], None] | None = None) -> Completed:
        """Answer a command."""
        self.commands.append(command)
        completed = self.answer(command)
        if poll is not None:
            poll()
        return completed


@dataclass(kw_only=True)
class FakeInstaller:
    """An installer whose index is `answer`; installing makes nothing and says `problem`."""

    answer: Callable[[ResolveRequest], ResolveResult] = lambda _request: Resolved(distributions=())
    problem: str = ""
    requests: list[ResolveRequest] = field(default_factory=list)
    installed: list[InstallRequest] = field(default_factory=list)
    name: str = "fake 1.0"

    def resolve(self, request: ResolveRequest) -> ResolveResult:
        """Answer a resolve."""
        self.requests.append(request)
        return self.answer(request)

    def install(self, request: InstallRequest) -> str:
        """Take note of an installation."""
        self.installed.append(request)
        return self.problem

    def build_wheel(
        self, source: Path, target: Path, interpreter: Interpreter, *, via_sdist: bool, offline: bool
    ) -> str:
        """Build nothing."""
        del source, target, interpreter, via_sdist, offline
        return self.problem or "a fake builds no wheel"


@dataclass(kw_only=True)
class FakeWork:
    """The effects of a run (`director.Work`): every table maps a cell's id, else what is ordinary happens.

    `answers` are of resolves; `downloads` are interpreters by the value of the
    python axis; `build_problems` break the environments of their cells; `outcomes` are of tests;
    the tests of `changing` cells change what their environment shares with others; `unchanged` ones have an earlier
    result.
    `calls` keeps what was done, in order: ("test", "py3.12-…").
    """

    answers: Mapping[str, CellAnswer | Exception] = field(default_factory=dict)
    build_problems: Mapping[str, str] = field(default_factory=dict)
    outcomes: Mapping[str, Outcome] = field(default_factory=dict)
    changing: frozenset[str] = frozenset()
    unchanged: frozenset[str] = frozenset()
    downloads: Mapping[str, Interpreter] = field(default_factory=dict)
    wheel_problem: str = ""
    pure: bool = True
    calls: list[tuple[str, str]] = field(default_factory=list)

    def wheel(self, interpreter: Interpreter) -> Wheel:
        """Give a wheel of a project "demo"."""
        self.calls.append(("wheel", interpreter.version))
        if self.wheel_problem:
            raise ProjectError(self.wheel_problem)
        return Wheel(
            path=Path("demo-1.0-py3-none-any.whl"),
            metadata=Metadata(name="demo", version="1.0"),
            digest="d",
            pure=self.pure,
            modules=("demo",),
        )

    def python(self, value: str, missing: str) -> Interpreter | str:
        """Give the interpreter that `downloads` has, else the reason."""
        self.calls.append(("python", value))
        return self.downloads.get(value, missing)

    def resolve(
        self,
        cell: Cell,
        interpreter: Interpreter,
        metadata: Metadata | None,
    ) -> CellAnswer:
        """Give the answer for a cell; cells share an environment if their axes other than variables are equal."""
        self.calls.append(("resolve", cell.id))
        del metadata
        answer = self.answers.get(cell.id)
        if isinstance(answer, Exception):
            raise answer
        if answer is not None:
            return answer
        key = f"{hash_of('/'.join(f'{k}{v}' for k, v in cell.axes.items() if not k.startswith('env.'))) % 16**16:016x}"
        return LockEntry(key=key, interpreter=interpreter, distributions=())

    def build(self, entry: LockEntry, wheel: Wheel | None, cells: tuple[Cell, ...], *, alone: bool) -> Environment:
        """Give an environment that is nowhere."""
        del wheel, alone
        for cell in cells:
            self.calls.append(("build", cell.id))
            if cell.id in self.build_problems:
                raise BuildError(self.build_problems[cell.id])
        path = Path("/nowhere") / entry.key
        return Environment(
            key=entry.key,
            path=path,
            python=path / "bin/python",
            site=path / "lib",
            interpreter=entry.interpreter,
            detail="built",
        )

    def earlier(self, cell: Cell, entry: LockEntry) -> CellResult | None:
        """Give an earlier result to the cells of `unchanged`."""
        if cell.id not in self.unchanged:
            return None
        return replace(base_result(cell, entry), outcome=Outcome.PASSED, cached=True)

    def test(self, work: CellJob, post: Post) -> TestDone:
        """Give the cell its outcome; a cell of `changing` changes its environment unless it is alone in it."""
        del post
        self.calls.append(("test", work.cell.id))
        outcome = self.outcomes.get(work.cell.id, Outcome.PASSED)
        result = replace(base_result(work.cell, work.entry), outcome=outcome, attempts=1)
        changing = work.cell.id in self.changing and not work.alone
        imported = frozenset({"demo.pyc"})
        return TestDone(result=result, is_changed=changing, is_poisoned=changing, imported=imported)

    def collect(self, environment: Environment, imported: frozenset[str]) -> int:
        """Keep nothing."""
        self.calls.append(("collect", environment.key))
        return len(imported) * 0

    def record(self, cell: Cell, text: str) -> str:
        """Take note of a failed step's output."""
        self.calls.append(("record", f"{cell.id}: {text}"))
        return f"logs/{cell.id}.log"
