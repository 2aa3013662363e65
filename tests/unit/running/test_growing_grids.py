"""Large grids: an event costs what it changes, and looking only there finds what looking everywhere finds."""

from __future__ import annotations

import itertools
import json
import random
import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from venvgrid import testing
from venvgrid.analysis.prioritisation import Order
from venvgrid.config import loading
from venvgrid.installers.base import Unresolvable
from venvgrid.model import Cell, CellFinished, Outcome, Stage, StageStarted
from venvgrid.planning import expansion
from venvgrid.project.metadata import Metadata
from venvgrid.running import loop
from venvgrid.running.executors.base import Slots
from venvgrid.running.request import RunRequest
from venvgrid.running.scheduler import Scheduler
from venvgrid.running.tasks import BuildTask, CompileDone, Lane, ResolveTask, Task, TaskResult, TestTask

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from types import FrameType

    from venvgrid.model import Event, Interpreter, LockEntry
    from venvgrid.running.executors.base import Post

DEMO = Metadata(name="demo", version="1.0")


def asked(
    axes: Mapping[str, Sequence[str]], interpreters: Mapping[str, Interpreter | str], **options: Any
) -> RunRequest:
    text = "[axes]\n" + "\n".join(f"{name} = {json.dumps(list(values))}" for name, values in axes.items())
    config = loading.parse(text, file=Path.cwd() / "matrix.toml")
    request = RunRequest(
        config=config,
        plan=expansion.expand(config),
        interpreters=interpreters,
        metadata=DEMO,
        run="r",
        time="t",
        version="0",
    )
    return replace(request, **options)


def random_run(chance: random.Random) -> tuple[RunRequest, testing.FakeWorker]:
    """Make a small grid with something of everything: failures, missing Pythons, locks, shared environments."""
    values = chance.sample(["2.7", "3.9", "3.12", "3.98", "3.99"], chance.randint(1, 4))
    six, variable = ["1.15", "1.16"][: chance.randint(1, 2)], ["1", "2", "3"][: chance.randint(1, 3)]
    axes = {"python": values, "six": six, "env.A": variable}
    missing = {"3.98", "3.99"}
    pythons = {name: f"no {name}" if name in missing else testing.interpreter(f"{name}.1") for name in values}
    order = list(axes.items())
    chance.shuffle(order)
    request = asked(dict(order), pythons, metadata=chance.choice([DEMO, None]))
    cells = [item.cell for item in request.plan.cells]

    def some(share: float) -> frozenset[str]:
        return frozenset(cell.id for cell in cells if chance.random() < share)

    work = testing.FakeWorker(
        answers=dict.fromkeys(sorted(some(0.1)), Unresolvable(reason="no")),
        build_problems=dict.fromkeys(sorted(some(0.1)), "boom"),
        outcomes=dict.fromkeys(sorted(some(0.2)), Outcome.FAILED),
        changing=some(0.2),
        unchanged=some(0.2),
        downloads={name: testing.interpreter(f"{name}.1") for name in missing if chance.random() < 0.5},
        wheel_problem="x" if chance.random() < 0.1 else "",
        pure=chance.random() < 0.6,
    )
    locked: dict[str, LockEntry] = {}
    for cell, share in zip(cells, itertools.repeat(chance.choice([0.0, 0.5])), strict=False):
        found = pythons[cell.axes["python"]]
        if not isinstance(found, str) and chance.random() < share:
            locked[cell.id] = work.entry(cell, found)
    surrogates = {name: replace(testing.interpreter(name), executable="") for name in missing if chance.random() < 0.7}
    return replace(
        request,
        locked=locked,
        surrogates=surrogates,
        download=chance.random() < 0.6,
        depends_on_python=chance.random() < 0.3,
        fail_fast=chance.random() < 0.2,
        order=Order(places={cell.id: float(chance.randint(0, 9)) for cell in cells}),
    ), work


def place(task: Task, sequence: int) -> tuple[float, ...]:
    return task.lane, task.order, sequence


