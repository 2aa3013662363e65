"""results.json: the report for programs, in the format "venvgrid-results-1"; its schema is in the package."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from venvgrid.model import Verdict

if TYPE_CHECKING:
    from venvgrid.model import CellResult
    from venvgrid.report import Report

FORMAT = "venvgrid-results-1"
STAGES = ("resolve", "build", "test")


def to_results(report: Report) -> dict[str, Any]:
    """Give the report as plain data that every JSON parser takes. Durations are seconds."""
    return {
        "format": FORMAT,
        "venvgrid": report.venvgrid,
        "run": report.run,
        "started": report.started,
        "duration": _number(report.duration),
        "finished": report.finished,
        "exit_status": report.exit_status,
        "project": {"name": _text(report.project), "version": _text(report.project_version)},
        "config": _text(report.config),
        "config_digest": report.config_digest,
        "cells": [_cell(cell) for cell in report.cells],
        "excluded": [
            {"id": item.cell.id, "axes": dict(item.cell.axes), "reason": _text(item.reason)} for item in report.excluded
        ],
        "warnings": [_text(warning) for warning in report.warnings],
    }


def _cell(cell: CellResult) -> dict[str, Any]:
    python = cell.interpreter
    return {
        "id": cell.id,
        "axes": dict(cell.axes),
        "outcome": cell.outcome.value,
        "reason": _text(cell.reason),
        "allow_failure": cell.allow_failure,
        "cached": cell.cached,
        "attempts": cell.attempts,
        "python": {
            "version": python.version,
            "implementation": python.implementation,
            "executable": _text(python.executable),
        }
        if python
        else None,
        "packages": dict(cell.packages),
        "durations": {stage: _number(cell.durations[stage]) for stage in STAGES if stage in cell.durations},
        "tests": {verdict.value: cell.tests.get(verdict.value, 0) for verdict in Verdict} if cell.tests else {},
        "failures": [
            {
                "test": _text(failure.test),
                "kind": _text(failure.kind),
                "message": _text(failure.message),
                "signature": _text(failure.signature),
                "duration": _number(failure.duration),
                "longrepr": _text(failure.longrepr),
            }
            for failure in cell.failures
        ],
        "attested": {
            "python": _text(cell.attested.python),
            "packages": dict(cell.attested.packages),
            "project_origin": _text(cell.attested.project_origin),
            "collected": cell.attested.collected,
        },
        "notes": [_text(note) for note in cell.notes],
        "log": cell.log,
    }


def _number(value: float) -> float:
    return round(value, 6) if math.isfinite(value) and value >= 0 else 0.0


def _text(text: str) -> str:
    """Replace lone surrogates: no strict parser of JSON takes them."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")
