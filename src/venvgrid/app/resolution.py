"""The use case "resolve": which cells of a plan can exist, with which distributions.

Where only a build tells the project's requirements, a wheel is built: one, or one for each Python that may get others.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from venvgrid.app import assembly
from venvgrid.app.request import interpreters_for, locked_answers, runnable
from venvgrid.installers.base import ResolveFailed, Unresolvable
from venvgrid.model import InfrastructureError, PlannedCell, Status
from venvgrid.processes.diagnosis import headline
from venvgrid.processes.parallel import map_parallel
from venvgrid.project.metadata import ProjectError
from venvgrid.reporters import text
from venvgrid.running.executors.base import Slots
from venvgrid.running.prerequisites import best_builder

if TYPE_CHECKING:
    from collections.abc import Mapping

    from venvgrid.app.context import RunContext
    from venvgrid.model import Cell, Interpreter, LockEntry, Plan
    from venvgrid.project.metadata import Metadata
    from venvgrid.running.tasks import CellAnswer

MAX_CELLS = 4  # that a note names
ONLY_A_BUILD = "only a build of the project tells what it requires (--no-build)"
TOLD_BY_A_BUILD = "only a build tells what the project requires: its build was run (plan without it: --no-build)"
TASK_ERRORS = (ProjectError, InfrastructureError, OSError)


@dataclass(frozen=True, slots=True, kw_only=True)
class ResolvedPlan:
    """A plan whose cells are resolved.

    `interpreters` are by the value of the python axis, surrogates among them; so are the project's `metadata`.
    """

    plan: Plan
    entries: Mapping[str, LockEntry]
    interpreters: Mapping[str, Interpreter]
    metadata: Mapping[str, Metadata | None]


def resolve(context: RunContext, plan: Plan) -> ResolvedPlan:
    """Resolve all cells of a plan that are to run.

    Raises:
        ConfigError, LockError: the project or the lock does not fit the configuration.
        KeyboardInterrupt: the user stopped it.
    """
    context.project.check()
    cells = runnable(plan)
    chosen, surrogates = interpreters_for(context, cells)
    interpreters = {**surrogates, **{value: item for value, item in chosen.items() if not isinstance(item, str)}}
    answers = dict(locked_answers(context, cells, chosen)) if context.options.locked else {}
    unresolved = [cell for cell in cells if cell.id not in answers and cell.axes["python"] in interpreters]
    with context.front.listening(context.machine.cancellation.set):
        told = _metadata(context, {cell.axes["python"]: chosen[cell.axes["python"]] for cell in unresolved})
        metadata = {value: item for value, item in told.items() if not isinstance(item, ResolveFailed)}
        problems = {value: item for value, item in told.items() if isinstance(item, ResolveFailed)}
        answers |= {cell.id: problems[value] for cell in unresolved if (value := cell.axes["python"]) in problems}
        known_cells = [cell for cell in unresolved if cell.axes["python"] in metadata]
        answers |= _answers(context, known_cells, interpreters, metadata)
    if context.machine.cancellation.is_set():
        raise KeyboardInterrupt
    planned = []
    entries: dict[str, LockEntry] = {}
    for item in plan.cells:
        missing = chosen.get(item.cell.axes["python"])
        answer = answers.get(item.cell.id)
        if item.status is not Status.RUNNABLE:
            planned.append(item)
        elif isinstance(answer, Unresolvable):
            planned.append(_planned(context, item, Status.IMPOSSIBLE, answer.reason, answer.words))
        elif isinstance(missing, str):
            planned.append(_planned(context, item, Status.MISSING_INTERPRETER, missing))
        elif isinstance(answer, ResolveFailed):
            planned.append(_planned(context, item, Status.FAILED, answer.reason, answer.words))
        elif answer is not None:
            planned.append(item)
            entries[item.cell.id] = answer
    known = replace(plan, cells=tuple(planned))
    return ResolvedPlan(plan=known, entries=entries, interpreters=interpreters, metadata=metadata)


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


def _metadata(
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
    interpreters: Mapping[str, Interpreter],
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
            found = resolvers[value].resolve(some[0], interpreters[value])
        except TASK_ERRORS as error:
            found = ResolveFailed(reason=headline(str(error)))
        if isinstance(found, ResolveFailed):
            return ResolveFailed(reason=f"could not be resolved: {found.reason}")
        return found

    workers = Slots.for_workers(context.options.workers).network
    found = map_parallel(answer, groups.values(), workers=workers)
    return {cell.id: item for some, item in zip(groups.values(), found, strict=True) for cell in some}
