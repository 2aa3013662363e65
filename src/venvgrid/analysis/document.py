"""results.json, the report for programs: its writer and its reader. No other module knows its keys.

The format is "venvgrid-results-1"; its JSON Schema is model/schemas/results.schema.json.
"""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from venvgrid.analysis import coverage
from venvgrid.analysis.findings import Analysis
from venvgrid.model import (
    Attestation,
    CaseOutcome,
    Cell,
    CellResult,
    Certificate,
    Failure,
    Interpreter,
    LeftOut,
    Outcome,
    PlannedCell,
    Status,
)
from venvgrid.model.config import EMPTY
from venvgrid.results.report import Report

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from venvgrid.analysis.findings import Finding
    from venvgrid.analysis.rules.conditions import Condition

    Shared = Callable[[Callable[[Any], Any], Any], Any]

FORMAT = "venvgrid-results-1"
NO_CELLS = '\n "cells": [],'  # in the text of a document without cells
STAGES = ("resolve", "queue", "transfer", "build", "test")

# Keys that have the name of the field that they hold.
_RUN = ("venvgrid", "run", "started", "duration", "finished", "exit_status", "config", "grid", "config_digest")
_CELL = ("id", "axes", "outcome", "reason", "allow_failure", "named", "cached", "since", "attempts", "packages", "log")

_PYTHON = ("version", "implementation", "executable")
_FAILURE = ("test", "kind", "message", "signature", "duration", "longrepr")

_LATER = ("hint", "through")  # of a failure: earlier documents lack them
_ATTESTATION = ("python", "packages", "project_origin", "collected")
_OUTCOMES = {outcome.value: outcome for outcome in Outcome}
_CHANGES = ("regressed", "fixed", "newly_impossible", "newly_possible", "moved")
_GROUP = ("signature", "kind", "message", "cells", "tests", "hint", "through")


def to_results(report: Report, *, cells: bool = True) -> dict[str, Any]:
    """Return the report as plain data that every JSON parser accepts. Durations are seconds.

    Without `cells`, their list is empty: whoever has many writes them one by one.
    """
    analysis = Analysis(report)
    return {
        "format": FORMAT,
        **_fields(report, *_RUN),
        "project": {"name": _text(report.project), "version": _text(report.project_version)},
        "command": _plain(report.command),
        "cells": [from_cell(cell) for cell in report.cells] if cells else [],
        "excluded": [{**_fields(item.cell, "id", "axes"), "reason": _text(item.reason)} for item in report.excluded],
        "failure_groups": [_group(finding) for finding in analysis.findings],
        "changes": _fields(analysis.changes, *_CHANGES),
        "warnings": _plain(report.warnings),
        "coverage": _coverage(coverage.of(report)),
        **({"tier": report.tier} if report.tier else {}),
        **({"left_out": [item.plain() for item in report.left_out]} if report.left_out else {}),
    }


def pieces(report: Report) -> Iterator[str]:
    """Yield the text of results.json, cell by cell: the plain data of very many cells do not fit into the memory."""
    before, after = json.dumps(to_results(report, cells=False), indent=1).split(NO_CELLS)
    yield f'{before}\n "cells": ['
    for number, cell in enumerate(report.cells):
        text = json.dumps(from_cell(cell), indent=1).replace("\n", "\n  ")
        yield f"{',' if number else ''}\n  {text}"
    end = "\n ]" if report.cells else "]"
    yield f"{end},{after}\n"


def from_results(data: Any) -> Report:
    """Return the report that `to_results` wrote; unknown keys are ignored.

    The document has no single tests, no spans and no earlier runs, and of interpreters only three facts.

    Raises:
        ValueError: `data` is not in this format.
    """
    try:
        if data["format"] != FORMAT:
            raise ValueError(f"the format is {data['format']!r:.80}, not {FORMAT!r}")
        return Report(
            **_picked(data, *_RUN),
            project=data["project"]["name"],
            project_version=data["project"]["version"],
            command=tuple(data["command"]),
            cells=tuple(map(cell_from, data["cells"])),
            excluded=tuple(map(_excluded_from, data["excluded"])),
            warnings=tuple(data["warnings"]),
            tier=str(data.get("tier", "")),
            left_out=tuple(map(LeftOut.of, data.get("left_out", ()))),
            certificate=_certificate_from(data["coverage"]) if data.get("coverage") else None,
        )
    except (KeyError, TypeError, AttributeError, OverflowError) as error:
        raise ValueError(f"this is no document of the format {FORMAT!r}: {error!r:.80}") from error


def from_cell(cell: CellResult) -> dict[str, Any]:
    """Return the result of a cell as plain data."""
    return {
        **_fields(cell, *_CELL),
        "python": _fields(cell.interpreter, *_PYTHON) if cell.interpreter else None,
        "durations": {stage: _number(cell.durations[stage]) for stage in STAGES if stage in cell.durations},
        # Empty if tests were not counted: nothing ran, or only the command's exit status is known.
        "tests": {verdict.value: cell.tests.get(verdict.value, 0) for verdict in CaseOutcome} if cell.tests else {},
        "uncollected": cell.uncollected,
        "failures": [
            {**_fields(failure, *_FAILURE, *_LATER), "again": failure.again.value if failure.again else None}
            for failure in cell.failures
        ],
        "attested": _fields(cell.attested, *_ATTESTATION),
        "notes": _plain(cell.notes),
        "words": _text(cell.words),
        "machine": _text(cell.machine),
        "resumed": cell.resumed,
    }


