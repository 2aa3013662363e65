"""The failure that an investigation looks for, and what a result says of it. Pure."""

from __future__ import annotations

from difflib import SequenceMatcher
from typing import TYPE_CHECKING

from venvgrid.analysis.search.protocol import Observation, Verdict
from venvgrid.model import Outcome
from venvgrid.model.names import normalise
from venvgrid.model.values import dataclass
from venvgrid.outcomes.signatures import own_frame, without_environment

if TYPE_CHECKING:
    from collections.abc import Iterable

    from venvgrid.model import CellResult, Failure


ALIKE = 0.9  # share of two messages that is equal


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A failure: its signature, and the tests that fail with it; () where something else than a test failed.

    With the signature "" every failure is meant: the question is whether the tests pass at all.
    """

    signature: str = ""
    tests: tuple[str, ...] = ()
    text: str = ""  # exception and message
    longrepr: str = ""
    place: str = ""  # "file:line": the last line of the project in the traceback
    through: tuple[str, ...] = ()  # distributions that the exception names or its traceback passes

    @classmethod
    def of(cls, result: CellResult, signature: str = "") -> Target:
        """Return a failure of a red cell: the one with a signature, or that of most tests.

        What stopped the cell before its tests comes first. If none of its failures has a signature, any is meant.
        """
        counts: dict[str, int] = {}
        for item in result.failures:
            counts[item.signature] = counts.get(item.signature, 0) + (1 if "::" in item.test else len(result.failures))
        if not counts:
            return cls(text=result.reason)
        signature = signature or max(counts, key=lambda name: counts[name])
        those = [item for item in result.failures if item.signature == signature]
        tests = _tests(those)
        first = those[0]
        return cls(
            signature=signature,
            tests=tests,
            text=": ".join(filter(None, (first.kind, without_environment(first.message)))),
            longrepr=without_environment(next((item.longrepr for item in those if item.longrepr), "")),
            place=own_frame(next((item.longrepr for item in those if item.longrepr), "")),
            through=tuple(dict.fromkeys(normalise(name) for item in those for name in item.through)),
        )

    @classmethod
    def all_of(cls, result: CellResult) -> Target:
        """Return all failures of a red cell."""
        return cls(tests=_tests(result.failures))

    def verdict(self, result: CellResult) -> Verdict:
        """Return what the result of a probe says of the failure."""
        if result.outcome is Outcome.PASSED:
            return Verdict.GOOD
        if result.outcome is Outcome.MISMATCH or not result.outcome.is_red:
            return Verdict.UNKNOWN
        if not self.signature:
            return Verdict.BAD if result.failures or result.outcome is Outcome.FAILED else Verdict.UNKNOWN
        if any(self.is_same(item) for item in result.failures):
            return Verdict.BAD
        ran = bool(_tests(result.failures)) and not result.uncollected
        return Verdict.GOOD if ran and not self.tests else Verdict.UNKNOWN

    def is_same(self, failure: Failure) -> bool:
        """Return whether a failure has the signature, or is that failure in the words of another release.

        From release to release a message may change a little ('CallSpec' becomes 'CallSpec2'), and its place a lot. The
        same exception in the same test with almost the same message is the same failure.
        """
        if failure.signature == self.signature:
            return True
        is_one_of_them = not self.tests or failure.test in self.tests
        words = ": ".join(filter(None, (failure.kind, without_environment(failure.message))))
        if not (is_one_of_them and failure.kind == self.text.partition(":")[0] and failure.message):
            return False
        return SequenceMatcher(None, self.text, words, autojunk=False).ratio() >= ALIKE

    def observation(self, result: CellResult) -> Observation:
        """Return what the result of a probe showed."""
        verdict = self.verdict(result)
        other = ", ".join(dict.fromkeys(item.kind for item in result.failures))
        reason = without_environment(result.reason or other) if verdict is Verdict.UNKNOWN else ""
        return Observation(
            verdict=verdict,
            axes=dict(result.axes),
            packages=dict(result.packages),
            reason=reason,
            bad_runs=int(verdict is Verdict.BAD),
        )


def _tests(failures: Iterable[Failure]) -> tuple[str, ...]:
    """Return the tests that failed; () if something else did, such as the collection of a file."""
    names = tuple(dict.fromkeys(item.test for item in failures))
    return names if all("::" in name for name in names) else ()
