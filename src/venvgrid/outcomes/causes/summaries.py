"""What a tool itself says at its end about the number of tests that it ran. Pure.

A command whose exit status alone counts may end with status 0 without a test: `python -m unittest` does before 3.12.
"""

from __future__ import annotations

import re

from venvgrid.outcomes import signatures

WITHOUT_FAILURES = frozenset((0, 5))  # statuses; 5 of pytest, and of unittest since 3.12
LAST_LINES = 6  # in which a summary is that of the command, and not the output of a test
# unittest, Django, nose, trial and testtools, and their result on one of the next lines.
_UNITTEST = re.compile(
    r"^Ran (?P<ran>\d+) tests? in \S+\n+(?:NO TESTS RAN|OK|PASSED|FAILED)(?: \((?P<parts>[^()\n]*)\))?", re.MULTILINE
)
_PYTEST = re.compile(r"^(?:=+ )?(?P<parts>no tests ran|\d+ \w+(?:, \d+ \w+)*) in \d[\d.:]*s?\b.*$", re.MULTILINE)
_NOT_RUN = frozenset(("skipped", "deselected", "warning", "warnings", "subtests"))


def nothing_ran(output: str, status: int | None) -> str:
    """Return why no test ran, if a command without failures ends with a tool's summary that says so, else ""."""
    if status not in WITHOUT_FAILURES:
        return ""
    said = re.sub(r"\r\n?", "\n", signatures.without_escapes(output)).rstrip()
    found = sorted((*_UNITTEST.finditer(said), *_PYTEST.finditer(said)), key=lambda match: match.start())
    if not found or said.count("\n", found[-1].start()) >= LAST_LINES or any(map(_executed, found)):
        return ""
    skipped = sum(_number(match, r"skipped=(\d+)") + _number(match, r"(\d+) skipped") for match in found)
    return f"all {skipped} tests were skipped" if skipped else "the command ran no tests"


def _executed(match: re.Match[str]) -> int:
    if match.re is _UNITTEST:
        return int(match["ran"]) - _number(match, r"skipped=(\d+)")
    return sum(int(number) for number, what in re.findall(r"(\d+) (\w+)", match["parts"]) if what not in _NOT_RUN)


def _number(match: re.Match[str], pattern: str) -> int:
    found = re.search(pattern, match["parts"] or "")
    return int(found[1]) if found else 0
