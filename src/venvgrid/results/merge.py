"""Merges the records of a plan: for each cell the newest attempt counts.

A shard that was run again leaves a second record. Of a cell's results that of the highest attempt counts. Two results
of one attempt that disagree make the cell flaky, and a note tells both. Records of another plan are refused by name.
Pure, but for reading the records: one at a time, and of each result only what decides is kept.
"""

from __future__ import annotations

import re
from dataclasses import field, replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from venvgrid.config import axis_values
from venvgrid.model import AxisKind, Outcome, UsageError
from venvgrid.model.names import normalise
from venvgrid.model.values import dataclass
from venvgrid.planning import matching
from venvgrid.results.records import RESULTS, Record, Unusable
from venvgrid.storage import json_items

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from venvgrid.model import Cell, CellResult
    from venvgrid.results.plan_file import PlanFile
    from venvgrid.results.records import Read

    Keep = Callable[[Cell, Mapping[str, Any]], CellResult | None]

VERDICTS = frozenset(outcome.value for outcome in Outcome) - {Outcome.CANCELLED.value, Outcome.ELSEWHERE.value}
_OUTCOMES = {outcome.value: outcome.value for outcome in Outcome}  # one text for all cells
GREEN = frozenset({Outcome.PASSED.value, Outcome.FLAKY.value})
EXECUTED = ("passed", "xfailed", "xpassed")  # of a test that ran and did no harm; a skipped one did not run
DIFFERENT = "two results in one attempt: {}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reported:
    """What a record says of a cell. `problem` is why the gate does not accept it, or "".

    `disagreement` tells the two results of one attempt, or is "". The text of the result is that from `start` to `end`
    in the record's file, in characters; `whole` is what `keep` made of it.
    """

    record: Record
    start: int
    end: int
    whole: CellResult | None = None
    outcome: str
    reason: str = ""
    problem: str = ""
    disagreement: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Merged:
    """The records of one plan. `chosen` maps each cell to its result.

    `missing` are the planned cells without a result, `strangers` the results of cells that were not planned, by record;
    `refused` are the records that do not count. `stopped` maps cells to a newer attempt than that which counts: it was
    to run them, and ended without a verdict.
    """

    plan: PlanFile
    records: tuple[Record, ...] = ()
    chosen: Mapping[str, Reported] = field(default_factory=dict)
    missing: tuple[str, ...] = ()
    strangers: Mapping[str, str] = field(default_factory=dict)
    refused: tuple[Unusable, ...] = ()
    stopped: Mapping[str, int] = field(default_factory=dict)


def merge(plan: PlanFile, found: Iterable[Record | Unusable], keep: Keep = lambda _cell, _data: None) -> Merged:
    """Return what the records say of the cells of a plan. The order of the records does not matter.

    `keep` makes the result of a planned cell of its data, or returns None, as whoever only judges needs no more.
    """
    refused: list[Unusable] = []
    usable: dict[str, Record] = {}
    digest, planned = plan.digest, {item.cell.id: item.cell for item in plan.cells}
    platforms = {name: platform for name, cell in planned.items() if (platform := cell.platform)}
    for item in found:
        if isinstance(item, Unusable):
            refused.append(item)
        elif why := _of_another(plan, digest, item) or _misplaced(platforms, item):
            refused.append(Unusable(item.place, why))
        else:
            usable.setdefault(_name(item), item)  # the same record twice is one record
    first: dict[str, Reported] = {}
    several: dict[str, list[Reported]] = {}  # of cells with more than one: few
    strangers: dict[str, str] = {}
    silent: dict[str, int] = {}  # cells without a verdict → the newest such attempt
    records = []
    for name in sorted(usable):
        record = usable[name]
        try:
            told = _results(plan, planned, record, keep)
        except UsageError as error:
            refused.append(Unusable(record.place, str(error)))
            continue
        records.append(record)
        for cell, reported in told.items():
            if cell not in planned:
                strangers[cell] = record.place
            elif reported is not None and first.setdefault(cell, reported) is not reported:
                several.setdefault(cell, [first[cell]]).append(reported)
        silent |= _silent(record, told, silent)
    chosen = {name: _newest(several[name]) if name in several else first[name] for name in planned if name in first}
    return Merged(
        plan=plan,
        records=tuple(records),
        chosen=chosen,
        missing=tuple(name for name in planned if name not in first),
        strangers=strangers,
        refused=tuple(sorted(refused, key=lambda item: (item.place, item.why))),
        stopped=_stopped(chosen, silent),
    )


