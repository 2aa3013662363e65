"""What follows from what in a run, with effects that are tables."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from venvgrid import testing
from venvgrid.analysis.prioritisation import Order
from venvgrid.config import loading
from venvgrid.installers.base import ResolveFailed, Unresolvable
from venvgrid.model import CellFinished, CellPlanned, Event, Outcome, RunFinished, RunStarted, Stage, StageStarted
from venvgrid.planning import expansion
from venvgrid.project.metadata import Metadata
from venvgrid.running import loop, tasks
from venvgrid.running.request import RunRequest
from venvgrid.running.scheduler import Scheduler

if TYPE_CHECKING:
    from venvgrid.model import Config
    from venvgrid.running.run_state import RunState

DEMO = Metadata(name="demo", version="1.0")
PYTHONS = {
    "3.9": testing.interpreter("3.9.18"),
    "3.12": testing.interpreter("3.12.1"),
    "2.7": testing.interpreter("2.7.18"),
}


def parse(text: str) -> Config:
    return loading.parse(text, file=Path.cwd() / "matrix.toml")


def request(text: str, **options: object) -> RunRequest:
    configured = parse(text)
    made = RunRequest(
        config=configured,
        plan=expansion.expand(configured),
        interpreters={**PYTHONS, "3.99": "no CPython 3.99 on this machine"},
        metadata=DEMO,
        run="r",
        time="t",
        version="0",
    )
    return replace(made, **options)  # type: ignore[arg-type]  # of the fields' types, by the callers below


def make(wanted: RunRequest, work: testing.FakeWorker) -> Scheduler:
    return Scheduler(wanted, cached=work.cached, append_log=work.append_log)


def run(wanted: RunRequest, work: testing.FakeWorker) -> tuple[RunState, list[Event]]:
    scheduler = make(wanted, work)
    return scheduler.state, list(loop.run(scheduler, testing.FakeExecutor(execute=work.execute)))


def outcomes(state: RunState) -> dict[str, str]:
    return {name: result.outcome.value for name, result in state.results.items()}


def status(events: list[Event]) -> int:
    last = events[-1]
    assert isinstance(last, RunFinished)
    return last.exit_status


def test_a_cell_is_resolved_built_and_tested() -> None:
    """Events begin with the plan and end with the exit status; every step happens once, in order."""
    work = testing.FakeWorker()
    state, events = run(request('[axes]\npython = ["3.12"]'), work)
    assert isinstance(events[0], RunStarted)
    assert status(events) == 0
    assert outcomes(state) == {"py3.12": "passed"}
    steps = [name for name, _ in work.calls]
    assert sorted(steps) == ["build", "collect", "resolve", "test", "wheel"]
    assert steps[-3:] == ["build", "test", "collect"]


def test_cells_that_differ_only_in_variables_are_resolved_and_built_once() -> None:
    """Two values of a variable: one resolve, one environment, two tests."""
    work = testing.FakeWorker()
    run(request('[axes]\npython = ["3.12"]\nenv.A = ["1", "2"]'), work)
    steps = [name for name, _ in work.calls]
    assert steps.count("resolve") == 1
    assert steps.count("test") == 2


def test_an_impossible_cell_is_never_built() -> None:
    """Its outcome has the reason, and the run's exit status is that of the others."""
    work = testing.FakeWorker(answers={"py3.9": Unresolvable(reason="no wheel")})
    state, events = run(request('[axes]\npython = ["3.9", "3.12"]'), work)
    assert outcomes(state) == {"py3.9": "impossible", "py3.12": "passed"}
    assert state.results["py3.9"].reason == "no wheel"
    assert ("build", "py3.9") not in work.calls
    assert status(events) == 0


def test_a_network_failure_is_not_impossible_and_ends_with_3() -> None:
    """A cell that could not be resolved failed to build; nothing is red."""
    work = testing.FakeWorker(answers={"py3.9": ResolveFailed(reason="no network")})
    state, events = run(request('[axes]\npython = ["3.9", "3.12"]'), work)
    assert outcomes(state) == {"py3.9": "build-failed", "py3.12": "passed"}
    assert state.results["py3.9"].reason == "could not be resolved: no network"
    assert status(events) == 3