def anew(make: Callable[[Any], Any], data: Any) -> Any:
    """Make a part of a result."""
    return make(data)


def cell_from(data: Mapping[str, Any], shared: Shared = anew, cell: Cell | None = None) -> CellResult:
    """Return the result of a cell that `to_results` wrote.

    `shared` makes a part of it with a function from its data, or returns an equal part that was made before. With the
    planned `cell`, id and axes are its own, and texts that few results need are left out: the log's name, the words.
    """
    get, failures, notes = data.get, data["failures"], data["notes"]
    return CellResult(
        id=cell.id if cell else str(data["id"]),
        axes=cell.axes if cell else data["axes"],
        outcome=_OUTCOMES[data["outcome"]],
        reason=data["reason"],
        allow_failure=data["allow_failure"],
        named=data["named"],
        cached=data["cached"],
        since=data["since"],
        attempts=data["attempts"],
        packages=shared(dict, data["packages"]),
        log="" if cell else data["log"],
        interpreter=shared(_interpreter_from, data["python"]) if data["python"] else None,
        durations={sys.intern(stage): float(seconds) for stage, seconds in data["durations"].items()},
        tests=shared(dict, data["tests"]),
        uncollected=int(get("uncollected", 0)),
        failures=tuple(map(_failure_from, failures)) if failures else (),
        attested=shared(_attestation_from, data["attested"]),
        notes=tuple(notes) if notes else (),
        words="" if cell else get("words", ""),
        machine=str(get("machine", "")),
        resumed=str(get("resumed", "")),
    )


def _attestation_from(data: Mapping[str, Any]) -> Attestation:
    return Attestation(**_picked(data, *_ATTESTATION))


def _failure_from(data: Mapping[str, Any]) -> Failure:
    again = data.get("again")
    return Failure(
        **_picked(data, *_FAILURE),
        hint=data.get("hint", ""),
        through=tuple(data.get("through", ())),
        again=CaseOutcome(again) if again else None,
    )


def _interpreter_from(data: Mapping[str, Any]) -> Interpreter:
    return Interpreter(
        **_picked(data, *_PYTHON),
        free_threaded=False,
        debug=False,
        bits=0,
        platform="",
        cache_tag="",
        markers=EMPTY,
        source="",
    )


def _excluded_from(data: Mapping[str, Any]) -> PlannedCell:
    return PlannedCell(cell=Cell(**_picked(data, "id", "axes")), status=Status.EXCLUDED, reason=data["reason"])


def _group(finding: Finding) -> dict[str, Any]:
    why = finding.explanation
    return {
        **_fields(finding.group, *_GROUP),
        "rule": _words(why.rule),
        "either": _words(why.either),
        "exact": why.is_exact,
        "confidence": round(why.confidence, 3),
        "doubtful": why.is_doubtful,
        "odd": [_text(name) for name in why.odd],
        "rivals": [{"rules": list(map(_words, rival.rules)), "chance": round(rival.chance, 3)} for rival in why.rivals],
        "apart": _plain(why.apart),
        "support": {"failed": why.failed, "meeting": why.meeting, "others": why.others, "outside": why.outside},
        "alternatives": list(map(_words, why.alternatives)),
        "more_alternatives": why.more,
    }


def _coverage(found: Certificate | None) -> dict[str, Any] | None:
    if found is None:
        return None
    return {
        "strength": found.strength,
        "feasible": found.feasible,
        "covered": found.covered,
        "missing": [_plain(item) for item in found.missing],
        "lost": {_text(reason): number for reason, number in found.lost.items()},
        "axes": {_text(name): _plain(values) for name, values in found.axes.items()},
    }


def _certificate_from(data: Mapping[str, Any]) -> Certificate:
    return Certificate(
        strength=int(data["strength"]),
        feasible=int(data["feasible"]),
        covered=int(data["covered"]),
        infeasible={},
        missing=tuple(map(dict, data["missing"])),
        lost=dict(data["lost"]),
        axes={name: tuple(values) for name, values in data["axes"].items()},
    )


def _words(rule: Sequence[Condition]) -> list[str]:
    return [_text(condition.text) for condition in rule]


def _fields(value: object, *names: str) -> dict[str, Any]:
    return {name: _plain(getattr(value, name)) for name in names}


def _picked(data: Mapping[str, Any], *names: str) -> dict[str, Any]:
    return {name: data[name] for name in names}


def _plain(value: Any) -> Any:
    match value:
        case str():
            return _text(value)
        case float():
            return _number(value)
        case tuple():
            return [_text(item) for item in value]
        case Mapping():
            return {_text(name): _text(item) for name, item in value.items()}
        case _:
            return value


def _number(seconds: float) -> float:
    """Return a duration that JSON can hold: no NaN, no infinity, and not negative if the clock was put back."""
    return round(seconds, 6) if math.isfinite(seconds) and seconds > 0 else 0.0


def _text(text: str) -> str:
    """Return `text` with lone surrogates as escapes: strict JSON parsers refuse them."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")
