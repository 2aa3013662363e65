"""The executor of many machines, with a cluster in memory whose machines do what no machine should."""

from __future__ import annotations

import json
import queue
import random
import threading
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import machinery
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from machinery import FakeCluster, build, cell, check, keep, machine

from venvgrid import testing
from venvgrid.model import Event, InfrastructureError, Message, Outcome, StageStarted
from venvgrid.running.executors.base import Finished, Slots
from venvgrid.running.executors.remote import executor as remote
from venvgrid.running.executors.remote.executor import RemoteExecutor
from venvgrid.running.executors.remote.fleet import Fleet
from venvgrid.running.executors.remote.jobs import Blob, Places
from venvgrid.running.executors.remote.parcel import Parcel
from venvgrid.running.tasks import BuildDone, CompileDone, DownloadTask, Task, TaskFailed, TestDone

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

LIMIT = 30.0  # seconds; only a hang waits so long
BUNDLE = Blob(digest="b" * 64, size=6)


class Run:
    """A run on a fake cluster: it keeps what was delivered."""

    def __init__(self, cluster: FakeCluster, folder: Path, plan: str = "p") -> None:
        self.cluster, self.folder, self.told = cluster, folder, list[str]()
        (folder / "bundle").write_bytes(b"bundle")
        self.fleet = Fleet(cluster, self.told.append, plan)
        self.inbox: queue.SimpleQueue[Event | Finished] = queue.SimpleQueue()
        self.events: list[Event] = []
        self.local = testing.FakeExecutor(execute=machinery.WORKER.execute, slots=Slots(cpu=1, network=4))

    def begin(self, machines: int) -> RemoteExecutor:
        self.fleet.wait(machines, LIMIT, cancelled=lambda: False)
        parcel = Parcel(
            run="r",
            plan=self.fleet.plan,
            bundle=BUNDLE,
            places=Places(self.folder / "project"),
            place=self._place,
            files=lambda _digest: self.folder / "bundle",
            wheel=lambda _path: BUNDLE,
            expected={},
            here=frozenset(),
        )
        self.executor = RemoteExecutor(self.fleet, self.local, parcel)
        return self.executor

    def _place(self, name: str) -> Path:
        if ".." in name:
            raise OSError(f"a machine sends a file for another place: {name}")
        return self.folder / name

    def submit(self, tasks: Iterable[Task]) -> None:
        for task in tasks:
            self.executor.submit(task, self.inbox.put)

    def results(self, count: int) -> dict[str, Any]:
        """Wait for the results of so many tasks."""
        found: dict[str, Any] = {}
        while len(found) < count:
            message = self.inbox.get(timeout=LIMIT)
            if isinstance(message, Finished):
                assert message.task.key not in found, "a task ended twice"
                found[message.task.key] = message.result
            else:
                self.events.append(message)
        return found

    def warnings(self) -> str:
        """Return what the user was told."""
        while not self.inbox.empty():
            message = self.inbox.get()
            assert not isinstance(message, Finished), "a task ended twice"
            self.events.append(message)
        return "\n".join([*self.told, *(item.text for item in self.events if isinstance(item, Message))])


@contextmanager
def running(cluster: FakeCluster, folder: Path, machines: int | None = None) -> Iterator[Run]:
    made = Run(cluster, folder)
    try:
        made.begin(len(cluster.inventories) if machines is None else machines)
        yield made
    finally:
        if hasattr(made, "executor"):
            made.executor.close()
        made.fleet.close()


def cluster_of(*names: str, slots: int = 2, **options: Any) -> FakeCluster:
    return FakeCluster(inventories={name: machine(name, slots) for name in names}, **options)


def once(*mishaps: str) -> Any:
    """Let the first jobs go wrong, in this order, and all others not."""
    waiting = list(mishaps)
    return lambda _address, _key: waiting.pop(0) if waiting else ""


def outcomes(results: dict[str, Any]) -> dict[str, Any]:
    return {
        key: item.result.outcome.value if isinstance(item, TestDone) else type(item).__name__
        for key, item in results.items()
    }