def test_a_missing_interpreter_is_never_green() -> None:
    """The cell says what is missing; the exit status is 3, or 0 where that was asked for."""
    text = '[axes]\npython = ["3.12", "3.99"]'
    state, events = run(request(text), testing.FakeWorker())
    assert outcomes(state) == {"py3.99": "missing-interpreter", "py3.12": "passed"}
    assert status(events) == 3
    assert status(run(request(text, skip_missing=True), testing.FakeWorker())[1]) == 0


def test_a_build_that_fails_hides_no_other_cell() -> None:
    """The failed environment's cell has the headline and a log; the other is tested."""
    work = testing.FakeWorker(build_problems={"py3.9": "trace\nValueError: no compiler\nhint: x"})
    state, events = run(request('[axes]\npython = ["3.9", "3.12"]'), work)
    assert outcomes(state) == {"py3.9": "build-failed", "py3.12": "passed"}
    assert state.results["py3.9"].reason == "ValueError: no compiler"
    assert state.results["py3.9"].log == "logs/py3.9.log"
    assert status(events) == 3


def test_a_project_that_cannot_be_built_fails_every_cell_that_needs_it() -> None:
    """Each interpreter tries, for another one may build it; each cell tells the reason."""
    work = testing.FakeWorker(wheel_problem="backend: boom")
    state, events = run(request('[axes]\npython = ["3.9", "3.12"]'), work)
    assert outcomes(state) == {"py3.9": "build-failed", "py3.12": "build-failed"}
    assert state.results["py3.9"].reason == "the project could not be built: backend: boom"
    assert [version for name, version in work.calls if name == "wheel"] == ["3.12.1", "3.9.18"]
    assert status(events) == 3


def test_dynamic_metadata_are_built_before_anything_is_resolved() -> None:
    """Where only a wheel knows the requirements, it comes first."""
    work = testing.FakeWorker()
    run(request('[axes]\npython = ["3.12"]', metadata=None, until=Stage.BUILD), work)
    assert work.calls == [("wheel", "3.12.1"), ("resolve", "py3.12"), ("build", "py3.12")]


def test_a_run_until_the_build_tests_nothing() -> None:
    """Every environment is built, and no cell gets a result."""
    work = testing.FakeWorker()
    state, _ = run(request('[axes]\npython = ["3.9", "3.12"]', until=Stage.BUILD), work)
    assert {name for name, _ in work.calls} == {"resolve", "wheel", "build"}
    assert state.results == {}
    assert set(state.entries) == {"py3.9", "py3.12"}


def test_a_wheel_that_is_not_pure_is_built_for_each_interpreter() -> None:
    """Two interpreters, two wheels."""
    work = testing.FakeWorker(pure=False)
    run(request('[axes]\npython = ["3.9", "3.12"]'), work)
    assert sorted(version for name, version in work.calls if name == "wheel") == ["3.12.1", "3.9.18"]


def test_a_project_that_is_not_installed_needs_no_wheel() -> None:
    """`install = "none"`: no build of the project."""
    work = testing.FakeWorker()
    run(request('[project]\ninstall = "none"\n[axes]\npython = ["3.12"]', metadata=None), work)
    assert "wheel" not in {name for name, _ in work.calls}


def test_fail_fast_stops_at_the_first_red_cell() -> None:
    """Cells that did not run are cancelled, with the reason, and the exit status is that of the red cell."""
    work = testing.FakeWorker(outcomes={"py3.9": Outcome.FAILED, "py3.12": Outcome.FAILED})
    state, events = run(request('[axes]\npython = ["3.9", "3.12"]', fail_fast=True), work)
    assert sorted(outcomes(state).values()) == ["cancelled", "failed"]
    assert status(events) == 1


