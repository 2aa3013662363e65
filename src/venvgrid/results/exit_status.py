"""The exit status of a run, from the results of its cells."""

from __future__ import annotations

from typing import TYPE_CHECKING

from venvgrid.model import CellResult, ExitStatus, Outcome

if TYPE_CHECKING:
    from collections.abc import Iterable


def exit_status(
    cells: Iterable[CellResult], *, strict: bool = False, interrupted: bool = False, skip_missing: bool = False
) -> ExitStatus:
    """Return the exit status of a run, as the documentation's table has it; cells that may fail do not count.

    `strict`: an impossible cell is a failure. `skip_missing`: a missing interpreter is none. A run in which no cell's
    tests ran is never green.
    """
    every = tuple(cells)
    counted = [cell for cell in every if not cell.allow_failure]
    if interrupted:
        return ExitStatus.INTERRUPTED
    if any(cell.outcome.is_red for cell in counted):
        return ExitStatus.TESTS_FAILED
    if any(_is_incomplete(cell, strict=strict, skip_missing=skip_missing) for cell in counted):
        return ExitStatus.INCOMPLETE
    if not any(cell.outcome.is_green or cell.outcome.is_red for cell in every):
        return ExitStatus.NOTHING_TO_RUN
    return ExitStatus.PASSED


def _is_incomplete(cell: CellResult, *, strict: bool, skip_missing: bool) -> bool:
    """Whether a cell that should have been tested was not."""
    if cell.outcome is Outcome.IMPOSSIBLE:
        return strict or cell.named
    if cell.outcome is Outcome.MISSING_INTERPRETER:
        return not skip_missing
    return cell.outcome in {Outcome.BUILD_FAILED, Outcome.CANCELLED}