def performed(
    scheduler: Scheduler, work: testing.FakeWorker, chance: random.Random, *, everywhere: bool
) -> list[Event]:
    """Perform a run: two tasks at once, a random one ends. `everywhere`: each event looks at all that waits."""
    ((events, first),) = scheduler.start()
    ready, running, places = list(zip(itertools.count(), first, strict=False)), list[Task](), itertools.count(10**6)
    while running or (ready and not scheduler.is_stopping):
        ready.sort(key=lambda item: place(item[1], item[0]))
        while ready and len(running) < 2 and not scheduler.is_stopping:
            running.append(ready.pop(0)[1])
        task = running.pop(chance.randrange(len(running)))
        if everywhere:
            scheduler._prerequisites.changes += 1  # noqa: SLF001  (as if a wheel or an interpreter had come)
        more, new = scheduler.done(task, work.execute(task, events.append))
        events += more
        ready += zip(places, new, strict=False)
    return [*events, *scheduler.finish()]


@given(st.integers(0, 2**32))
def test_looking_at_what_changed_finds_what_looking_at_all_finds(seed: int) -> None:
    """The events of a run are the same, whether each event looks at what it changed or at everything that waits."""
    found = []
    for everywhere in (False, True):
        chance = random.Random(seed)
        request, work = random_run(chance)
        scheduler = Scheduler(request, cached=work.cached, append_log=work.append_log)
        found.append(performed(scheduler, work, chance, everywhere=everywhere))
    assert found[0] == found[1]
    results = [event.result for event in found[0] if isinstance(event, CellFinished)]
    assert {item.cell.id for item in request.plan.cells} == {result.id for result in results}
    assert not [result.id for result in results if "bug" in result.reason]


