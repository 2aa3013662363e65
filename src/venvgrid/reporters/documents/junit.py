"""JUnit XML for GitHub, GitLab and Jenkins: one test suite a cell. Always well-formed XML 1.0.

It is valid against the schema of Jenkins' xunit plugin, junit-10.xsd. That schema has no attribute for a test's file.
GitLab links to the file, so the attribute is optional.

A test's `classname` begins with its cell. GitLab shows it as the suite, and keeps only the first of two tests of a job
with the same classname and name.

XML is written as strings, not through ElementTree: commands to CI services have to become character references, and a
large grid has a million test cases.
"""

from __future__ import annotations

import functools
import math
import re
from collections import Counter
from typing import TYPE_CHECKING

from venvgrid.model import CaseOutcome, ExitStatus, Failure, Outcome
from venvgrid.reporters import text
from venvgrid.results.report import Case

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from venvgrid.model import CellResult
    from venvgrid.results.report import Report

MAX_TEXT_LENGTH = 20_000  # characters of one test's failure
CELL = "cell"  # the name of the test case that stands for a cell as a whole
TESTS, FAILURES, ERRORS, SKIPPED = "tests", "failures", "errors", "skipped"
ALL = (TESTS, FAILURES, ERRORS)

_TEXT = {ord(sign): f"&{name};" for sign, name in (("&", "amp"), ("<", "lt"), (">", "gt"), ("\r", "#13"))}
_ATTRIBUTE = _TEXT | {ord(sign): f"&{name};" for sign, name in (('"', "quot"), ("\n", "#10"), ("\t", "#9"))}
# Characters that XML 1.0 forbids, and control characters that it allows but terminals interpret.
_ILLEGAL = re.compile("[^\t\n\r\x20-\x7e\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def render(report: Report, *, files: bool = False) -> str:
    """Return the report as JUnit XML. `files`: with the file of each test, for GitLab."""
    named = functools.cache(functools.partial(_named, with_file=files))  # rendered once, as cells share most tests
    suites = [_Suite(report, cell, named) for cell in report.cells]
    counts = sum((suite.counts for suite in suites), Counter[str]())
    head = f"<testsuites{_attribute('name', report.project or 'venvgrid')}{_counts(counts, report.duration, ALL)}>\n"
    bodies = [line for suite in suites for line in suite.lines()]
    return "".join(['<?xml version="1.0" encoding="utf-8"?>\n', head, *bodies, "</testsuites>\n"])


class _Suite:
    """The test cases of one cell, rendered, and how many there are of each kind."""

    def __init__(self, report: Report, cell: CellResult, named: Callable[[str], tuple[str, str]]) -> None:
        self._report, self._cell, self._named = report, cell, named
        self._classname = _escaped(cell.id)
        self._limit = _finite(cell.durations.get("test", 0.0)) or math.inf  # no test takes longer than its cell
        self.counts: Counter[str] = Counter()
        self._cases: list[str] = []
        self._add_tests()
        self._add_cell()

    def lines(self) -> Iterator[str]:
        """Yield the lines of the suite."""
        cell, report = self._cell, self._report
        started = _attribute("timestamp", report.started) if report.started else ""
        took = sum(map(_finite, cell.durations.values()))
        counts = _counts(self.counts, took, (*ALL, SKIPPED))
        yield f"<testsuite{_attribute('name', cell.id)}{counts}{started}>\n<properties>\n"
        for name, value in _properties(cell):
            yield f"<property{_attribute('name', name)}{_attribute('value', value)}/>\n"
        yield "</properties>\n"
        yield from self._cases
        yield "</testsuite>\n"

    def _add_tests(self) -> None:
        failures = {failure.test: failure for failure in self._cell.failures if failure.test}
        cases = self._report.tests.get(self._cell.id, {})
        for test, case in cases.items():
            self._add(self._named(test), case, failures.get(test))
        for test, failure in failures.items():
            if test not in cases:  # it did not end, or the tests come from a report that lists only failures
                case = Case(verdict=CaseOutcome.FAILED, duration=failure.duration, message=failure.message)
                self._add(self._named(test), case, failure)

    def _add_cell(self) -> None:
        """Add a test case for the cell as a whole, if its tests do not show its outcome."""
        cell = self._cell
        whole = [failure for failure in cell.failures if not failure.test]
        shown = self.counts[FAILURES] + self.counts[ERRORS] if not cell.outcome.is_green else self.counts[TESTS]
        if shown and not whole:
            return
        name, kind = ("", _attribute("name", CELL)), cell.outcome.value
        reason = "\n".join(filter(None, (cell.reason, *(failure.longrepr for failure in whole), *cell.notes)))
        failure = Failure(test="", kind=kind, message=cell.reason or kind, signature="", longrepr=reason)
        if cell.outcome.is_green:
            self._add(name, Case(verdict=CaseOutcome.PASSED), None)
        else:
            verdict = CaseOutcome.SKIPPED if _is_waived(cell, self._report) else CaseOutcome.ERROR
            self._add(name, Case(verdict=verdict, message=cell.reason), failure)

    def _add(self, name: tuple[str, str], case: Case, failure: Failure | None) -> None:
        classname, attributes = name
        took = min(_finite(case.duration), self._limit)
        head = f'<testcase classname="{self._classname}{classname}"{attributes} time="{took:.3f}"'
        self.counts[TESTS] += 1
        match case.verdict:
            case CaseOutcome.PASSED | CaseOutcome.XPASSED:
                body = _problem("flakyFailure", "flaky", case.earlier, "") if case.earlier else ""
            case CaseOutcome.SKIPPED | CaseOutcome.XFAILED:
                self.counts[SKIPPED] += 1
                kind = "pytest.skip" if case.verdict is CaseOutcome.SKIPPED else "pytest.xfail"
                body = _problem("skipped", failure.kind if failure else kind, case.message, "")
            case CaseOutcome.FAILED | CaseOutcome.ERROR:
                is_error = case.verdict is CaseOutcome.ERROR
                self.counts[ERRORS if is_error else FAILURES] += 1
                known = failure or Failure(test="", kind="", message="", signature="")
                body = _problem(
                    "error" if is_error else "failure", known.kind, known.message or case.message, known.longrepr
                )
        self._cases.append(f"{head}>{body}</testcase>\n" if body else f"{head}/>\n")


def _is_waived(cell: CellResult, report: Report) -> bool:
    """Whether an untested cell is skipped instead of failed: impossible, elsewhere, or it may lack its interpreter."""
    if cell.outcome is Outcome.IMPOSSIBLE:
        return not cell.named or cell.allow_failure
    if cell.outcome is Outcome.ELSEWHERE:
        return True
    return cell.outcome is Outcome.MISSING_INTERPRETER and report.exit_status == ExitStatus.PASSED


def _properties(cell: CellResult) -> Iterator[tuple[str, str]]:
    yield "outcome", cell.outcome.value
    yield from ((f"axis.{name}", value) for name, value in cell.axes.items())
    if cell.interpreter:
        yield "python", f"{cell.interpreter.implementation} {cell.interpreter.version}"
    yield from ((f"package.{name}", version) for name, version in cell.packages.items())
    flags = {"allow-failure": cell.allow_failure, "cached": cell.cached, "flaky": cell.outcome is Outcome.FLAKY}
    yield from ((name, "true") for name, is_set in flags.items() if is_set)
    yield from ((name, value) for name, value in (("reason", cell.reason), ("log", cell.log)) if value)
    yield from (("note", note) for note in cell.notes)


def _named(test: str, *, with_file: bool) -> tuple[str, str]:
    """Split "tests/test_a.py::TestB::test_c[1]" into the classname ".tests.test_a.TestB" and the name "test_c[1]"."""
    address, bracket, parameters = test.partition("[")
    names = address.split("::")
    path = names[0]
    names[0] = re.sub(r"\.py$", "", path.replace("/", "."))
    *classes, name = names
    classname = "".join(f".{part}" for part in classes)
    file = _attribute("file", path) if with_file and path.endswith(".py") else ""
    return _escaped(classname), _attribute("name", name + bracket + parameters) + file


def _problem(tag: str, kind: str, message: str, body: str) -> str:
    """Return the element of a failure. Without a body the message is its content, because GitLab shows only that."""
    attributes = (_attribute("type", kind) if kind else "") + _attribute("message", message)
    return f"<{tag}{attributes}>{_content(body or message)}</{tag}>"


def _counts(counts: Counter[str], took: float, names: tuple[str, ...]) -> str:
    numbers = "".join(f' {name}="{counts[name]}"' for name in names)
    return f'{numbers} time="{_finite(took):.3f}"'


def _finite(duration: float) -> float:
    return min(duration, 1e9) if math.isfinite(duration) and duration > 0 else 0.0


def _clean(raw: str) -> str:
    if raw.isascii() and raw.isprintable():
        return raw
    return _ILLEGAL.sub(text.spelt, text.ANSI.sub("", raw))


def _escaped(raw: str) -> str:
    return _uncommanded(_clean(raw).translate(_ATTRIBUTE))


def _attribute(name: str, value: str) -> str:
    return f' {name}="{_escaped(value)}"'


def _content(raw: str) -> str:
    if len(raw) > MAX_TEXT_LENGTH:
        half = MAX_TEXT_LENGTH // 2
        raw = f"{raw[:half]}\n[{len(raw) - 2 * half} characters are left out]\n{raw[-half:]}"
    return _uncommanded(text.COMMAND.sub(r"\1&#58;", _clean(raw).translate(_TEXT)))


def _uncommanded(escaped: str) -> str:
    """Escape commands to CI services, which a printed report could contain."""
    return text.OLD_COMMAND.sub("&#35;", escaped) if "##" in escaped else escaped
