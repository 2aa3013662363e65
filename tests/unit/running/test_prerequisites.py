"""Wheels and metadata of a run: whose they are, and what waits for them."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from venvgrid import testing
from venvgrid.config import loading
from venvgrid.planning import expansion
from venvgrid.project.metadata import Metadata
from venvgrid.running import loop, tasks
from venvgrid.running.request import RunRequest
from venvgrid.running.scheduler import Scheduler

if TYPE_CHECKING:
    from venvgrid.model import Cell, CellResult, Interpreter, LockEntry
    from venvgrid.running.executors.base import Post

PYTHONS = {"3.9": testing.interpreter("3.9.18"), "3.12": testing.interpreter("3.12.1")}


@dataclass(kw_only=True)
class Worker(testing.FakeWorker):
    """Builds a wheel whose requirements and digest name the Python; those of `broken` cannot build."""

    broken: tuple[str, ...] = ()
    asked: list[tuple[str, str]] = field(default_factory=list)
    resolved: list[tuple[str, tuple[str, ...]]] = field(default_factory=list)

    def execute(self, task: tasks.Task, post: Post) -> tasks.TaskResult:
        if isinstance(task, tasks.ResolveTask):
            self.resolved.append((task.interpreter.version, task.metadata.requires if task.metadata else ()))
        result = super().execute(task, post)
        if not isinstance(result, tasks.WheelDone) or not isinstance(task, tasks.WheelTask):
            return result
        version = task.interpreter.version
        if version in self.broken:
            return tasks.TaskFailed(reason="broken", detail="broken")
        metadata = Metadata(name="demo", version="1.0", requires=(f"for-{version}",))
        return tasks.WheelDone(wheel=replace(result.wheel, metadata=metadata, digest=version))

    def cached(self, cell: Cell, entry: LockEntry, project: str) -> CellResult | None:
        self.asked.append((cell.id, project))
        return super().cached(cell, entry, project)


def run(
    work: Worker, *, metadata: Metadata | None, depends: bool, pythons: dict[str, Interpreter | str] | None = None
) -> dict[str, str]:
    known = pythons or dict(PYTHONS)
    config = loading.parse(f"[axes]\npython = {list(known)}", file=Path.cwd() / "matrix.toml")
    request = RunRequest(
        config=config,
        plan=expansion.expand(config),
        interpreters=known,
        surrogates={value: PYTHONS["3.12"] for value, item in known.items() if isinstance(item, str)},
        download=True,
        metadata=metadata,
        depends_on_python=depends,
        run="r",
        time="t",
        version="0",
    )
    scheduler = Scheduler(request, cached=work.cached, append_log=work.append_log)
    list(loop.run(scheduler, testing.FakeExecutor(execute=work.execute)))
    return {name: result.outcome.value for name, result in scheduler.state.results.items()}


def test_each_python_is_resolved_with_the_metadata_of_its_own_wheel() -> None:
    """Two interpreters, two wheels, and each resolve has the requirements that its own Python told."""
    work = Worker()
    assert set(run(work, metadata=None, depends=True).values()) == {"passed"}
    assert sorted(work.resolved) == [("3.12.1", ("for-3.12.1",)), ("3.9.18", ("for-3.9.18",))]


def test_one_wheel_serves_all_where_nothing_depends_on_the_python() -> None:
    """The newest builds it, and its metadata are those of all."""
    work = Worker()
    run(work, metadata=None, depends=False)
    assert {requires for _, requires in work.resolved} == {("for-3.12.1",)}
    assert [version for step, version in work.calls if step == "wheel"] == ["3.12.1"]


def test_a_python_that_cannot_build_leaves_the_others() -> None:
    """The others build their own, whether or not one build was to serve all."""
    for depends in (True, False):
        for metadata in (None, Metadata(name="demo", version="1.0")):
            outcomes = run(Worker(broken=("3.12.1",)), metadata=metadata, depends=depends)
            assert outcomes == {"py3.9": "passed", "py3.12": "build-failed"}


def test_a_result_is_asked_for_with_the_wheel_that_would_be_tested() -> None:
    """An earlier result belongs to a wheel: it is not asked for before the wheel is there."""
    work = Worker(unchanged=frozenset({"py3.9", "py3.12"}))
    assert set(run(work, metadata=Metadata(name="demo", version="1.0"), depends=True).values()) == {"passed"}
    assert sorted(work.asked) == [("py3.12", "3.12.1"), ("py3.9", "3.9.18")]
    assert "build" not in {step for step, _ in work.calls}


def test_a_downloaded_python_is_asked_too() -> None:
    """A missing interpreter is downloaded before anything is resolved for it: no other one knows its requirements."""
    work = Worker(downloads={"3.12": PYTHONS["3.12"]})
    pythons: dict[str, Interpreter | str] = {"3.9": PYTHONS["3.9"], "3.12": "not here"}
    assert set(run(work, metadata=None, depends=True, pythons=pythons).values()) == {"passed"}
    assert sorted(work.resolved) == [("3.12.1", ("for-3.12.1",)), ("3.9.18", ("for-3.9.18",))]
