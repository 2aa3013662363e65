"""The failure that a bisection looks for, and what its answer says of releases."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from venvgrid.analysis.search.bisection import Bisected, Change, Problem
from venvgrid.analysis.search.protocol import Observation, Probe, Verdict
from venvgrid.app.investigation.bisect import Bisection, Found, Step, aimed, doubted, told
from venvgrid.app.investigation.target import Target
from venvgrid.model import CellResult, Failure, Outcome

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

RED = CellResult(
    id="py3.12",
    axes={"python": "3.12"},
    outcome=Outcome.FAILED,
    failures=(Failure(test="t.py::test_a", kind="TypeError", message="no", signature="s"),),
)
GREEN = replace(RED, outcome=Outcome.PASSED, failures=())


@dataclass
class Context:
    """What a prober is asked for by who aims it."""

    said: list[str] = field(default_factory=list)

    @property
    def front(self) -> Context:
        return self

    def notify(self, text: str) -> None:
        self.said.append(text)


@dataclass
class FakeProber:
    """A prober of one world, whose result follows from the tests that run."""

    result_of: Callable[[tuple[str, ...]], CellResult]
    context: Context = field(default_factory=Context)
    target: Target = field(default_factory=Target)
    resolves: int = 0
    tests: int = 0
    asked: list[tuple[tuple[str, ...], int]] = field(default_factory=list)  # tests, and probes, of each round

    def ask(self, probes: Sequence[Probe], ahead: Sequence[Probe] = ()) -> list[Observation]:
        self.asked.append((self.target.tests, len(probes) + len(ahead)))
        return [self.target.observation(self.result_of(self.target.tests)) for _ in probes]

    def result(self, probe: Probe) -> CellResult:
        del probe
        return self.result_of(self.target.tests)


def target(result_of: Callable[[tuple[str, ...]], CellResult], earlier: CellResult | None = None) -> tuple[Target, int]:
    """Return the target, and how many messages were told on the way to it."""
    prober = FakeProber(result_of)
    return aimed(prober, Probe(), earlier).target, len(prober.context.said)  # type: ignore[arg-type]


def test_the_failure_is_that_of_the_last_run_if_it_is_still_there() -> None:
    """Then not all tests have to run; a failure that the bad end has not is not looked for."""
    other = replace(
        RED, failures=(replace(RED.failures[0], signature="other", kind="ValueError", message="another one"),)
    )
    assert target(lambda _tests: RED, RED) == (Target.of(RED), 0)
    assert target(lambda _tests: RED, other) == (Target.of(RED), 1)
    assert target(lambda _tests: RED) == (Target.of(RED), 1)


def test_tests_that_fail_only_together_run_together() -> None:
    """A failure that comes of other tests is looked for with all of them."""
    found, messages = target(lambda tests: GREEN if tests else RED)
    assert (found.signature, found.tests, messages) == ("s", (), 2)


def test_what_is_asked_in_any_case_runs_beside_the_bad_end() -> None:
    """It waits until the tests that fail are known: only these run in it, and there is one round less."""
    ahead = [Probe(again=1), Probe(cutoff="2022-03-01T00:00:00Z")]
    prober = FakeProber(lambda _tests: RED)
    aimed(prober, Probe(), None, ahead)  # type: ignore[arg-type]
    assert prober.asked == [((), 1), (("t.py::test_a",), 3)]
    prober = FakeProber(lambda _tests: RED)
    aimed(prober, Probe(), RED, ahead)  # type: ignore[arg-type]
    assert prober.asked == [(("t.py::test_a",), 3)]


def test_a_green_end_has_no_failure() -> None:
    """Any failure is meant then, and the search says that its bad end is good."""
    assert target(lambda _tests: GREEN) == (Target(), 1)
    assert doubted(Problem.NOT_BAD, Target()) is Problem.NOT_BAD
    assert doubted(Problem.NOT_BAD, Target.of(RED)) is Problem.FLAKY
    assert doubted(None, Target.of(RED)) is None


def test_places_become_versions() -> None:
    """Each place that was tried is a step with its runs; what lies between the sides has its reason, or none."""
    good, bad = Observation(verdict=Verdict.GOOD), Observation(verdict=Verdict.BAD)
    unknown = Observation(verdict=Verdict.UNKNOWN, reason="it does not resolve", runs=0)
    found = Bisected(
        changes=(Change(good=0, bad=3, skipped=(1, 2)),), seen={3: [bad, bad, bad], 0: [good], 2: [unknown]}
    )
    made = told(found, ["1", "2", "3", "4"], Bisection(kind="releases", name="x", cell="c"), Target.of(RED))
    assert made.changes == (Found(good="1", bad="4", skipped={"2": "", "3": "it does not resolve"}),)
    assert made.steps == (
        Step(name="1", verdict=Verdict.GOOD, runs=1, bad_runs=0),
        Step(name="3", verdict=Verdict.UNKNOWN, runs=0, bad_runs=0, reason="it does not resolve"),
        Step(name="4", verdict=Verdict.BAD, runs=3, bad_runs=3),
    )
    assert (made.failure, made.tests) == ("TypeError: no", ("t.py::test_a",))
