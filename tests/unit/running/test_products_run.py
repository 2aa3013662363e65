"""Runs of a product: what a list of its cells gives, but begun before its cells are made."""

from __future__ import annotations

import itertools
import json
import random
import sys
import tracemalloc
from dataclasses import replace
from datetime import UTC, datetime
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING

import jsonschema  # type: ignore[import-untyped] # it has no types
import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_growing_grids import HERE, asked, check, random_run

import venvgrid
from venvgrid import testing
from venvgrid.analysis import history, prioritisation
from venvgrid.app.plan import by_platform
from venvgrid.config import loading
from venvgrid.model import CellFinished, ExitStatus, Outcome, Plan, Product, Rule, RunStarted
from venvgrid.planning import expansion
from venvgrid.processes.redaction import Redactor
from venvgrid.reporters.terminal.progress import Progress
from venvgrid.results import journal, run_folders
from venvgrid.results.report import ReportBuilder, build_report
from venvgrid.running import loop, run_state
from venvgrid.running.executors.base import Slots
from venvgrid.running.request import RunRequest
from venvgrid.running.scheduler import Scheduler
from venvgrid.running.tasks import CompileDone, Task, TaskResult, TestTask

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType

    from venvgrid.model import Event
    from venvgrid.running.executors.base import Deliver, Post

COUNT = 1_000_000


class FirstTestError(Exception):
    """The first test of a cell is to start."""


class UntilFirst(testing.FakeExecutor):
    """An executor that starts no test."""

    def submit(self, task: Task, deliver: Deliver) -> None:
        """Do what comes before the first test."""
        if isinstance(task, TestTask):
            raise FirstTestError
        super().submit(task, deliver)


def as_product(request: RunRequest) -> RunRequest:
    return replace(request, plan=expansion.expand(request.config, keep=0), order=prioritisation.Order())


def performed(request: RunRequest, work: testing.FakeWorker) -> list[Event]:
    scheduler = Scheduler(request, cached=work.cached, append_log=work.append_log)
    return list(loop.run(scheduler, testing.FakeExecutor(execute=work.execute)))


@given(st.integers(0, 2**32), st.integers(1, 4))
def test_a_product_has_the_results_of_its_list(seed: int, at_once: int) -> None:
    """Law: whatever fails, is missing, locked or recorded, each cell has the outcome that it has in a listed plan."""
    found = []
    for change in (lambda request: request, as_product):
        request, work = random_run(random.Random(seed))
        recorded = frozenset(cell for cell in work.unchanged if cell in request.locked)
        cells = [item.cell for item in request.plan.cells]
        broken = {cell.versions for cell in cells if cell.id in work.build_problems}  # whichever cell asks for it
        work.build_problems = {cell.id: "boom" for cell in cells if cell.versions in broken}
        work.answers = {} if work.wheel_problem else work.answers  # which of the two comes first is a matter of time
        request = change(replace(request, fail_fast=False, recorded=recorded))
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(run_state, "AT_ONCE", at_once)
            events = performed(request, work)
        found.append(build_report(events))
    listed, made = found
    assert {item.id: (item.outcome, item.reason) for item in listed.cells} == {
        item.id: (item.outcome, item.reason) for item in made.cells
    }
    assert [item.id for item in listed.cells] == [item.id for item in made.cells]
    assert (listed.exit_status, listed.excluded) == (made.exit_status, made.excluded)


def begun(side: int) -> None:
    """Do all that a run does before its first test, but for processes and files."""
    numbers = json.dumps([f"1.{number}" for number in range(side)])
    text = f'[axes]\npython = ["3.9", "3.10", "3.11", "3.12"]\nnumpy = {numbers}\nsix = {numbers}'
    config = loading.parse(text, file=Path.cwd() / "matrix.toml")
    plan = by_platform(expansion.expand(config, keep=100), "linux-x86_64")
    assert isinstance(plan.cells, Product)
    request = RunRequest(
        config=config,
        plan=plan,
        interpreters={value: testing.interpreter(f"{value}.1") for value in plan.values("python")},
        metadata=None,
        run="r",
        time="t",
        version="0",
        order=prioritisation.order(plan.cells, {}),
    )
    work = testing.FakeWorker()
    scheduler = Scheduler(request, cached=work.cached, append_log=work.append_log)
    builder, progress = ReportBuilder(), Progress()
    redactor = Redactor.from_environ({"TOKEN": "a-secret-text"})
    for event in redactor.events(loop.run(scheduler, UntilFirst(execute=work.execute))):
        journal.encode(event)
        builder.add(event)
        progress.add(event)


def test_the_first_cell_of_a_million_starts_as_soon_as_that_of_a_thousand() -> None:
    """What is done before the first test grows with the values of the axes, not with the cells; so does the memory."""
    steps, folder = [0], str(Path(venvgrid.__file__).parent)

    def count(frame: FrameType, event: str, _argument: object) -> None:
        steps[0] += event == "call" and frame.f_code.co_filename.startswith(folder)

    counted = []
    for side in (16, 500):
        steps[0] = 0
        before = sys.getprofile()
        sys.setprofile(count)
        try:
            with pytest.raises(FirstTestError):
                begun(side)
        finally:
            sys.setprofile(before)
        counted.append(steps[0])
    values = 2 * (500 - 16)
    assert counted[1] < 1.2 * counted[0] + 100 * values
    tracemalloc.start()
    try:
        with pytest.raises(FirstTestError):
            begun(500)
        assert tracemalloc.get_traced_memory()[1] < 20_000_000
    finally:
        tracemalloc.stop()