def _silent(record: Record, told: Mapping[str, Reported | None], known: Mapping[str, int]) -> dict[str, int]:
    """Return the cells of a record without a verdict, each with the newest such attempt; `known` are those so far."""
    attempt = record.header.attempt
    return {cell: max(attempt, known.get(cell, 0)) for cell in record.header.cells if told.get(cell) is None}


def _stopped(chosen: Mapping[str, Reported], silent: Mapping[str, int]) -> dict[str, int]:
    """Return the silent attempts that are newer than the attempt which counts."""
    return {
        name: silent[name] for name, reported in chosen.items() if silent.get(name, 0) > reported.record.header.attempt
    }


def _results(plan: PlanFile, planned: Mapping[str, Cell], record: Record, keep: Keep) -> dict[str, Reported | None]:
    """Return what a record says of each cell; None if that does not count: it is of another shard, or no verdict.

    Raises:
        UsageError: it is damaged, or of another configuration.
    """
    own = planned.keys() & record.header.cells
    told: dict[str, Reported | None] = {}

    def use(result: dict[str, Any], start: int, end: int) -> None:
        name, outcome = result["id"], result["outcome"]
        if name in told or not isinstance(outcome, str):
            raise UsageError("its results are damaged: a cell is there twice, or has no outcome")
        if name not in own or outcome not in VERDICTS:
            told[name] = None
            return
        cell = planned[name]
        told[name] = Reported(
            record=record,
            start=start,
            end=end,
            whole=keep(cell, result),
            outcome=_OUTCOMES[outcome],
            reason=str(result.get("reason", "")),
            problem=objection(cell, result),
        )

    try:
        data = json_items.read(text_of(record, record.read), "cells", use)
    except json_items.MALFORMED as error:
        raise UsageError("its results are damaged") from error
    if data.get("config_digest") != plan.config_digest:
        raise UsageError("its results are of another configuration")
    return told


def text_of(record: Record, read: Read) -> str:
    """Return the text of the results of a record.

    Raises:
        UsageError: it has changed since the record was found.
        ValueError: it is no text.
    """
    return record.checked(RESULTS, read(RESULTS)).decode("utf-8")


def _of_another(plan: PlanFile, digest: str, record: Record) -> str:
    """Return that a record is of another plan or commit, or ""."""
    header = record.header
    if header.plan != digest:
        return f"it is of another plan ({header.plan[:12]}, not {digest[:12]})"
    if header.commit != plan.commit:
        return f"it is of another commit ({header.commit[:12] or 'none'}, not {plan.commit[:12] or 'none'})"
    return ""


def _misplaced(platforms: Mapping[str, str], record: Record) -> str:
    """Return that a record has a cell of another platform than the machine that left it, or "".

    `platforms` maps cells to their platform, if they have one.
    """
    here = record.header.platform
    for name in record.header.cells if platforms else ():
        if platforms.get(name, here) != here:
            return f"it is of a machine that is {here or 'unknown'}, but {name} is of {platforms[name]}"
    return ""


def _name(record: Record) -> str:
    header = record.header
    return f"{header.attempt:06}|{header.began}|{header.shard}|{record.files[RESULTS]}"


