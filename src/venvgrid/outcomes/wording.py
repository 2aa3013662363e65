"""Words of a judgement: tests by number and by name, and notes of what a session left out. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from venvgrid.model import CaseOutcome

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from venvgrid.model import Failure
    from venvgrid.outcomes.attestation import Expectation
    from venvgrid.outcomes.observation import Observation

NEVER_HINT = 'the tests prove nothing about it (if that is right, set imports = "noted" in [test])'
HINT = (
    'if it runs other tests, set `reports` in [test] to "junit:FILE" or "exit-status"; '
    "if it runs pytest, it must hand on PYTEST_ADDOPTS"
)
NO_TESTS_COLLECTED = 5  # pytest's exit status
MAX_NAMES = 3  # tests that a reason names
MAX_NAME_LENGTH = 160  # characters


def rerun(observed: Observation) -> str:
    """Return why a cell is flaky although pytest says that all tests passed."""
    found = observed.reruns
    what = "it again or changed its result" if len(found) == 1 else "them again or changed their results"
    return f"{tests(len(found))} failed at first, and a plugin ran {what}: {some(list(found))}"


def told(observed: Observation) -> tuple[str, ...]:
    """Return notes of what was left out of the sessions."""
    deselected = sum(observed.deselected.values())
    notes = [f"{tests(deselected)} {'was' if deselected == 1 else 'were'} deselected"] if deselected else []
    if observed.unrun:
        notes.append(f"{tests(len(observed.unrun))} expected to fail without being run")
    if observed.is_last_failed:
        notes.append("only the tests that failed last were run (--lf)")
    return tuple(notes)


def imported(observed: Observation, expected: Expectation) -> set[str]:
    """Return the names of the distributions that the probe saw imported, where the witness was not let in."""
    attested = [seen.attested for seen in observed.sessions.values() if seen.attested is not None]
    own = {expected.project} if any(item.project_imported for item in attested) else set()
    return own.union(*(item.imported for item in attested))


def failed(
    counts: Mapping[CaseOutcome, int], failures: Sequence[Failure], status: int | None, uncollected: int = 0
) -> str:
    """Return how many tests failed and files could not be collected, with the first failure."""
    bad, errors = counts[CaseOutcome.FAILED], counts[CaseOutcome.ERROR] - uncollected
    parts = [f"{bad} failed" if bad else "", f"{errors} error{'s' if errors > 1 else ''}" if errors > 0 else ""]
    text = " and ".join(part for part in parts if part)
    found = [f"{text} of {tests(sum(counts.values()) - uncollected)}"] if text else []
    found += [f"{files(uncollected)} could not be collected"] if uncollected else []
    first = failures[0] if failures else None
    example = f": {short(first.test)}: {first.kind}: {first.message}".rstrip(": ") if first else ""
    swallowed = ", though the command exited with status 0" if status == 0 else ""
    return f"{', and '.join(found)}{swallowed}{example}"


def because(cause: str, counts: Mapping[CaseOutcome, int], status: int | None) -> str:
    """Return the reason of a cell in which no test failed: the tool's own error, and how the command ended."""
    if executed(counts):
        return f"{cause} ({all_passed(counts)})"
    return f"{cause} (status {status})" if status and status != NO_TESTS_COLLECTED else cause


def all_passed(counts: Mapping[CaseOutcome, int]) -> str:
    """Return that all tests passed, in words."""
    number = executed(counts)
    return "no test ran" if number == 0 else "the only test passed" if number == 1 else f"all {number} tests passed"


def executed(counts: Mapping[CaseOutcome, int]) -> int:
    """Return the number of tests that were not skipped."""
    return sum(number for verdict, number in counts.items() if verdict is not CaseOutcome.SKIPPED)


def files(number: int) -> str:
    """Return a number of test files in words."""
    return "1 test file" if number == 1 else f"{number} test files"


def some(names: list[str]) -> str:
    """Return the first names of tests, and how many more there are."""
    more = f" and {len(names) - MAX_NAMES} more" if len(names) > MAX_NAMES else ""
    return ", ".join(short(test) for test in names[:MAX_NAMES]) + more


def short(test: str) -> str:
    """Return a test's name in one line of limited length."""
    name = "".join(character if character.isprintable() else " " for character in test)
    return name if len(name) <= MAX_NAME_LENGTH else f"{name[: MAX_NAME_LENGTH // 2]}…{name[-MAX_NAME_LENGTH // 2 :]}"


def tests(number: int) -> str:
    """Return a number of tests in words."""
    return "1 test" if number == 1 else f"{number} tests"


def nothing_ran(counts: Mapping[CaseOutcome, int], empty: str, reasons: Collection[str] = (), unrun: int = 0) -> str:
    """Return why no test was executed."""
    skipped = counts[CaseOutcome.SKIPPED]
    if unrun:
        more = f", {tests(skipped)} skipped" if skipped else ""
        return f"no test was executed: {tests(unrun)} expected to fail without being run{more}"
    if not skipped:
        return empty
    why = f" ({', '.join(reasons)})" if len(reasons) == 1 else ""
    return f"all {skipped} tests were skipped{why}" if skipped > 1 else f"the only test was skipped{why}"
