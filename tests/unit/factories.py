"""Values that tests of reports are made of: cells, results, events, and whole runs of them."""

from __future__ import annotations

from dataclasses import replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from venvgrid import testing
from venvgrid.model import (
    CaseOutcome,
    Cell,
    CellFinished,
    CellPlanned,
    CellResult,
    Event,
    Failure,
    Outcome,
    Plan,
    PlannedCell,
    RunFinished,
    RunStarted,
    Stage,
    StageFinished,
    StageProgress,
    StageStarted,
    Status,
    TestFinished,
    TestsCollected,
)
from venvgrid.results.report import Report, build_report

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

RAN = {Outcome.PASSED, Outcome.FAILED, Outcome.FLAKY, Outcome.CRASHED, Outcome.TIMED_OUT}


def cell(identifier: str, axes: Mapping[str, str] | None = None, **options: Any) -> Cell:
    """Make a cell; without axes its id is its Python."""
    return Cell(id=identifier, axes=axes or {"python": identifier.removeprefix("py")}, **options)


def failure(test: str = "tests/test_a.py::test_one", **options: Any) -> Failure:
    """Make a failure of a test."""
    made = Failure(test=test, kind="ValueError", message="bad value", signature="ValueError: bad value")
    return replace(made, **options)


def result(of: Cell | str, outcome: Outcome = Outcome.PASSED, **options: Any) -> CellResult:
    """Make the result of a cell; what ran has an interpreter, a package and durations."""
    of = cell(of) if isinstance(of, str) else of
    made = CellResult(
        id=of.id, axes=of.axes, outcome=outcome, allow_failure=of.allow_failure, named=of.named, log=f"logs/{of.id}.log"
    )
    if outcome in RAN:
        made = replace(
            made,
            attempts=1,
            interpreter=testing.interpreter(),
            packages=MappingProxyType({"numpy": "1.23.2"}),
            durations=MappingProxyType({"resolve": 0.1, "build": 0.8, "test": 1.2}),
            tests=MappingProxyType({"passed": 3} if outcome.is_green else {"passed": 2, "failed": 1}),
        )
    return replace(made, **options)


def started(cells: Iterable[Cell | PlannedCell], **options: Any) -> RunStarted:
    """Make the first event of a run."""
    planned = (item if isinstance(item, PlannedCell) else runnable(item) for item in cells)
    made = RunStarted(
        run="20260101-120000-abcd",
        time="2026-01-01T12:00:00+00:00",
        venvgrid="0.1.0",
        config="matrix.toml",
        config_digest="d1",
        project="plotlib",
        project_version="1.0",
        plan=Plan(cells=tuple(planned)),
        command=("pytest",),
        workers=2,
    )
    return replace(made, **options)


def runnable(of: Cell) -> PlannedCell:
    """Plan a cell."""
    return PlannedCell(cell=of, status=Status.RUNNABLE)


def ended(status: int = 0, duration: float = 21.3) -> RunFinished:
    """Make the last event of a run."""
    return RunFinished(exit_status=status, duration=duration, at=duration)


def finished(of: CellResult, at: float = 2.0) -> CellFinished:
    """Say that a cell has its outcome."""
    return CellFinished(result=of, at=at)


def one_test(of: str, test: str, verdict: CaseOutcome = CaseOutcome.PASSED, **options: Any) -> TestFinished:
    """Say that a test ended."""
    return replace(TestFinished(cell=of, test=test, verdict=verdict, duration=0.25, at=1.5), **options)


def tested(of: CellResult, verdicts: Mapping[str, CaseOutcome]) -> list[Event]:
    """Give all events of a cell that was resolved, built and tested."""
    name = of.id
    return [
        StageStarted(cell=name, stage=Stage.RESOLVE, at=0.0),
        StageFinished(cell=name, stage=Stage.RESOLVE, at=0.1, duration=0.1),
        CellPlanned(cell=name, status=Status.RUNNABLE, reason="", at=0.1, environment="e1"),
        StageStarted(cell=name, stage=Stage.BUILD, at=0.2),
        StageProgress(cell=name, stage=Stage.BUILD, text="Downloading numpy (16.1MiB)", at=0.3),
        StageFinished(cell=name, stage=Stage.BUILD, at=1.0, duration=0.8, detail="built"),
        StageStarted(cell=name, stage=Stage.TEST, at=1.0),
        TestsCollected(cell=name, collected=len(verdicts), at=1.1),
        *(one_test(name, test, verdict) for test, verdict in verdicts.items()),
        StageFinished(cell=name, stage=Stage.TEST, at=2.0, duration=1.0),
        finished(of),
    ]


def report(*results: CellResult, status: int = 0, extra: Iterable[Event] = ()) -> Report:
    """Fold a finished run of these results, in which no test was watched; `extra` events come before the results."""
    cells = [Cell(id=item.id, axes=item.axes, allow_failure=item.allow_failure, named=item.named) for item in results]
    return build_report([started(cells), *extra, *map(finished, results), ended(status)])


def matplotlib_grid() -> Report:
    """Fold the run of a grid of four Pythons and two matplotlibs, with something of everything."""
    pythons, versions = ("3.6", "3.8", "3.9", "3.10"), ("2.2", "3.5")
    cells = {
        (python, version): cell(f"py{python}-matplotlib{version}", {"python": python, "matplotlib": version})
        for python in pythons
        for version in versions
    }
    at = "tests/test_charts.py::"
    names = [f"{at}test_a", f"{at}test_b", f"{at}test_line"]
    one = failure(names[2], kind="AttributeError", message="module 'numpy' has no attribute 'float'")
    events: list[Event] = [started(cells.values())]
    for (python, version), of in cells.items():
        if (version == "2.2") != (python == "3.6"):
            no_wheel = f"matplotlib {version} has no wheel for CPython {python} on linux-x86_64"
            events.append(finished(result(of, Outcome.IMPOSSIBLE, reason=no_wheel, log="")))
        elif python == "3.9":
            why = "1 failed of 3: tests/test_charts.py::test_line: AttributeError"
            red = result(of, Outcome.FAILED, reason=why, failures=(one,))
            events += tested(red, {**dict.fromkeys(names, CaseOutcome.PASSED), names[2]: CaseOutcome.FAILED})
        else:
            events += tested(result(of), dict.fromkeys(names, CaseOutcome.PASSED))
    return build_report([*events, ended(1)])