def _newest(results: list[Reported]) -> Reported:
    last = max(item.record.header.attempt for item in results)
    rivals = [item for item in results if item.record.header.attempt == last]
    newest = max(rivals, key=lambda item: item.record.header.began)
    outcomes = sorted({rival.outcome for rival in rivals})
    if len(outcomes) == 1:
        return newest
    told = DIFFERENT.format(" and ".join(outcomes))
    greens = [item for item in rivals if item.outcome in GREEN]
    if not greens:
        return replace(newest, disagreement=told)
    green = max(greens, key=lambda item: item.record.header.began)
    return replace(green, outcome=Outcome.FLAKY.value, reason=told, disagreement=told)


def objection(cell: Cell, result: Mapping[str, Any]) -> str:
    """Return why the gate does not accept the result of a cell, or ""."""
    if result["outcome"] not in GREEN:
        return " ".join(filter(None, [f"{result['outcome']}:", str(result.get("reason", ""))])).rstrip(":")
    if result.get("axes") != cell.axes:
        return f"it is of other values: {result.get('axes')}"
    attested, installed = result.get("attested"), result.get("packages")
    if not isinstance(attested, dict) or not attested.get("python"):
        return "it is green without an attestation of what was tested"
    packages = attested.get("packages") or {}
    if not isinstance(packages, dict) or not isinstance(installed, dict):
        return "it does not say which distributions were installed and attested"
    packages = {_kind(name)[1]: version for name, version in packages.items()}  # attested as the axes are written
    for name, version in packages.items():
        if version and installed.get(name, version) != version:
            return f"it attests {name} {version}, but {installed[name]} was installed"
    return _uncounted(result.get("tests"), attested.get("collected")) or _other_than(
        cell, str(attested["python"]), packages, installed
    )


def _uncounted(counts: object, collected: object) -> str:
    """Return why the counts of tests are not those of a green cell, or ""."""
    if not isinstance(counts, dict) or any(type(number) is not int or number < 0 for number in counts.values()):
        return f"it is green, but its tests are not counted: {counts}"
    if counts.get("failed") or counts.get("error"):
        return f"it is green with failed tests: {counts}"
    if counts and not any(map(counts.get, EXECUTED)):
        return f"it is green, but no test ran: {counts}"
    if not counts and collected:  # empty: only the command's exit status is known, and nothing was collected
        return f"it is green, but of {collected} collected tests none is counted"
    return ""


def _other_than(cell: Cell, python: str, attested: Mapping[str, Any], installed: Mapping[str, Any]) -> str:
    """Return how what was tested contradicts the values of the cell, or "".

    What was installed proves nothing by itself; only that a distribution is absent must be true of both.
    """
    for axis, value in cell.axes.items():
        kind, name = _kind(axis)
        if kind is AxisKind.PYTHON and not _is_python(python, value):
            return f"it attests {' '.join(python.split()[:2])}, but the cell says Python {value}"
        if kind is AxisKind.DEPENDENCY:
            version = attested.get(name) or (
                installed.get(name) if axis_values.version_specifier(value) is None else ""
            )
            if not _is_version(str(version or ""), value):
                return f"it attests {name} {version or 'absent'}, but the cell says {name} {value}"
    return ""


@lru_cache(maxsize=256)
def _kind(axis: str) -> tuple[AxisKind, str]:
    """Return the kind of an axis, and its normalised name."""
    return AxisKind.of_axis(axis), normalise(axis)


@lru_cache(maxsize=4096)
def _is_python(attested: str, value: str) -> bool:
    """Return whether an attested interpreter, "cpython 3.12.1 …", is of a value of the axis; a path may be any."""
    wanted = axis_values.PYTHON.fullmatch(value)
    if wanted is None:
        return True
    name, version, *_ = [*attested.lower().split(), ""]
    is_same = re.match(rf"{re.escape(wanted['version'])}(?![\w])", version) is not None
    return is_same and name == (wanted["implementation"] or "cpython")


@lru_cache(maxsize=4096)
def _is_version(version: str, value: str) -> bool:
    """Return whether a version of a distribution, "" for absent, is what a value of its axis asks for."""
    wanted = axis_values.version_specifier(value)
    if wanted is None or not version:
        return (wanted is None) is not bool(version)
    return not wanted or matching.satisfies(version, wanted)