def test_the_journal_of_a_product_has_its_axes(tmp_path: Path) -> None:
    """The first line of a journal holds the axes of a million cells, not the cells; a report reads them again."""
    numbers = [str(number) for number in range(500)]
    request = asked({"python": [*HERE, "3.10", "3.11"], "numpy": numbers, "six": numbers}, HERE)
    assert len(request.plan.cells) == COUNT
    scheduler = Scheduler(request, cached=lambda *_: None, append_log=lambda *_: "")
    path = tmp_path / "events.jsonl"
    with journal.Journal(path) as write:
        write(scheduler.state.started())
    assert path.stat().st_size < 50_000
    (event,) = journal.read(path)
    assert isinstance(event, RunStarted)
    assert event.plan == request.plan


def test_the_first_line_of_a_product_fits_the_schema() -> None:
    """Plans with a list of cells, and with axes and excluded values, are lines of the public format."""
    schema = json.loads((resources.files("venvgrid") / "model/schemas/events.schema.json").read_text(encoding="utf-8"))
    check_line = jsonschema.Draft202012Validator(schema).validate
    listed = asked({"python": list(HERE), "six": ["1.15", "1.16"]}, HERE)
    rule = Rule(path="exclude[0]", keys={"six": ("1.15",)})
    listed = replace(listed, config=replace(listed.config, excludes=(rule,)))
    for request in (listed, as_product(listed)):
        started = Scheduler(request, cached=lambda *_: None, append_log=lambda *_: "").state.started()
        line = json.loads(journal.encode(started))
        check_line(line)
        assert isinstance(line["plan"]["cells"], dict) is isinstance(request.plan.cells, Product)


def test_a_run_that_is_stopped_has_no_results_of_cells_that_it_has_not_come_to() -> None:
    """The report tells of them that there is none, and is not green; to write a million of them would take an hour."""
    numbers = [str(number) for number in range(50)]
    request = as_product(asked({"python": list(HERE), "six": numbers}, HERE))
    work = testing.FakeWorker()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(run_state, "AT_ONCE", 2)
        scheduler = Scheduler(request, cached=work.cached, append_log=work.append_log)
        events = []
        for event in loop.run(scheduler, testing.FakeExecutor(execute=work.execute)):
            events.append(event)
            if isinstance(event, CellFinished):
                scheduler.stop()
    report = build_report(events)
    assert sum(isinstance(event, CellFinished) for event in events) < 50
    assert len(report.cells) == 100
    assert {Outcome.PASSED, Outcome.CANCELLED} == {cell.outcome for cell in report.cells}
    assert report.exit_status == ExitStatus.INTERRUPTED


def test_the_history_of_a_killed_run_has_what_has_ended(tmp_path: Path) -> None:
    """Of a product whose run was killed, the cells with a result are known, and no other: a million are not listed."""
    numbers = [str(number) for number in range(50)]
    request = as_product(asked({"python": list(HERE), "six": numbers}, HERE))
    folder = run_folders.create(tmp_path, now=datetime(2026, 1, 1, tzinfo=UTC))
    with journal.Journal(folder.events) as write, pytest.MonkeyPatch.context() as patch:
        patch.setattr(run_state, "AT_ONCE", 2)
        work = testing.FakeWorker()
        scheduler = Scheduler(request, cached=work.cached, append_log=work.append_log)
        for event in itertools.islice(loop.run(scheduler, testing.FakeExecutor(execute=work.execute)), 30):
            write(event)
    ended = {name for step, name in work.calls if step == "test"}
    assert len(ended) < 20
    known = history.last(tmp_path)
    assert known
    assert known.keys() <= ended


class Parts:
    """A scheduler of tasks in parts of ten; `given` counts those that it was asked for."""

    is_stopping = False

    def __init__(self) -> None:
        self.given = self.begun = 0

    def start(self) -> Iterator[tuple[list[Event], list[Task]]]:
        for number in range(20):
            self.given += 1
            yield [], [check(f"{number}-{place}", 0.0) for place in range(10)]
            yield [], []

    def done(self, _task: Task, _result: TaskResult) -> tuple[list[Event], list[Task]]:
        return [], []

    def finish(self) -> list[Event]:
        return []


def test_the_next_part_is_asked_for_when_few_tasks_are_left() -> None:
    """After a pause the scheduler is asked when a slot could soon be without a task, and all parts are done."""
    parts, slots, done = Parts(), Slots(cpu=1, network=1), []

    def execute(task: Task, _post: Post) -> TaskResult:
        done.append(task.key)
        assert 10 * parts.given - len(done) < 10 + loop.AHEAD * (slots.cpu + slots.network)
        return CompileDone(files=0)

    assert list(loop.run(parts, testing.FakeExecutor(execute=execute, slots=slots))) == []
    assert len({*done}) == 200


def test_progress_of_a_product_counts_without_its_cells() -> None:
    """The number of cells, and the time that is left by the mean of those that ended."""
    request = as_product(asked({"python": list(HERE), "six": ["1.15", "1.16"]}, HERE))
    progress = Progress()
    work = testing.FakeWorker()
    for event in performed(request, work):
        progress.add(event)
        if isinstance(event, RunStarted):
            assert isinstance(event.plan, Plan)
            assert isinstance(event.plan.cells, Product)
            assert (progress.total, progress.finished) == (4, 0)
            assert progress.left({"py3.9-six1.15": 2.0}, 0.0) == pytest.approx(8.0)
    assert (progress.total, progress.finished, progress.unseen) == (4, 4, 0)
