"""Where the time of a run on several machines went, for all reporters. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from venvgrid.model import Stage
from venvgrid.model.values import dataclass
from venvgrid.reporters import text

if TYPE_CHECKING:
    from venvgrid.model import CellResult
    from venvgrid.results.report import Report

HEAD = ("machine", "cells", "waited", "files", "builds", "tests", "busy")
LEGEND = "waited: for a free slot; files: of the project on their way; busy: builds and tests by the time of the run"


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """What one machine did. All times are seconds, summed over its cells: several run at once."""

    machine: str
    cells: int
    queue: float
    transfer: float
    build: float
    test: float
    run: float

    @property
    def columns(self) -> tuple[str, ...]:
        """The row below HEAD; "busy" is how many slots were at work, in the mean."""
        busy = f"{(self.build + self.test) / self.run:.1f} slots" if self.run else ""
        times = (self.queue, self.transfer, self.build, self.test)
        return text.line(self.machine), str(self.cells), *map(text.seconds, times), busy


def shares(report: Report) -> tuple[Share, ...]:
    """Return what each machine of a run did, by name; () if it was on one machine."""
    ran = {span.cell for span in report.spans}  # a merged report has cells of earlier runs, too
    cells = [cell for cell in report.cells if cell.machine and not cell.cached and (cell.id in ran or not ran)]
    names = sorted({cell.machine for cell in cells})
    if len(names) < 2:  # noqa: PLR2004  (one needs no table)
        return ()
    # Cells that share an environment were built together: each build counts once.
    builds = {(span.machine, span.began): span.ended - span.began for span in report.spans if span.stage is Stage.BUILD}
    found = []
    for name in names:
        mine = [cell for cell in cells if cell.machine == name]

        def total(stage: str, mine: list[CellResult] = mine) -> float:
            return sum(cell.durations.get(stage, 0.0) for cell in mine)

        built = sum(took for (machine, _), took in builds.items() if machine == name and took > 0)
        found.append(
            Share(
                machine=name,
                cells=len(mine),
                queue=total("queue"),
                transfer=total("transfer"),
                build=built if report.spans else total("build"),
                test=total("test"),
                run=report.duration,
            )
        )
    return tuple(found)