def test_a_build_its_tests_and_its_bytecode(tmp_path: Path) -> None:
    """Each is done on a machine, with the bundle sent once a host; logs come home; the result names the machine."""
    cluster = cluster_of("m1", log="hello ¿")
    with running(cluster, tmp_path) as run:
        run.submit([build("a")])
        assert isinstance(run.results(1)["build:" + build("a").entry.key], BuildDone)
        run.submit([check("a"), keep("a")])
        found = run.results(2)
    assert found["test:a"].result.machine == "m1"
    assert (tmp_path / "logs" / "test:a.log").read_text(encoding="utf-8") == "hello ¿"
    assert [item["op"] for _, item in cluster.asked] == ["inventory", "lacks", "put", "end"]
    (began,) = [event for event in run.events if isinstance(event, StageStarted) and event.stage.value == "test"]
    assert began.machine == "m1", "an event that was said and is in the answer is told once"


def test_a_test_travels_with_its_build(tmp_path: Path) -> None:
    """Another machine than that of the build can make the environment: the job has what it takes."""
    cluster = cluster_of("m1")
    with running(cluster, tmp_path) as run:
        run.submit([build("a")])
        run.results(1)
        cluster.come("m2", machine("m2"))
        cluster.lose("m1")
        run.submit([check("a"), keep("a")])
        found = run.results(2)
    address, job = cluster.sent[-1]
    assert (address, job.build) == ("m2", build("a"))
    assert found["test:a"].result.outcome is Outcome.PASSED


def test_a_job_does_not_grow_with_the_grid(tmp_path: Path) -> None:
    """The build that travels with a test names its cell alone, not the thousands that share the environment."""
    cluster = cluster_of("m1")
    many = replace(build("a", "w"), cells=tuple(cell(str(number), "w") for number in range(300)))
    with running(cluster, tmp_path) as run:
        run.submit([many])
        run.results(1)
        run.submit([check("7", "w")])
        run.results(1)
    job = cluster.sent[-1][1]
    assert job.build is not None
    assert job.build.cells == (cell("7", "w"),)
    assert len(cluster.texts[-2]) < 5000


def test_the_bytecode_of_a_lost_environment_is_let_go(tmp_path: Path) -> None:
    """Nobody has it: nothing is sent, nothing waits."""
    cluster = cluster_of("m1", "m2")
    with running(cluster, tmp_path) as run:
        run.submit([keep("a")])
        assert run.results(1) == {keep("a").key: CompileDone(files=0)}
    assert cluster.sent == []


def test_what_needs_no_other_machine_stays_here(tmp_path: Path) -> None:
    """A download is done by the local executor."""
    cluster = cluster_of("m1")
    with running(cluster, tmp_path) as run:
        run.submit([DownloadTask(value="3.9", missing="none")])
        assert list(run.results(1)) == ["python:3.9"]
    assert cluster.sent == []


@pytest.mark.parametrize(
    ("mishap", "told"),
    [
        ("", ""),
        ("twice", ""),
        ("lost", "was lost: its 1 task"),
        ("dies", "was lost"),
        ("none", "without an answer"),
        ("garbage", "cannot be read"),
        ('{"attempt": 1}', "cannot be read"),
        ("[1]", "cannot be read"),
        ('{"attempt": 1, "machine": "m", "result": "{}"}', "cannot be read"),
        ('{"attempt": 1, "machine": "m", "result": "{\\"CompileDone\\": {\\"files\\": 1}}"}', "is no result of"),
        ("stranger", "is no result of"),
        ("evil", "for another place"),
        ("trouble", "for a test"),
        ("refuses", "gets nothing more: for a test"),
    ],
)
def test_whatever_a_machine_does_the_cell_has_its_verdict(tmp_path: Path, mishap: str, told: str) -> None:
    """It is tested again, the user is told why, and its verdict is that of a machine that does it right."""
    cluster = cluster_of("m1", "m2", mishap=once(mishap))
    with running(cluster, tmp_path) as run:
        run.submit([check("a")])
        assert outcomes(run.results(1)) == {"test:a": "passed"}
        assert told in run.warnings()
        assert bool(told) == bool(run.warnings())


