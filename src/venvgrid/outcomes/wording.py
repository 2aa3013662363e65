"""Words of a judgement: tests by number and by name, and notes of what a session left out. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from venvgrid.model import CaseOutcome

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from venvgrid.outcomes.attestation import Expectation
    from venvgrid.outcomes.observation import Observation

NEVER_HINT = 'the tests prove nothing about it (if that is right, set imports = "noted" in [test])'
HINT = (
    'if it runs other tests, set `reports` in [test] to "junit:FILE" or "exit-status"; '
    "if it runs pytest, it must hand on PYTEST_ADDOPTS"
)
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
