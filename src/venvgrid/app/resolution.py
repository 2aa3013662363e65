"""The use case "resolve": which cells of a plan can exist, with which distributions.

Where only a build tells the project's requirements, a wheel is built: one, or one for each Python that may get others.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from typing import TYPE_CHECKING

from venvgrid.app import assembly
from venvgrid.app.request import elsewhere, interpreters_for, locked_answers, runnable
from venvgrid.config import loading
from venvgrid.installers.base import ResolveFailed, Unresolvable
from venvgrid.interpreters.elsewhere import interpreter_on
from venvgrid.model import InfrastructureError, LockEntry, PlannedCell, Status, UsageError
from venvgrid.model.values import dataclass
from venvgrid.processes.diagnosis import headline
from venvgrid.processes.parallel import map_parallel
from venvgrid.project.metadata import ProjectError
from venvgrid.reporters import text
from venvgrid.running.executors.base import Slots
from venvgrid.running.prerequisites import best_builder

if TYPE_CHECKING:
    from collections.abc import Mapping

    from venvgrid.app.context import RunContext
    from venvgrid.model import Cell, Interpreter, Plan
    from venvgrid.project.metadata import Metadata
    from venvgrid.running.tasks import CellAnswer

    Kind = tuple[str, str]

MAX_CELLS = 4  # that a note names
ONLY_A_BUILD = "only a build of the project tells what it requires (--no-build)"
TOLD_BY_A_BUILD = "only a build tells what the project requires: its build was run (plan without it: --no-build)"
ASKED_HERE = "what the project requires was asked of a build on another platform"
TASK_ERRORS = (ProjectError, InfrastructureError, OSError)


@dataclass(frozen=True, slots=True, kw_only=True)
class ResolvedPlan:
    """A plan whose cells are resolved.

    `unbuilt` are the entries of cells whose interpreter is missing here. `interpreters` are by the values of the axes
    python and platform, surrogates among them; the project's `metadata` are by the former.
    """

    plan: Plan
    entries: Mapping[str, LockEntry]
    unbuilt: Mapping[str, LockEntry]
    interpreters: Mapping[Kind, Interpreter]
    metadata: Mapping[str, Metadata | None]


def resolve(context: RunContext, plan: Plan) -> ResolvedPlan:
    """Resolve all cells of a plan that are to run, here or elsewhere.

    Raises:
        ConfigError, LockError: the project or the lock does not fit the configuration.
        UsageError: they are too many to be held in memory with their locks.
        KeyboardInterrupt: the user stopped it.
    """
    number = sum(sum(plan.values("python", status=status).values()) for status in (Status.RUNNABLE, Status.ELSEWHERE))
    if number > loading.MAX_CELLS:
        most = f"at most {loading.MAX_CELLS:,} can be resolved together"
        raise UsageError(f"{number:,} cells; {most}: choose some of them with -k, or run them: venvgrid run")
    context.project.check()
    here, others = runnable(plan), elsewhere(plan)
    chosen, surrogates = interpreters_for(context, [cell.axes["python"] for cell in (*here, *others)])
    known = {**surrogates, **{value: item for value, item in chosen.items() if not isinstance(item, str)}}
    interpreters = {kind_of(cell): known[cell.axes["python"]] for cell in here if cell.axes["python"] in known}
    answers: dict[str, CellAnswer] = {}
    for cell in others:
        found = _interpreter_on(cell, known, chosen)
        if isinstance(found, ResolveFailed):
            answers[cell.id] = found
        else:
            interpreters[kind_of(cell)] = found
    answers |= dict(locked_answers(context, here, chosen)) if context.options.locked else {}
    unresolved = [cell for cell in (*here, *others) if cell.id not in answers and kind_of(cell) in interpreters]
    with context.front.listening(context.machine.cancellation.set):
        told = metadata_of(context, {cell.axes["python"]: chosen[cell.axes["python"]] for cell in unresolved})
        metadata = {value: item for value, item in told.items() if not isinstance(item, ResolveFailed)}
        problems = {value: item for value, item in told.items() if isinstance(item, ResolveFailed)}
        answers |= {cell.id: problems[value] for cell in unresolved if (value := cell.axes["python"]) in problems}
        known_cells = [cell for cell in unresolved if cell.axes["python"] in metadata]
        answers |= _answers(context, known_cells, interpreters, metadata)
    if context.machine.cancellation.is_set():
        raise KeyboardInterrupt
    cells, entries, unbuilt = _with_answers(context, plan, answers, chosen)
    return ResolvedPlan(
        plan=replace(plan, cells=cells), entries=entries, unbuilt=unbuilt, interpreters=interpreters, metadata=metadata
    )


def kind_of(cell: Cell) -> Kind:
    """Return what decides about the interpreter of a cell: the values of the axes python and platform."""
    return cell.axes["python"], cell.platform


def _with_answers(
    context: RunContext,
    plan: Plan,
    answers: Mapping[str, CellAnswer],
    chosen: Mapping[str, Interpreter | str],
) -> tuple[tuple[PlannedCell, ...], dict[str, LockEntry], dict[str, LockEntry]]:
    """Return the cells with what is known of them now, the lock entries, and those of cells without interpreter."""
    planned = []
    entries: dict[str, LockEntry] = {}
    unbuilt: dict[str, LockEntry] = {}
    for item in plan.cells:
        missing = chosen.get(item.cell.axes["python"]) if item.status is Status.RUNNABLE else None
        answer = answers.get(item.cell.id)
        if item.status not in {Status.RUNNABLE, Status.ELSEWHERE}:
            planned.append(item)
        elif isinstance(answer, Unresolvable):
            planned.append(_planned(context, item, Status.IMPOSSIBLE, answer.reason, answer.words))
        elif isinstance(missing, str):
            planned.append(_planned(context, item, Status.MISSING_INTERPRETER, missing))
            unbuilt |= {item.cell.id: answer} if isinstance(answer, LockEntry) else {}
        elif isinstance(answer, ResolveFailed) and answer.is_open:
            planned.append(_planned(context, item, item.status, f"{item.reason}; {answer.reason}"))
        elif isinstance(answer, ResolveFailed):
            planned.append(_planned(context, item, Status.FAILED, answer.reason, answer.words))
        elif answer is not None:
            planned.append(item)
            entries[item.cell.id] = answer
    return tuple(planned), entries, unbuilt


def _interpreter_on(
    cell: Cell, known: Mapping[str, Interpreter], chosen: Mapping[str, Interpreter | str]
) -> Interpreter | ResolveFailed:
    """Return the interpreter of a cell on another platform, as far as it is known here."""
    value = cell.axes["python"]
    if "/" in value or "\\" in value:
        return ResolveFailed(reason=f"{value} is a place on this machine: for {cell.platform}, write a version")
    if value not in known:
        return ResolveFailed(reason=f"could not be resolved here: {chosen[value]}", is_open=True)
    return interpreter_on(cell.platform, known[value])


def tell_notes(context: RunContext, resolved: ResolvedPlan) -> None:
    """Tell the user the notes of lock entries, each once, and whether a build of the project was run.

    Planning runs no other code of the project.
    """
    found: dict[str, list[str]] = {}
    for cell, entry in resolved.entries.items():
        for note in entry.notes:
            found.setdefault(note, []).append(cell)
    for note, cells in found.items():
        context.front.notify(f"note: {note} ({text.some(cells, MAX_CELLS)})")
    if context.project.build.built:
        context.front.notify(f"note: {TOLD_BY_A_BUILD}")


def _planned(context: RunContext, item: PlannedCell, status: Status, reason: str, words: str = "") -> PlannedCell:
    return replace(
        item, status=status, reason=context.machine.redactor.text(reason), words=context.machine.redactor.text(words)
    )


def metadata_of(
    context: RunContext, interpreters: Mapping[str, Interpreter | str]
) -> dict[str, Metadata | ResolveFailed | None]:
    """Return the metadata of the project by the value of the python axis, or why there are none.

    They come from a wheel if need be: that of each interpreter, or one for all.
    """
    if context.project.metadata is not None or not context.installs:
        return dict.fromkeys(interpreters, context.project.metadata)
    if context.options.no_build:
        return dict.fromkeys(interpreters, ResolveFailed(reason=ONLY_A_BUILD))
    here = {value: item for value, item in interpreters.items() if not isinstance(item, str)}
    none = ResolveFailed(reason="no interpreter here can build the project")
    cache = context.project_wheels
    told: dict[str, Metadata | ResolveFailed | None]

    def build(interpreter: Interpreter) -> Metadata | ResolveFailed:
        try:
            return cache.wheel(interpreter).metadata
        except TASK_ERRORS as error:
            return ResolveFailed(reason=f"the project could not be built: {headline(str(error))}")

    best = None if context.project.depends_on_python else best_builder(here.values())
    shared = none if best is None else build(best)
    if isinstance(shared, ResolveFailed):
        built = map_parallel(build, here.values(), workers=context.options.workers)
        told = {**dict.fromkeys(interpreters, none), **dict(zip(here, built, strict=True))}
    else:
        told = dict.fromkeys(interpreters, shared)
    return told


def _answers(
    context: RunContext,
    cells: list[Cell],
    interpreters: Mapping[Kind, Interpreter],
    metadata: Mapping[str, Metadata | None],
) -> dict[str, CellAnswer]:
    """Resolve cells, those that differ only in variables once."""
    groups: defaultdict[object, list[Cell]] = defaultdict(list)
    for cell in cells:
        groups[cell.versions].append(cell)
    resolvers = {value: assembly.make_resolver(context, item) for value, item in metadata.items()}

    def answer(some: list[Cell]) -> CellAnswer:
        value = some[0].axes["python"]
        try:
            found = resolvers[value].resolve(some[0], interpreters[kind_of(some[0])])
        except TASK_ERRORS as error:
            found = ResolveFailed(reason=headline(str(error)))
        if isinstance(found, ResolveFailed):
            return replace(found, reason=f"could not be resolved{' here' if found.is_open else ''}: {found.reason}")
        if (
            isinstance(found, LockEntry)
            and interpreters[kind_of(some[0])].elsewhere
            and context.project.depends_on_python
        ):
            return replace(found, notes=(*found.notes, ASKED_HERE))
        return found

    workers = Slots.for_workers(context.options.workers).network
    found = map_parallel(answer, groups.values(), workers=workers)
    return {cell.id: item for some, item in zip(groups.values(), found, strict=True) for cell in some}