def test_a_late_answer_of_a_lost_machine_counts_for_nothing(tmp_path: Path) -> None:
    """First the machine is lost, then its answer comes: the second attempt is the verdict, told once."""
    cluster = cluster_of("m1", "m2", mishap=once("late"))
    with running(cluster, tmp_path) as run:
        run.submit([check("a")])
        while not cluster.late:
            run.executor.submit(DownloadTask(value="x", missing=""), run.inbox.put)
            run.results(1)
        first = cluster.sent[-1][0]
        cluster.lose(first)
        found = run.results(1)
        cluster.finish()
        run.submit([check("b")])
        run.results(1)
        run.warnings()
    assert found["test:a"].result.machine != first
    assert cluster.forgotten == ["r/test:a#2"], "the first attempt only said that it lacks the bundle"


def test_a_cell_that_kills_its_machines_is_crashed_with_their_names(tmp_path: Path) -> None:
    """Three machines die of it while it is alone, and others in company before: `crashed`, and no neighbour is."""
    cluster = cluster_of("m1", "m2", "m3", "m4", "m5", "m6", "m7", "m8", slots=3)
    cluster.mishap = lambda _address, key: "lost" if "test:killer" in key else ""
    with running(cluster, tmp_path) as run:
        run.submit([check("killer"), *(check(name) for name in "abcdef")])
        found = run.results(7)
    assert found["test:killer"].result.outcome is Outcome.CRASHED
    assert "its worker died 3 times while nothing else ran there (m" in found["test:killer"].result.reason
    assert {item for key, item in outcomes(found).items() if key != "test:killer"} == {"passed"}


def test_a_build_that_kills_its_machines_fails(tmp_path: Path) -> None:
    """It is no test: its cells could not be built, and the reason says how."""
    cluster = cluster_of("m1", "m2", "m3", "m4", "m5", "m6", "m7", "m8", "m9")
    cluster.mishap = lambda _address, _key: "dies"
    with running(cluster, tmp_path) as run:
        run.submit([build("a")])
        (found,) = run.results(1).values()
    assert isinstance(found, TaskFailed)
    assert "its worker died 3 times" in found.reason


def test_a_machine_in_trouble_is_told_and_left(tmp_path: Path) -> None:
    """A full disk drains a machine; the cells pass elsewhere."""
    cluster = cluster_of("bad", "good", slots=1)
    cluster.mishap = lambda address, _key: "trouble" if address == "bad" else ""
    with running(cluster, tmp_path) as run:
        run.submit(check(str(n)) for n in range(12))
        assert set(outcomes(run.results(12)).values()) == {"passed"}
        assert "bad gets nothing more: for a test" in run.warnings()


def test_a_machine_that_cannot_take_files_is_no_verdict(tmp_path: Path) -> None:
    """Files cannot be sent to it (its disk, its network): the cell passes on another machine."""
    cluster = cluster_of("bad", "good", slots=1)
    with running(cluster, tmp_path) as run:
        cluster.mute.add("bad")
        run.submit(check(str(n)) for n in range(6))
        assert set(outcomes(run.results(6)).values()) == {"passed"}
        assert "it does not answer" in run.warnings()


def test_what_no_machine_can_do_ends_with_the_reason(tmp_path: Path) -> None:
    """Trouble everywhere is no crash of the cell."""
    cluster = cluster_of(*(f"m{n}" for n in range(8)), slots=1)
    cluster.mishap = lambda _address, _key: "trouble"
    with running(cluster, tmp_path) as run:
        run.submit([check("a")])
        (found,) = run.results(1).values()
    assert found == TaskFailed(reason="no machine could do it: for a test", detail="for a test")