@pytest.mark.parametrize("stage", [Stage.RESOLVE, Stage.BUILD])
def test_what_is_stopped_has_not_failed(stage: Stage) -> None:
    """A resolve and a build that end because the run is stopped leave their cells cancelled, not failed."""
    work = testing.FakeWorker()
    if stage is Stage.RESOLVE:
        work.answers = {"py3.12": ResolveFailed(reason="cancelled")}
    else:
        work.build_problems = {"py3.12": "cancelled"}
    scheduler = make(request('[axes]\npython = ["3.12"]'), work)
    events = []
    for event in loop.run(scheduler, testing.FakeExecutor(execute=work.execute)):
        events.append(event)
        if isinstance(event, StageStarted) and event.stage is stage:
            scheduler.stop()
    assert outcomes(scheduler.state) == {"py3.12": "cancelled"}
    assert status(events) == 130


def test_a_red_cell_that_may_fail_stops_nothing() -> None:
    """allow-failure keeps the outcome and leaves the exit status alone."""
    text = '[axes]\npython = ["3.9", "3.12"]\n[[include]]\npython = "3.9"\nallow-failure = true'
    work = testing.FakeWorker(outcomes={"py3.9": Outcome.FAILED})
    state, events = run(request(text, fail_fast=True), work)
    assert outcomes(state) == {"py3.9": "failed", "py3.12": "passed"}
    assert status(events) == 0


def test_a_locked_cell_is_not_resolved() -> None:
    """What the lock holds is built as it is."""
    wanted = request('[axes]\npython = ["3.12"]')
    work = testing.FakeWorker()
    entry = work.entry(wanted.plan.cells[0].cell, PYTHONS["3.12"])
    state, _ = run(replace(wanted, locked={"py3.12": entry}), work)
    assert outcomes(state) == {"py3.12": "passed"}
    assert "resolve" not in {name for name, _ in work.calls}


def test_what_is_sure_to_run_goes_before_what_is_compared() -> None:
    """The tasks of locked cells without a recorded result are there before the first result is compared."""
    wanted = request('[axes]\npython = ["3.9", "3.12"]')
    work = testing.FakeWorker(unchanged=frozenset({"py3.9"}))
    locked = {item.cell.id: work.entry(item.cell, PYTHONS[item.cell.axes["python"]]) for item in wanted.plan.cells}
    scheduler = make(replace(wanted, locked=locked, recorded=frozenset({"py3.9"})), work)
    begun = scheduler.start()
    _, first = next(begun)
    while first:
        _, more = scheduler.done(first[0], work.execute(first[0], lambda _message: None))
        first = [*first[1:], *more]
    assert outcomes(scheduler.state) == {"py3.12": "passed"}
    events, _ = next(begun)
    assert [event.result.id for event in events if isinstance(event, CellFinished)] == ["py3.9"]


def test_only_what_a_lock_holds_has_to_fit_the_built_project() -> None:
    """A lock that contradicts the wheel is refused; a trial may test what the project does not declare."""
    wanted = request('[axes]\npython = ["3.12"]\nsix = ["1.15"]', metadata=None)
    cell = wanted.plan.cells[0].cell
    entry = replace(
        testing.FakeWorker().entry(cell, PYTHONS["3.12"]), distributions=(testing.distribution("six", "1.16"),)
    )
    state, _ = run(replace(wanted, locked={cell.id: entry}), testing.FakeWorker())
    assert outcomes(state) == {cell.id: "build-failed"}
    state, _ = run(replace(wanted, locked={cell.id: entry}, given=frozenset({cell.id})), testing.FakeWorker())
    assert outcomes(state) == {cell.id: "passed"}


def test_cells_are_tested_in_their_order() -> None:
    """The lowest place goes first."""
    work = testing.FakeWorker()
    text = '[axes]\npython = ["3.12"]\nenv.A = ["1", "2", "3"]'
    first, second, third = (item.cell.id for item in expansion.expand(parse(text)).cells)
    run(request(text, order=Order(places={first: 2.0, second: 0.0, third: 1.0})), work)
    assert [name[-1] for step, name in work.calls if step == "test"] == ["2", "3", "1"]