class Script:
    """A scheduler of tasks that follow each other: of each that ends, the next two of a list become ready."""

    is_stopping = False

    def __init__(self, tasks: list[Task]) -> None:
        self.tasks = tasks

    def start(self) -> list[tuple[list[Event], list[Task]]]:
        return [([], self._next(len(self.tasks) // 2 + 1))]

    def done(self, _task: Task, _result: TaskResult) -> tuple[list[Event], list[Task]]:
        return [], self._next(2)

    def finish(self) -> list[Event]:
        return []

    def _next(self, number: int) -> list[Task]:
        taken, self.tasks = self.tasks[:number], self.tasks[number:]
        return taken


def plain_order(script: Script, slots: Slots) -> list[tuple[str, int]]:
    """Return the keys of tasks in the order of their start, with their workers: all are looked at each time."""
    ready, running, started = script.start()[0][1], list[tuple[Task, int]](), list[tuple[str, int]]()
    while ready or running:
        for task in sorted(ready, key=lambda task: (task.lane, task.order)):  # sorting keeps the order of equals
            resolves = task.lane is Lane.RESOLVE
            taken = {number for other, number in running if (other.lane is Lane.RESOLVE) is resolves}
            if len(taken) < (slots.network if resolves else slots.cpu):
                worker = next(number for number in itertools.count(1) if number not in taken)
                ready.remove(task)
                running.append((task, worker))
                started.append((task.key, worker))
        ended, _ = running.pop(0)
        ready += script.done(ended, CompileDone(files=0))[1]
    return started


@given(
    st.lists(st.tuples(st.sampled_from(Lane), st.integers(0, 3)), min_size=1, max_size=30),
    st.integers(1, 4),
    st.integers(1, 4),
)
def test_tasks_start_in_the_order_of_a_plain_list(drawn: list[tuple[Lane, int]], cpu: int, network: int) -> None:
    """Tasks of each lane go by their order, tests before builds; each gets the lowest number that is free."""
    kinds = {Lane.TEST: check, Lane.BUILD: build, Lane.RESOLVE: resolve}
    tasks = [kinds[lane](f"c{number}", float(order)) for number, (lane, order) in enumerate(drawn)]
    slots, started = Slots(cpu=cpu, network=network), list[tuple[str, int]]()

    def execute(task: Task, post: Post) -> TaskResult:
        post(StageStarted(cell=task.key, stage=Stage.TEST))
        return CompileDone(files=0)

    for event in loop.run(Script(tasks), testing.FakeExecutor(execute=execute, slots=slots)):
        assert isinstance(event, StageStarted)
        started.append((event.cell, event.worker))
    assert plain_order(Script(tasks), slots) == started


def calls_of(request: RunRequest, work: testing.FakeWorker) -> int:
    """Return how many functions of venvgrid's scheduling a run calls."""
    folder, counted = str(Path(loop.__file__).parent), Counter[str]()

    def count(frame: FrameType, event: str, _argument: object) -> None:
        if event == "call" and frame.f_code.co_filename.startswith(folder):
            counted[frame.f_code.co_name] += 1  # the next item of a generator is a call, too

    scheduler = Scheduler(request, cached=work.cached, append_log=work.append_log)
    before = sys.getprofile()
    sys.setprofile(count)
    try:
        events = sum(1 for _ in loop.run(scheduler, testing.FakeExecutor(execute=work.execute)))
    finally:
        sys.setprofile(before)
    assert events > len(request.plan.cells)
    assert len(scheduler.state.results) == len(request.plan.cells)
    return counted.total()


HERE = {"3.9": testing.interpreter("3.9.18"), "3.12": testing.interpreter("3.12.1")}


@pytest.mark.parametrize("kind", ["own", "shared", "locked", "dynamic", "changing", "missing"])
def test_twice_the_cells_take_twice_the_steps(kind: str) -> None:
    """The steps of a run grow with its cells, not with their square, whatever they wait for."""

    def steps(size: int) -> int:
        numbers = [str(number) for number in range(size)]
        request = asked({"python": list(HERE), "env.A" if kind in {"shared", "changing"} else "six": numbers}, HERE)
        cells, work = [item.cell for item in request.plan.cells], testing.FakeWorker()
        if kind == "locked":
            locked = {cell.id: work.entry(cell, HERE[cell.axes["python"]]) for cell in cells}
            request = replace(request, locked=locked)
        if kind == "dynamic":
            request = replace(request, metadata=None, depends_on_python=True)
        if kind == "changing":
            work.changing = frozenset(cell.id for cell in cells)
        if kind == "missing":
            away: dict[str, Interpreter | str] = dict.fromkeys(HERE, "none")
            stand_ins = {name: replace(found, executable="") for name, found in HERE.items()}
            request = replace(request, interpreters=away, surrogates=stand_ins, download=True)
            work.downloads = {"3.9": HERE["3.9"]}
        return calls_of(request, work)

    small, large = steps(60), steps(120)
    assert large < 2.1 * small


def test_a_cell_that_is_resolved_after_its_environment_was_built_is_tested_in_it() -> None:
    """Two versions that resolve alike: the build for the first cell is over when the second one joins."""
    work = testing.FakeWorker()
    request = asked({"python": ["3.12"], "six": ["1.15", "1.16"]}, HERE)
    first, second = (item.cell for item in request.plan.cells)
    work.answers = dict.fromkeys((first.id, second.id), work.entry(first, HERE["3.12"]))
    scheduler = Scheduler(request, cached=work.cached, append_log=work.append_log)
    list(loop.run(scheduler, testing.FakeExecutor(execute=work.execute)))
    assert {name: result.outcome for name, result in scheduler.state.results.items()} == dict.fromkeys(
        (first.id, second.id), Outcome.PASSED
    )
    assert [step for step, _ in work.calls].count("build") == 1


def test_a_cell_that_is_resolved_after_its_build_failed_asks_for_it_again() -> None:
    """It ends with the same reason as the first one, not without a result."""
    work = testing.FakeWorker()
    request = asked({"python": ["3.12"], "six": ["1.15", "1.16"]}, HERE)
    cells = [item.cell.id for item in request.plan.cells]
    work.answers = dict.fromkeys(cells, work.entry(request.plan.cells[0].cell, HERE["3.12"]))
    work.build_problems = dict.fromkeys(cells, "no compiler")
    scheduler = Scheduler(request, cached=work.cached, append_log=work.append_log)
    list(loop.run(scheduler, testing.FakeExecutor(execute=work.execute)))
    assert {result.reason for result in scheduler.state.results.values()} == {"no compiler"}
    assert set(scheduler.state.results) == set(cells)


def cell(name: str) -> Cell:
    return Cell(id=name, axes={"python": "3.12", "name": name})


def check(name: str, order: float) -> Task:
    entry = testing.FakeWorker().entry(cell(name), HERE["3.12"])
    return TestTask(cell=cell(name), entry=entry, environment=testing.environment(entry), project=None, order=order)


def build(name: str, order: float) -> Task:
    entry = testing.FakeWorker().entry(cell(name), HERE["3.12"])
    return BuildTask(entry=entry, wheel=None, cells=(cell(name),), order=order)


def resolve(name: str, order: float) -> Task:
    return ResolveTask(cells=(cell(name),), interpreter=HERE["3.12"], metadata=None, order=order)
