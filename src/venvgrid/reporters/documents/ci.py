"""Annotations beside the code: GitHub's workflow commands and GitLab's code quality report.

GitHub shows ten errors of a step. So one annotation stands for all tests and cells of a failure, and names them and the
rule over versions. Untrusted text is escaped as the runner defines it. It cannot become a command.
"""

from __future__ import annotations

import hashlib
import json
import re
from typing import TYPE_CHECKING

from venvgrid.analysis.findings import Analysis
from venvgrid.outcomes import signatures
from venvgrid.reporters import text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from venvgrid.analysis.findings import Finding
    from venvgrid.results.report import Report

MAX_ANNOTATIONS = 10  # errors of one step that GitHub shows
MAX_CELLS = 20
MAX_ANNOTATION_LENGTH = 4_000  # characters of an annotation

_PLACE = re.compile(r"(?!/|\.\.)([^\s:>]+\.py):(\d+)")
# https://github.com/actions/toolkit/blob/main/packages/core/src/command.ts
_DATA = {ord("%"): "%25", ord("\r"): "%0D", ord("\n"): "%0A"}
_PROPERTY = _DATA | {ord(":"): "%3A", ord(","): "%2C"}


def github(report: Report, folder: str = "") -> str:
    """Return GitHub's commands, one a line. `folder` is the path from the repository to the tests: "" or "sub/"."""
    return "".join(f"{line}\n" for line in _annotations(Analysis(report), folder))


def gitlab(report: Report, folder: str = "") -> str:
    """Return GitLab's code quality report (JSON), one entry a failure. `folder` as in `github`."""
    entries = []
    for finding in Analysis(report).findings:
        path, number = _place(finding)
        entries.append(
            {
                "description": "; ".join([_headline(finding), *finding.lines, _where(finding)]),
                "check_name": text.line(finding.group.kind) or finding.group.outcome.value,
                "fingerprint": hashlib.sha256(finding.group.signature.encode("utf-8", "replace")).hexdigest(),
                "severity": "minor" if finding.group.allowed else "major",
                "location": {"path": f"{folder}{path or 'matrix.toml'}", "lines": {"begin": number or 1}},
            }
        )
    return json.dumps(entries, indent=1) + "\n"


def _annotations(analysis: Analysis, folder: str) -> Iterator[str]:
    found = analysis.findings
    for finding in found[:MAX_ANNOTATIONS]:
        path, number = _place(finding)
        properties = {"title": _headline(finding)}
        if path:
            properties = {"file": f"{folder}{path}", "line": str(number), **properties}
        options = ",".join(f"{name}={value.translate(_PROPERTY)}" for name, value in properties.items())
        tests = [f"{text.named(finding.group.tests)}: {text.some(finding.group.tests, 3)}"]
        group = finding.group
        repeat = f"repeat: {text.repeat(analysis.report, group.cells[0], group.outcome)}"
        hint = [text.line(finding.group.hint, 500)] if finding.group.hint else []
        why = [*finding.lines, *hint]
        lines = [*why, _where(finding), *(tests if finding.group.tests else []), repeat]
        level = "warning" if finding.group.allowed else "error"
        yield f"::{level} {options}::{chr(10).join(lines)[:MAX_ANNOTATION_LENGTH].translate(_DATA)}"
    if len(found) > MAX_ANNOTATIONS:
        yield f"::notice title=venvgrid::and {len(found) - MAX_ANNOTATIONS} more failures in the step's summary"


def _headline(finding: Finding) -> str:
    return text.line(finding.group.headline) or finding.group.outcome.value


def _where(finding: Finding) -> str:
    return f"in {text.count(len(finding.group.cells), 'cell')}: {text.some(finding.group.cells, MAX_CELLS)}"


def _place(finding: Finding) -> tuple[str, int]:
    """Return file and line of a failure, relative to the tests' folder, or ("", 0) if unknown."""
    group = finding.group
    for text_of in (signatures.own_frame(group.longrepr), group.signature.rpartition(" @ ")[2]):
        if place := _PLACE.fullmatch(text_of.replace("\\", "/")):
            return place[1], int(place[2])
    files = [test.partition("::")[0] for test in group.tests]
    return (text.line(files[0]), 1) if files and files[0].endswith(".py") else ("", 0)