def test_bytecode_of_the_first_environment_is_kept_before_the_second_is_built() -> None:
    """With one worker: the first environment of a Python is built, tested and collected, then the next one is built."""
    work = testing.FakeWorker()
    run(request('[axes]\npython = ["3.12"]\nsix = ["1.15", "1.16"]'), work)
    steps = [name for name, _ in work.calls if name in {"build", "test", "collect"}]
    assert steps == ["build", "test", "collect", "build", "test", "collect"]


def test_a_cell_whose_shared_files_changed_is_tested_again_alone() -> None:
    """Another cell may have written: the result is not used, the cell gets an environment that shares nothing."""
    work = testing.FakeWorker(changing=frozenset({"py3.12-six1.15"}))
    state, events = run(request('[axes]\npython = ["3.12"]\nsix = ["1.15", "1.16"]'), work)
    steps = [(step, name) for step, name in work.calls if name == "py3.12-six1.15" and step in {"build", "test"}]
    assert [step for step, _ in steps] == ["build", "test", "build", "test"]
    assert outcomes(state) == {"py3.12-six1.15": "passed", "py3.12-six1.16": "passed"}
    assert [event.result.id for event in events if isinstance(event, CellFinished)].count("py3.12-six1.15") == 1
    assert "tested again" in " ".join(state.results["py3.12-six1.15"].notes)
    assert state.results["py3.12-six1.16"].notes == ()


def test_cells_that_share_a_changed_environment_are_tested_again_one_by_one() -> None:
    """Each of them gets the environment new: a build before every test."""
    work = testing.FakeWorker(changing=frozenset({"py3.12-A-1", "py3.12-A-2", "py3.12-A-3"}))
    text = '[axes]\npython = ["3.12"]\nenv.A = ["1", "2", "3"]'
    names = [item.cell.id for item in expansion.expand(parse(text)).cells]
    work.changing = frozenset(names)
    state, _ = run(request(text), work)
    assert set(outcomes(state).values()) == {"passed"}
    steps = [step for step, _ in work.calls if step in {"build", "test"}]
    assert steps[-6:] == ["build", "test"] * 3 or steps[-5:] == ["test", "build", "test", "build", "test"]
    assert sum(step == "test" for step in steps) == 6


def test_an_environment_is_not_built_anew_while_another_cell_is_tested_in_it() -> None:
    """The first test that ends has changed it: its cell waits until the tests of the others have ended too."""
    text = '[axes]\npython = ["3.12"]\nenv.A = ["1", "2", "3"]'
    names = [item.cell.id for item in expansion.expand(parse(text)).cells]
    work = testing.FakeWorker(changing=frozenset(names[:2]))
    scheduler = make(request(text), work)
    ((_, todo),) = scheduler.start()
    held: list[tasks.Task] = []
    while todo or held:
        task = todo.pop(0) if todo else held.pop(0)
        if isinstance(task, tasks.TestTask) and todo:
            held.append(task)  # all that share the environment are tested at once
            continue
        busy = {item.cell.id for item in held if isinstance(item, tasks.TestTask)}
        assert not (isinstance(task, tasks.BuildTask) and busy), busy
        _, more = scheduler.done(task, work.execute(task, lambda _message: None))
        todo += more
    assert outcomes(scheduler.state) == dict.fromkeys(names, "passed")
    assert [bool(scheduler.state.results[name].notes) for name in names] == [True, True, False]


def test_the_first_environment_of_each_python_is_built_before_the_second_of_any() -> None:
    """Two Pythons, two versions: the builds take turns between the Pythons."""
    work = testing.FakeWorker()
    run(request('[axes]\npython = ["3.9", "3.12"]\nsix = ["1.15", "1.16"]'), work)
    built = [name.split("-")[0] for step, name in work.calls if step == "build"]
    assert sorted(built[:2]) == ["py3.12", "py3.9"]


