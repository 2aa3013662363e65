"""The use case "resolve": which cells of a plan can exist, with which distributions. Nothing is built but a wheel."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from venvgrid.app import assembly
from venvgrid.app.request import interpreters_for, locked_answers, runnable
from venvgrid.environments.builder import BuildError
from venvgrid.installers.base import ResolveFailed, Unresolvable
from venvgrid.model import InfrastructureError, PlannedCell, Status
from venvgrid.processes.diagnosis import headline
from venvgrid.processes.parallel import map_parallel
from venvgrid.project.metadata import ProjectError
from venvgrid.running.executors.base import Slots
from venvgrid.running.prerequisites import best_builder

if TYPE_CHECKING:
    from collections.abc import Mapping

    from venvgrid.app.context import RunContext
    from venvgrid.model import Cell, Interpreter, LockEntry, Plan
    from venvgrid.project.metadata import Metadata
    from venvgrid.running.tasks import CellAnswer

TASK_ERRORS = (ProjectError, BuildError, InfrastructureError, OSError)


@dataclass(frozen=True, slots=True, kw_only=True)
class ResolvedPlan:
    """A plan whose cells are resolved. `interpreters` are by the value of the python axis, surrogates among them."""

    plan: Plan
    entries: Mapping[str, LockEntry]
    interpreters: Mapping[str, Interpreter]
    metadata: Metadata | None


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
    with context.front.listening(context.cancellation.set):
        metadata, problem = _metadata(context, [chosen[cell.axes["python"]] for cell in unresolved])
        if problem is not None:
            answers |= {cell.id: problem for cell in unresolved}
        else:
            answers |= _answers(context, unresolved, interpreters, metadata)
    if context.cancellation.is_set():
        raise KeyboardInterrupt
    planned = []
    entries: dict[str, LockEntry] = {}
    for item in plan.cells:
        missing = chosen.get(item.cell.axes["python"])
        answer = answers.get(item.cell.id)
        if item.status is not Status.RUNNABLE:
            planned.append(item)
        elif isinstance(answer, Unresolvable):
            planned.append(_planned(context, item, Status.IMPOSSIBLE, answer.reason))
        elif isinstance(missing, str):
            planned.append(_planned(context, item, Status.MISSING_INTERPRETER, missing))
        elif isinstance(answer, ResolveFailed):
            planned.append(_planned(context, item, Status.FAILED, answer.reason))
        elif answer is not None:
            planned.append(item)
            entries[item.cell.id] = answer
    known = replace(plan, cells=tuple(planned))
    return ResolvedPlan(plan=known, entries=entries, interpreters=interpreters, metadata=metadata)


def _planned(context: RunContext, item: PlannedCell, status: Status, reason: str) -> PlannedCell:
    return replace(item, status=status, reason=context.redactor.text(reason))


def _metadata(
    context: RunContext, interpreters: list[Interpreter | str]
) -> tuple[Metadata | None, ResolveFailed | None]:
    """Return the metadata of the project, from a wheel if need be, or why there are none."""
    if context.project.metadata is not None or not context.installs:
        return context.project.metadata, None
    builder = best_builder(item for item in interpreters if not isinstance(item, str))
    if builder is None:
        return None, ResolveFailed(reason="no interpreter here can build the project")
    try:
        wheel = assembly.make_wheel_cache(context).wheel(builder, context.project.source_digest)
    except TASK_ERRORS as error:
        return None, ResolveFailed(reason=f"the project could not be built: {headline(str(error))}")
    return wheel.metadata, None


def _answers(
    context: RunContext, cells: list[Cell], interpreters: Mapping[str, Interpreter], metadata: Metadata | None
) -> dict[str, CellAnswer]:
    """Resolve cells, those that differ only in variables once."""
    groups: defaultdict[object, list[Cell]] = defaultdict(list)
    for cell in cells:
        groups[cell.versions].append(cell)
    resolver = assembly.make_resolver(context, metadata)

    def answer(some: list[Cell]) -> CellAnswer:
        try:
            found = resolver.resolve(some[0], interpreters[some[0].axes["python"]])
        except TASK_ERRORS as error:
            found = ResolveFailed(reason=headline(str(error)))
        if isinstance(found, ResolveFailed):
            return ResolveFailed(reason=f"could not be resolved: {found.reason}")
        return found

    workers = Slots.for_workers(context.options.workers).network
    found = map_parallel(answer, groups.values(), workers=workers)
    return {cell.id: item for some, item in zip(groups.values(), found, strict=True) for cell in some}
