"""What the result of a probe says of the failure that is looked for."""

from __future__ import annotations

from dataclasses import replace

import pytest

from venvgrid.analysis.search.protocol import Verdict
from venvgrid.app.investigation.target import Target
from venvgrid.model import CellResult, Failure, Outcome


def failure(test: str, kind: str, message: str, signature: str = "") -> Failure:
    return Failure(test=test, kind=kind, message=message, signature=signature or f"{kind}: {message}")


def red(*failures: Failure, **more: object) -> CellResult:
    made = CellResult(id="py3.11", axes={"python": "3.11"}, outcome=Outcome.FAILED, failures=failures)
    return replace(made, **more)  # type: ignore[arg-type]


LOST = failure("test_it.py::test_it", "AttributeError", "'CallSpec' object has no attribute 'funcargs'")
TARGET = Target.of(red(LOST))


@pytest.mark.parametrize(
    ("result", "verdict"),
    [
        (red(outcome=Outcome.PASSED), Verdict.GOOD),
        (red(LOST), Verdict.BAD),
        (
            red(replace(LOST, signature="elsewhere", message="'CallSpec2' object has no attribute 'funcargs'")),
            Verdict.BAD,
        ),
        (red(failure(LOST.test, "AttributeError", "module 'werkzeug' has no attribute 'url_quote'")), Verdict.UNKNOWN),
        (red(failure(LOST.test, "TypeError", LOST.message)), Verdict.UNKNOWN),
        (
            red(failure("test_it.py::test_other", LOST.kind, "'CallSpec2' object has no attribute 'funcargs'")),
            Verdict.UNKNOWN,
        ),
        (red(outcome=Outcome.BUILD_FAILED), Verdict.UNKNOWN),
        (red(LOST, outcome=Outcome.MISMATCH), Verdict.UNKNOWN),
        (red(outcome=Outcome.FLAKY), Verdict.UNKNOWN),
    ],
)
def test_verdicts_are_by_failure_and_not_by_exit_status(result: CellResult, verdict: Verdict) -> None:
    """The same failure is bad, passing tests are good; another failure, a build or a mismatch says nothing."""
    assert TARGET.verdict(result) is verdict


def test_a_file_that_is_not_collected_is_no_test() -> None:
    """All tests run then: where the file is collected, other failures do not matter."""
    broken = red(failure("test_it.py", "ImportError", "no"), uncollected=1)
    target = Target.of(broken)
    assert target.tests == ()
    assert target.verdict(broken) is Verdict.BAD
    assert target.verdict(red(failure("test_it.py::test_it", "ValueError", "x"))) is Verdict.GOOD
    assert target.verdict(red(failure("test_b.py", "SyntaxError", "x"), uncollected=1)) is Verdict.UNKNOWN


def test_the_failure_of_most_tests_is_looked_for_first() -> None:
    """All failures of a cell are to be explained; the search begins with one."""
    one = failure("a.py::test_1", "ValueError", "one")
    two = [failure(f"a.py::test_{number}", "KeyError", "two") for number in (2, 3)]
    result = red(one, *two)
    assert Target.of(result).tests == ("a.py::test_2", "a.py::test_3")
    assert Target.of(result, one.signature).tests == ("a.py::test_1",)
    assert Target.all_of(result).tests == ("a.py::test_1", "a.py::test_2", "a.py::test_3")


def test_a_cell_without_failures_has_any_failure() -> None:
    """What stopped a cell without a signature is any failure."""
    target = Target.of(red(reason="exit status 1"))
    assert (target.signature, target.text) == ("", "exit status 1")
    assert target.verdict(red(reason="exit status 1")) is Verdict.BAD
    assert target.verdict(red(outcome=Outcome.PASSED)) is Verdict.GOOD
