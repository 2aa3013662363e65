"""What a run tells of the cells of other platforms: those that cannot exist, as a plan has them."""

from __future__ import annotations

import time
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING

from venvgrid.model import (
    CellFinished,
    CellPlanned,
    ExitStatus,
    Outcome,
    RunFinished,
    Status,
    VenvgridError,
)
from venvgrid.resolving import lockfile
from venvgrid.results.exit_status import exit_status
from venvgrid.running.tasks import base_result

if TYPE_CHECKING:
    from collections.abc import Iterator

    from venvgrid.app.context import RunContext
    from venvgrid.model import Event, Plan, PlannedCell
    from venvgrid.results.report import ReportBuilder


def with_others(events: Iterator[Event], context: RunContext, plan: Plan, builder: ReportBuilder) -> Iterator[Event]:
    """Return the events of a run; before its end, the cells of other platforms that cannot exist.

    They come last: the cells of this machine do not wait for them, and no round of `watch` does.
    """
    has_others = plan.values("python", status=Status.ELSEWHERE) and not context.options.is_round
    return _with_others(events, context, plan, builder) if has_others else events


def _with_others(events: Iterator[Event], context: RunContext, plan: Plan, builder: ReportBuilder) -> Iterator[Event]:
    for event in events:
        if not isinstance(event, RunFinished) or event.exit_status == ExitStatus.INTERRUPTED:
            yield event
            continue
        began, status = time.monotonic(), event.exit_status
        try:
            found = _impossible(context, plan)
            for item in found:
                made = replace(base_result(item.cell, None), outcome=Outcome.IMPOSSIBLE)
                yield CellPlanned(cell=item.cell.id, status=item.status, reason=item.reason, at=event.at)
                yield CellFinished(result=replace(made, reason=item.reason, words=item.words), at=event.at)
            if found:
                status = _status(context, builder)
        except KeyboardInterrupt:
            status = ExitStatus.INTERRUPTED
        took = time.monotonic() - began
        yield replace(event, exit_status=status, at=event.at + took, duration=event.duration + took)


def _status(context: RunContext, builder: ReportBuilder) -> ExitStatus:
    """Return the exit status with all results that are known by now."""
    return exit_status(builder.report().cells, strict=context.options.strict, skip_missing=context.skips_missing)


def _impossible(context: RunContext, plan: Plan) -> tuple[PlannedCell, ...]:
    """Return the cells of other platforms that cannot exist; those of which this is not known here are left out."""
    cells = tuple(item for item in plan.cells if item.status is Status.ELSEWHERE)
    if context.options.locked:
        why = lockfile.read(context.lock_file, accept_edited=True).impossible
        return tuple(
            replace(item, status=Status.IMPOSSIBLE, reason=context.machine.redactor.text(why[item.cell.id]))
            for item in cells
            if item.cell.id in why
        )
    from venvgrid.app.resolution import resolve  # noqa: PLC0415  (most grids have no axis platform)

    with suppress(VenvgridError):  # what is known of the cells of this machine stands
        found = resolve(replace(context, fleet=None).sharing(context), replace(plan, cells=cells))
        return tuple(item for item in found.plan.cells if item.status is Status.IMPOSSIBLE)
    return ()
