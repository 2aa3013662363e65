"""Plans that travel, and the records of their shards."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import factories

from venvgrid.analysis import document
from venvgrid.model import Attestation, Cell, Outcome, Plan, PlannedCell, Status
from venvgrid.results import journal, records
from venvgrid.results.capsules.capsule import Capsule, Locked, Python
from venvgrid.results.plan_file import PlanFile
from venvgrid.results.report import build_report

if TYPE_CHECKING:
    from pathlib import Path

    from venvgrid.model import CellResult, Event
    from venvgrid.model.shard import Shard

CELLS = [Cell(id=f"py3.{minor}", axes={"python": f"3.{minor}"}) for minor in range(9, 13)]
COMMIT = "c0ffee" * 6
CAPSULE = Capsule(
    cell="py3.12",
    axes={"python": "3.12"},
    outcome=Outcome.FAILED,
    python=Python(implementation="cpython", version="3.12.1", platform="linux-x86_64"),
    lock=Locked(),
)


def plan(*cells: Cell, **options: Any) -> PlanFile:
    """Make a plan of cells, four by default."""
    planned = tuple(PlannedCell(cell=cell, status=Status.RUNNABLE) for cell in cells or CELLS)
    made = PlanFile(
        plan=Plan(cells=planned),
        venvgrid="0.1.0",
        project="plotlib",
        project_version="1.0",
        config="matrix.toml",
        grid="",
        config_digest="d1",
        inputs_digest="i1",
        commit=COMMIT,
        lock="",
        seconds={item.cell.id: 1.0 for item in planned},
    )
    return replace(made, **options)


PLATFORMS = ("linux", "macos")


def cell_on(platform: str, python: str = "3.12") -> Cell:
    """Make a cell of a platform."""
    return Cell(id=f"py{python}-{platform}", axes={"python": python, "platform": platform})


def plan_of_platforms() -> PlanFile:
    """Make a plan, on Linux, of two cells on each of two platforms."""
    cells = [cell_on(platform, python) for platform in PLATFORMS for python in ("3.11", "3.12")]
    made = plan(*cells)
    planned = tuple(
        replace(item, status=Status.ELSEWHERE, reason="it runs on macos; this machine is linux")
        if item.cell.platform == "macos"
        else item
        for item in made.plan.cells
    )
    return replace(made, plan=replace(made.plan, cells=planned))


def green(cell: Cell, outcome: Outcome = Outcome.PASSED, **options: Any) -> CellResult:
    """Make a result with an attestation."""
    attested = Attestation(python=f"cpython {cell.axes['python']}.1 bin/python", packages={"numpy": "1.23.2"})
    return factories.result(cell, outcome, attested=attested, **options)


def record(
    folder: Path,
    of: PlanFile,
    shard: Shard,
    *results: CellResult,
    attempt: int = 1,
    began: str = "2026-01-01",
    **header: Any,
) -> Path:
    """Leave the record of a shard in a folder, and return it."""
    folder.mkdir(parents=True)
    cells = [item.cell for item in of.plan.cells if item.cell.id in {result.id for result in results}]
    events: list[Event] = [factories.started(cells), *map(factories.finished, results), factories.ended()]
    (folder / "events.jsonl").write_bytes(b"".join(map(journal.encode, events)))
    data = document.to_results(build_report(events))
    (folder / "results.json").write_text(json.dumps({**data, "config_digest": "d1"}), encoding="utf-8")
    made = records.Header(
        plan=of.digest,
        commit=of.commit,
        shard=shard,
        attempt=attempt,
        began=began,
        cells=tuple(sorted(item.id for item in results)),
    )
    records.seal(folder, of, replace(made, **header))
    return folder
