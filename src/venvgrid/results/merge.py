"""Merges the records of a plan: for each cell the newest attempt counts.

A shard that was run again leaves a second record. Of a cell's results that of the highest attempt counts. Two results
of one attempt that disagree make the cell flaky, and a note tells both. Records of another plan are refused by name.
Pure, but for reading the records.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from venvgrid.model import Outcome
from venvgrid.results.records import Record, Unusable

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from venvgrid.results.plan_file import PlanFile

VERDICTS = frozenset(outcome.value for outcome in Outcome) - {Outcome.CANCELLED.value}
DIFFERENT = "two results in one attempt: {}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Merged:
    """The records of one plan. `chosen` maps each cell to its result, `sources` to the record that it is from.

    `missing` are the planned cells without a result, `strangers` the results of cells that were not planned, by record;
    `refused` are the records that do not count.
    """

    plan: PlanFile
    records: tuple[Record, ...] = ()
    chosen: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    sources: Mapping[str, Record] = field(default_factory=dict)
    missing: tuple[str, ...] = ()
    strangers: Mapping[str, str] = field(default_factory=dict)
    refused: tuple[Unusable, ...] = ()


def merge(plan: PlanFile, found: Iterable[Record | Unusable]) -> Merged:
    """Return what the records say of the cells of a plan. The order of the records does not matter."""
    refused: list[Unusable] = []
    usable: dict[str, Record] = {}
    for item in found:
        if isinstance(item, Unusable):
            refused.append(item)
        elif why := _unfit(plan, item):
            refused.append(Unusable(item.place, why))
        else:
            usable.setdefault(_name(item), item)  # the same record twice is one record
    records = [usable[name] for name in sorted(usable)]
    planned = {item.cell.id for item in plan.cells}
    results: defaultdict[str, list[tuple[Record, Mapping[str, Any]]]] = defaultdict(list)
    strangers: dict[str, str] = {}
    for record in records:
        own = set(record.header.cells)
        for cell in record.results["cells"]:
            if cell["id"] not in planned:
                strangers[cell["id"]] = record.place
            elif cell["id"] in own and cell["outcome"] in VERDICTS:
                results[cell["id"]].append((record, cell))
    chosen = {name: _newest(results[name]) for name in sorted(results)}
    return Merged(
        plan=plan,
        records=tuple(records),
        chosen={name: cell for name, (_, cell) in chosen.items()},
        sources={name: record for name, (record, _) in chosen.items()},
        missing=tuple(item.cell.id for item in plan.cells if item.cell.id not in chosen),
        strangers=strangers,
        refused=tuple(sorted(refused, key=lambda item: (item.place, item.why))),
    )


def _unfit(plan: PlanFile, record: Record) -> str:
    """Return why a record does not count, or ""."""
    if record.header.plan != plan.digest:
        return f"it is of another plan ({record.header.plan[:12]}, not {plan.digest[:12]})"
    if record.header.commit != plan.commit:
        return f"it is of another commit ({record.header.commit[:12] or 'none'}, not {plan.commit[:12] or 'none'})"
    try:
        names = [cell["id"] for cell in record.results["cells"]]
        is_plain = all(isinstance(cell["outcome"], str) for cell in record.results["cells"])
    except (KeyError, TypeError):
        return "its results are damaged"
    if not is_plain or len(set(names)) != len(names):
        return "its results are damaged: a cell is there twice, or has no outcome"
    if record.results.get("config_digest") != plan.config_digest:
        return "its results are of another configuration"
    return ""


def _name(record: Record) -> str:
    header = record.header
    return f"{header.attempt:06}|{header.began}|{header.shard}|{record.results.get('run', '')}"


def _newest(results: list[tuple[Record, Mapping[str, Any]]]) -> tuple[Record, Mapping[str, Any]]:
    last = max(record.header.attempt for record, _ in results)
    rivals = [item for item in results if item[0].header.attempt == last]
    record, cell = max(rivals, key=lambda item: item[0].header.began)
    outcomes = sorted({str(rival["outcome"]) for _, rival in rivals})
    if len(outcomes) == 1:
        return record, cell
    told = DIFFERENT.format(" and ".join(outcomes))
    greens = [item for item in rivals if Outcome(item[1]["outcome"]).is_green]
    if greens:
        record, cell = max(greens, key=lambda item: item[0].header.began)
    changed = {"outcome": Outcome.FLAKY.value, "reason": told} if greens else {}
    return record, {**cell, **changed, "notes": [*cell.get("notes", []), told]}