def test_a_run_without_machines_ends_with_what_to_type(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """When nobody is left for a while, the run says why and that it can go on."""
    monkeypatch.setattr(remote, "PATIENCE", 0.0)
    cluster = cluster_of("m1", mishap=lambda _address, _key: "refuses")
    with running(cluster, tmp_path) as run:
        run.submit([check("a")])
        (error,) = run.results(1).values()
    assert isinstance(error, InfrastructureError)
    assert "m1 gets nothing more: for a test; go on with: venvgrid run --resume" in str(error)


def test_an_interpreter_that_left_with_its_machine_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Others are there, none has it: the cell is not awaited for ever."""
    monkeypatch.setattr(remote, "PATIENCE", 0.0)
    old = testing.interpreter("3.9.1")
    cluster = cluster_of("m1")
    with running(cluster, tmp_path) as run:
        run.submit([check("a", python=old)])
        (found,) = run.results(1).values()
    assert found.reason == "no machine that is left has cpython 3.9.1 and the time for it"


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"venvgrid": "0.0.1"}, "m2 has venvgrid 0.0.1, this is "),
        ({"bound": "another-plan"}, "m2 was started for another plan (another-plan)"),
    ],
)
def test_who_may_not_take_part_is_told_at_once(tmp_path: Path, changed: dict[str, Any], told: str) -> None:
    """A machine of another version, or for another plan, gets nothing; the others do all."""
    inventories = {"m1": machine("m1"), "m2": machine("m2", **changed)}
    cluster = FakeCluster(inventories=inventories)
    with running(cluster, tmp_path, machines=1) as run:
        run.submit(check(str(n)) for n in range(5))
        assert set(outcomes(run.results(5)).values()) == {"passed"}
        run.executor.close()
        while told not in run.warnings():
            run.fleet.inbox.get(timeout=LIMIT)()
    assert {address for address, _ in cluster.sent} == {"m1"}


def test_a_machine_that_is_lost_while_it_is_asked_takes_no_part(tmp_path: Path) -> None:
    """Its inventory comes after its end: nothing is ever sent to a ghost."""
    cluster, asked, go_on = cluster_of("m1"), threading.Event(), threading.Event()
    ask = cluster.ask

    def slow(address: str, question: str) -> str:
        text = ask(address, question)
        if address == "ghost":
            asked.set()
            go_on.wait(LIMIT)
        return text

    cluster.ask = slow  # type: ignore[method-assign]
    with running(cluster, tmp_path) as run:
        cluster.come("ghost", machine("ghost", 9))
        assert asked.wait(LIMIT)
        cluster.lose("ghost")
        run.submit([check("a")])
        run.results(1)
        go_on.set()
        run.submit(check(str(n)) for n in range(9))
        assert len(run.results(9)) == 9


def test_a_machine_that_is_announced_twice_is_one(tmp_path: Path) -> None:
    """The engine may tell of a worker as one that is there and as one that came."""
    cluster = cluster_of("m1", mishap=once("late"))
    with running(cluster, tmp_path) as run:
        run.submit([check("a")])
        while not cluster.late:
            run.executor.submit(DownloadTask(value="x", missing=""), run.inbox.put)
            run.results(1)
        cluster.listener.came("m1")
        run.submit([check("b")])
        run.results(1)
        cluster.finish()
        assert outcomes(run.results(1)) == {"test:a": "passed"}


@pytest.mark.parametrize("urgent", [False, True])
def test_a_stop_ends_what_waits_and_asks_machines_to_stop(tmp_path: Path, urgent: bool) -> None:  # noqa: FBT001
    """Ctrl-C once: what is not sent ends at once, what runs answers; twice: all ends at once."""
    cluster = cluster_of("m1", slots=1, mishap=lambda _address, _key: "late")
    with running(cluster, tmp_path) as run:
        run.submit([check("0"), check("1")])
        while not cluster.late:
            run.executor.submit(DownloadTask(value="x", missing=""), run.inbox.put)
            run.results(1)
        run.executor.cancel(urgent=urgent)
        stopped = run.results(2 if urgent else 1)
        cluster.finish()
        if not urgent:
            assert outcomes(run.results(1)) == {"test:0": "passed"}
    assert set(outcomes(stopped).values()) == {"TaskFailed"}
    assert {"op": "stop", "run": "r", "urgent": urgent} in [question for _, question in cluster.asked]


@pytest.mark.parametrize("mishap", ["lost", "none", "garbage", "needs"])
def test_a_stopped_run_sends_nothing_again(tmp_path: Path, mishap: str) -> None:
    """A machine that is lost, or lacks a file, while the run stops, leaves no task that waits for ever."""
    cluster = cluster_of("m1", "m2", slots=1, mishap=lambda _address, _key: "late")
    with running(cluster, tmp_path) as run:
        run.submit([check("a")])
        while not cluster.late:
            run.executor.submit(DownloadTask(value="x", missing=""), run.inbox.put)
            run.results(1)
        run.executor.cancel(urgent=False)
        address, job = cluster.sent[-1]
        answered = cluster.late.pop().__closure__[0].cell_contents  # type: ignore[index]
        match mishap:
            case "lost":
                cluster.lose(address)
            case "needs":
                answered(json.dumps({"attempt": job.attempt, "machine": "m", "needs": ["c" * 64]}))
            case "none":
                answered(None)
            case _:
                answered("garbage")
        assert outcomes(run.results(1)) == {"test:a": "TaskFailed"}
    assert len(cluster.sent) <= 3


def test_a_bug_ends_the_run_with_its_traceback(tmp_path: Path) -> None:
    """What a machine could not know is raised by the loop, as it is at home."""
    text = json.dumps({"attempt": 2, "machine": "m1", "error": "Traceback … ZeroDivisionError"})
    cluster = cluster_of("m1", mishap=once(text))
    with running(cluster, tmp_path) as run:
        run.submit([check("a")])
        (found,) = run.results(1).values()
    assert isinstance(found, RuntimeError)
    assert "ZeroDivisionError" in str(found)


def test_paths_of_this_machine_do_not_travel(tmp_path: Path) -> None:
    """A job and its answer name the project by a mark; a result has the path that it has here."""
    root = tmp_path / "project"
    cluster = cluster_of("m1")
    task = check("a")
    task = replace(task, environment=replace(task.environment, path=root / ".venvgrid/store/x"))
    seen: list[Task] = []

    def work(given: Task, post: Any) -> Any:
        seen.append(given)
        return machinery.WORKER.execute(given, post)

    cluster.work = work
    with running(cluster, tmp_path) as run:
        run.submit([task])
        run.results(1)
    assert seen[0].environment.path == Path("/cache/machines/m1/files/.venvgrid/store/x")  # type: ignore[union-attr]
    assert not any(str(root) in text for text in cluster.texts)


MISHAPS = ("lost", "dies", "late", "twice", "none", "garbage", "trouble", "stranger")


@settings(max_examples=15)
@given(seed=st.integers(0, 2**32), share=st.floats(0.0, 0.4))
def test_whatever_goes_wrong_each_task_ends_once(
    tmp_path_factory: pytest.TempPathFactory, seed: int, share: float
) -> None:
    """Law: with machines that die, come, answer late, twice or nonsense, each test ends once, and passes."""
    chance = random.Random(seed)
    cluster = cluster_of("m0", "m1", "m2")
    left, born = 15, 3

    def mishap(_address: str, _key: str) -> str:
        nonlocal left, born
        if left and chance.random() < share:
            left -= 1
            born += 1
            cluster.come(f"m{born}", machine(f"m{born}", chance.randrange(1, 4)))
            return chance.choice(MISHAPS)
        return ""

    cluster.mishap = mishap
    ended: dict[str, Any] = {}
    with running(cluster, tmp_path_factory.mktemp("run")) as run:
        run.submit(check(str(n), str(n % 5)) for n in range(20))
        while len(ended) < 20:
            try:
                message = run.inbox.get(timeout=0.01)
            except queue.Empty:
                cluster.finish()
                continue
            if isinstance(message, Finished):
                assert message.task.key not in ended
                ended[message.task.key] = message.result
        run.warnings()
    wrong = {key: item for key, item in ended.items() if outcomes({key: item})[key] != "passed"}
    assert wrong == {}
