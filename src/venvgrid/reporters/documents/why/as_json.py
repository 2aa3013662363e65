"""What an investigation found as JSON, `venvgrid-why-1`; its schema is `schemas/why.schema.json`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from venvgrid.analysis.search.protocol import Observation
    from venvgrid.analysis.search.story import Ending, Finding, Story

FORMAT = "venvgrid-why-1"


def document(story: Story) -> dict[str, Any]:
    """Return an investigation as plain data."""
    return {
        "format": FORMAT,
        "cell": story.cell,
        "python": story.python,
        "good": _end(story.green),
        "bad": _end(story.red),
        "culprits": [_culprit(item) for item in story.findings],
        "rule": list(story.rule),
        "confidence": round(story.confidence, 3),
        "proven": story.is_proven,
        "problem": story.problem,
        "untested": dict(story.untested),
        "probes": {
            "resolves": story.effort.resolves,
            "builds": story.effort.builds,
            "tests": story.effort.tests,
            "seconds": round(story.effort.seconds, 3),
        },
    }


def _end(end: Ending | None) -> dict[str, Any] | None:
    if end is None:
        return None
    return {"name": end.name, "verdict": end.verdict.value, "runs": end.runs, "packages": dict(end.packages)}


def _culprit(item: Finding) -> dict[str, Any]:
    found = item.culprit
    return {
        "name": found.name,
        "good": found.good,
        "bad": found.bad,
        "uploaded": item.uploaded,
        "skipped": list(found.skipped),
        "company": {name: {"good": good, "bad": bad} for name, (good, bad) in found.company.items()},
        "acquitted": found.acquitted,
        "partners": dict(found.partners),
        "failure": item.failure,
        "tests": list(item.tests),
        "proof": {
            "green_with_it": _observation(found.broken),
            "green_without_it": _observation(found.whole),
            "red_without_it": _observation(found.without),
        },
    }


def _observation(seen: Observation | None) -> dict[str, str] | None:
    return None if seen is None else {"verdict": seen.verdict.value, "reason": seen.reason}
