"""results.json: the report for programs, in the format "venvgrid-results-1"; its schema is in the package."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from venvgrid.analysis.findings import Analysis
from venvgrid.model.result import CaseOutcome

if TYPE_CHECKING:
    from collections.abc import Mapping

    from venvgrid.analysis.comparison import Changes
    from venvgrid.analysis.findings import Finding
    from venvgrid.model.result import CellResult, Failure
    from venvgrid.results.report import Report

FORMAT = "venvgrid-results-1"
STAGES = ("resolve", "build", "test")


def to_results(report: Report) -> dict[str, Any]:
    """Give the report as plain data that every JSON parser takes. Durations are seconds."""
    analysis = Analysis(report)
    return {
        "format": FORMAT,
        "venvgrid": _text(report.venvgrid),
        "run": _text(report.run),
        "started": _text(report.started),
        "duration": _number(report.duration),
        "finished": report.finished,
        "exit_status": report.exit_status,
        "project": {"name": _text(report.project), "version": _text(report.project_version)},
        "config": _text(report.config),
        "grid": _text(report.grid),
        "config_digest": _text(report.config_digest),
        "command": [_text(word) for word in report.command],
        "cells": [_cell(cell) for cell in report.cells],
        "excluded": [
            {"id": _text(item.cell.id), "axes": _texts(item.cell.axes), "reason": _text(item.reason)}
            for item in report.excluded
        ],
        "failure_groups": [_group(finding) for finding in analysis.findings],
        "changes": _changes(analysis.changes),
        "warnings": [_text(warning) for warning in report.warnings],
    }


def _group(finding: Finding) -> dict[str, Any]:
    group, why = finding.group, finding.explanation
    return {
        "signature": _text(group.signature),
        "kind": _text(group.kind),
        "message": _text(group.message),
        "cells": [_text(cell) for cell in group.cells],
        "tests": [_text(test) for test in group.tests],
        "rule": [_text(condition.text) for condition in why.rule],
        "exact": why.is_exact,
        "support": {"failed": why.failed, "meeting": why.meeting, "others": why.others},
        "alternatives": [[_text(condition.text) for condition in rule] for rule in why.alternatives],
    }


def _changes(changes: Changes) -> dict[str, list[str]]:
    return {
        "regressed": [_text(cell) for cell in changes.regressed],
        "fixed": [_text(cell) for cell in changes.fixed],
        "newly_impossible": [_text(cell) for cell in changes.newly_impossible],
        "newly_possible": [_text(cell) for cell in changes.newly_possible],
        "moved": [_text(line) for line in changes.moved],
    }


def _cell(cell: CellResult) -> dict[str, Any]:
    python = cell.interpreter
    return {
        "id": _text(cell.id),
        "axes": _texts(cell.axes),
        "outcome": cell.outcome.value,
        "reason": _text(cell.reason),
        "allow_failure": cell.allow_failure,
        "named": cell.named,
        "cached": cell.cached,
        "since": _text(cell.since),
        "attempts": cell.attempts,
        "python": {
            "version": _text(python.version),
            "implementation": _text(python.implementation),
            "executable": _text(python.executable),
        }
        if python
        else None,
        "packages": _texts(cell.packages),
        "durations": {stage: _number(cell.durations[stage]) for stage in STAGES if stage in cell.durations},
        # Empty where tests were not counted: nothing ran, or the command's exit status is all that is known.
        "tests": {verdict.value: cell.tests.get(verdict.value, 0) for verdict in CaseOutcome} if cell.tests else {},
        "failures": [_failure(failure) for failure in cell.failures],
        "attested": {
            "python": _text(cell.attested.python),
            "packages": _texts(cell.attested.packages),
            "project_origin": _text(cell.attested.project_origin),
            "collected": cell.attested.collected,
        },
        "notes": [_text(note) for note in cell.notes],
        "log": _text(cell.log),
    }


def _failure(failure: Failure) -> dict[str, Any]:
    return {
        "test": _text(failure.test),
        "kind": _text(failure.kind),
        "message": _text(failure.message),
        "signature": _text(failure.signature),
        "duration": _number(failure.duration),
        "longrepr": _text(failure.longrepr),
    }


def _number(value: float) -> float:
    """Give a duration that JSON can hold: it has no NaN, and a clock that was put back makes no negative time."""
    return round(value, 6) if math.isfinite(value) and value > 0 else 0.0


def _text(text: str) -> str:
    """Spell out lone surrogates: no strict parser of JSON takes them."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def _texts(texts: Mapping[str, str]) -> dict[str, str]:
    return {_text(name): _text(value) for name, value in texts.items()}