def test_every_cell_has_one_plan_event_and_one_result() -> None:
    """Whatever becomes of a cell, it is planned once and finished once."""
    work = testing.FakeWorker(answers={"py3.9": Unresolvable(reason="no")}, build_problems={"py2.7": "no"})
    _, events = run(request('[axes]\npython = ["2.7", "3.9", "3.12", "3.99"]'), work)
    finished = [event.result.id for event in events if isinstance(event, CellFinished)]
    assert sorted(finished) == ["py2.7", "py3.12", "py3.9", "py3.99"]
    assert {event.cell for event in events if isinstance(event, CellPlanned)} == set(finished)


def test_a_bug_is_raised() -> None:
    """An error that is nobody's trouble is not hidden in a cell."""
    work = testing.FakeWorker(answers={"py3.12": ZeroDivisionError()})
    with pytest.raises(ZeroDivisionError):
        run(request('[axes]\npython = ["3.12"]'), work)


STAND_IN = {"3.99": replace(testing.interpreter("3.99"), executable="")}


def test_a_cell_that_cannot_exist_is_impossible_although_its_interpreter_is_missing() -> None:
    """Nobody is sent to install a Python for a cell that a resolve shows to be impossible."""
    work = testing.FakeWorker(answers={"py3.99": Unresolvable(reason="no wheel")})
    state, events = run(request('[axes]\npython = ["3.12", "3.99"]', surrogates=STAND_IN, download=True), work)
    assert outcomes(state) == {"py3.12": "passed", "py3.99": "impossible"}
    assert "python" not in {name for name, _ in work.calls}
    assert status(events) == 0


def test_an_interpreter_is_downloaded_once_for_the_cells_that_can_exist() -> None:
    """Two environments, one download; the cells are resolved again with the interpreter itself, and tested."""
    new = testing.interpreter("3.99.1")
    work = testing.FakeWorker(downloads={"3.99": new})
    text = '[axes]\npython = ["3.99"]\nsix = ["1.15", "1.16"]'
    state, events = run(request(text, surrogates=STAND_IN, download=True), work)
    assert len(state.results) == 2
    assert set(outcomes(state).values()) == {"passed"}
    assert [value for name, value in work.calls if name == "python"] == ["3.99"]
    assert all(result.interpreter == new for result in state.results.values())
    assert status(events) == 0


@pytest.mark.parametrize("download", [True, False])
def test_an_interpreter_that_cannot_be_had_is_missing(*, download: bool) -> None:
    """Without downloads, or when the download fails, the cell is missing its interpreter and says why."""
    work = testing.FakeWorker()
    state, events = run(request('[axes]\npython = ["3.12", "3.99"]', surrogates=STAND_IN, download=download), work)
    assert outcomes(state) == {"py3.12": "passed", "py3.99": "missing-interpreter"}
    assert state.results["py3.99"].reason == "no CPython 3.99 on this machine"
    assert status(events) == 3


def test_a_download_comes_first_where_only_a_wheel_knows_the_metadata() -> None:
    """Dynamic metadata and no interpreter at all: it is downloaded, builds the wheel, and all goes on."""
    work = testing.FakeWorker(downloads={"3.99": testing.interpreter("3.99.1")})
    wanted = request('[axes]\npython = ["3.99"]', surrogates=STAND_IN, download=True, metadata=None)
    state, _ = run(wanted, work)
    assert outcomes(state) == {"py3.99": "passed"}
    assert [name for name, _ in work.calls] == ["python", "wheel", "resolve", "build", "test", "collect"]


def test_an_unchanged_cell_is_neither_built_nor_tested() -> None:
    """It has its earlier result at once; a cell that shares its environment is built and tested."""
    text = '[axes]\npython = ["3.12"]\nenv.A = ["1", "2"]'
    first, second = (item.cell.id for item in expansion.expand(parse(text)).cells)
    work = testing.FakeWorker(unchanged=frozenset({first}))
    state, events = run(request(text), work)
    assert outcomes(state) == {first: "passed", second: "passed"}
    assert {name for step, name in work.calls if step in {"build", "test"}} == {second}
    assert state.results[first].cached
    assert status(events) == 0
