"""The search for a cause by probes: what it runs, when it stops, and what it claims."""

from __future__ import annotations

import itertools
from dataclasses import replace
from typing import TYPE_CHECKING

from hypothesis import given, settings
from hypothesis import strategies as st

from venvgrid.analysis.diagnosis.candidates import Candidate, ProbeRequest, Purpose, swaps
from venvgrid.analysis.diagnosis.diagnosis import Diagnosis, diagnose
from venvgrid.analysis.rules.wording import either
from venvgrid.analysis.search.protocol import Observation, Verdict

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from venvgrid.analysis.search.protocol import Search

NAMES = ("attrs", "click", "idna", "jinja2", "numpy", "pluggy", "six", "werkzeug")
GREEN = dict.fromkeys(NAMES, "1.0")
RED = dict.fromkeys(NAMES, "2.0")
AXES = {"python": "3.12"}
ENDS = {
    "green": Observation(verdict=Verdict.GOOD, axes=AXES, packages=GREEN, runs=2),
    "red": Observation(verdict=Verdict.BAD, axes=AXES, packages=RED, runs=2, bad_runs=2),
}
SWAPS = swaps(AXES, GREEN, RED)

Answer = "Callable[[ProbeRequest], Observation]"


def shown(probe: ProbeRequest, *, bad: bool) -> Observation:
    """Return what a probe shows if it installs what it was expected to install."""
    world, verdict = probe.candidate, Verdict.BAD if bad else Verdict.GOOD
    runs = probe.runs
    return Observation(
        verdict=verdict, axes=world.axes, packages=world.packages, runs=runs, bad_runs=runs if bad else 0
    )


def new(packages: Mapping[str, str], *names: str) -> bool:
    """Whether all of these are the red ones."""
    return all(packages.get(name) == "2.0" for name in names)


def drive(
    search: Search[ProbeRequest, Diagnosis], answer: Callable[[ProbeRequest], Observation]
) -> tuple[Diagnosis, list[ProbeRequest]]:
    """Answer every probe; return the answer and the probes."""
    asked: list[ProbeRequest] = []
    try:
        batch = next(search)
        while True:
            asked += batch
            batch = search.send([answer(probe) for probe in batch])
    except StopIteration as stop:
        return stop.value, asked


def told(diagnosis: Diagnosis) -> str:
    """Return the rule as text."""
    return either(diagnosis.explanation.rules)


def test_one_culprit_between_two_locks() -> None:
    """Of eight distributions that differ, the guilty one is named, and shown three times on both sides."""
    found, asked = drive(diagnose(ENDS, SWAPS), lambda probe: shown(probe, bad=new(probe.candidate.packages, "numpy")))
    assert told(found) == "numpy ≥ 2.0"
    assert found.is_certain
    assert found.failing
    assert (found.failing.runs, found.failing.bad_runs) == (3, 3)
    assert found.passing
    assert (found.passing.runs, found.passing.bad_runs) == (3, 0)
    differ = found.failing.world.packages.items() ^ found.passing.world.packages.items()
    assert ("numpy", "2.0") in differ
    assert len([probe for probe in asked if not probe.is_repeat]) == found.probes <= 8


def test_two_that_break_only_together() -> None:
    """A failure that needs two new releases at once names both."""
    found, _ = drive(
        diagnose(ENDS, SWAPS), lambda probe: shown(probe, bad=new(probe.candidate.packages, "jinja2", "werkzeug"))
    )
    assert told(found) == "jinja2 ≥ 2.0 and werkzeug ≥ 2.0"
    assert found.is_certain


def test_either_of_two() -> None:
    """Two causes of one failure are told with "or"."""
    found, _ = drive(
        diagnose(ENDS, SWAPS, budget=30),
        lambda probe: shown(
            probe, bad=new(probe.candidate.packages, "idna") or new(probe.candidate.packages, "six", "attrs")
        ),
    )
    assert told(found) == "attrs ≥ 2.0 and six ≥ 2.0, or idna ≥ 2.0"


def test_what_does_not_resolve_is_no_evidence() -> None:
    """Probes that show nothing are passed over: the answer is the same, and it says how many there were."""

    def answer(probe: ProbeRequest) -> Observation:
        if "click" in probe.candidate.swapped and "pluggy" not in probe.candidate.swapped:
            return Observation(verdict=Verdict.UNKNOWN, reason="click 2.0 needs pluggy 2.0")
        return shown(probe, bad=new(probe.candidate.packages, "numpy"))

    found, asked = drive(diagnose(ENDS, SWAPS), answer)
    assert told(found) == "numpy ≥ 2.0"
    assert found.unknown == sum(answer(probe).verdict is Verdict.UNKNOWN for probe in asked)


def test_company_is_seen_in_what_was_installed() -> None:
    """The resolver moves werkzeug along with jinja2: the innocent jinja2 is acquitted by what was installed."""

    def answer(probe: ProbeRequest) -> Observation:
        packages = dict(probe.candidate.packages)
        if new(packages, "jinja2"):
            packages["werkzeug"] = "2.0"
        return replace(shown(probe, bad=new(packages, "werkzeug")), packages=packages)

    found, _ = drive(diagnose(ENDS, SWAPS), answer)
    assert told(found) == "werkzeug ≥ 2.0"


def test_a_cell_that_did_not_run_separates_versions() -> None:
    """Bounds use the versions that candidates are expected to have: the first bad release was in no cell that ran."""
    seen = {
        version: Observation(verdict=verdict, axes=AXES, packages={"numpy": version}, runs=2)
        for version, verdict in [("1.0", Verdict.GOOD), ("5.0", Verdict.BAD)]
    }
    cells = [Candidate(name=f"numpy{minor}", axes=AXES, packages={"numpy": f"{minor}.0"}) for minor in (2, 3, 4)]
    found, _ = drive(diagnose(seen, cells), lambda probe: shown(probe, bad=probe.candidate.packages["numpy"] >= "3"))
    assert told(found) == "numpy ≥ 3.0"
    assert found.failing
    assert found.passing
    assert (found.failing.world.name, found.passing.world.name) == ("numpy3", "numpy2")


def grid(failing: str) -> dict[str, Observation]:
    """Return a grid of which one cell fails."""
    rows = itertools.product(("3.9", "3.10", "3.11"), ("1.0", "2.0", "3.0"), ("1.0", "2.0"))
    seen = {}
    for python, numpy, six in rows:
        name = f"py{python}-{numpy}-{six}"
        verdict = Verdict.BAD if name == failing else Verdict.GOOD
        axes, packages = {"python": python, "numpy": numpy}, {"numpy": numpy, "six": six}
        seen[name] = Observation(verdict=verdict, axes=axes, packages=packages)
    return seen


def test_a_failure_seen_once_is_run_again_first() -> None:
    """A flake in one cell: it runs again before anything else, passes, and no rule is told."""
    odd = "py3.10-2.0-2.0"
    found, asked = drive(diagnose(grid(odd), []), lambda probe: shown(probe, bad=False))
    assert (asked[0].candidate.name, asked[0].purpose) == (odd, Purpose.AGAIN)
    assert not found.explanation.rule
    assert not found.is_certain
    assert found.is_flaky


def test_a_failure_seen_once_that_comes_again() -> None:
    """A failure of one cell that comes back is explained."""
    odd = "py3.11-3.0-2.0"
    found, asked = drive(diagnose(grid(odd), []), lambda probe: shown(probe, bad=probe.candidate.name == odd))
    assert asked[0].candidate.name == odd
    assert told(found) == "Python ≥ 3.11 and numpy ≥ 3.0 and six ≥ 2.0"


def test_a_cell_that_the_rule_calls_odd_runs_again() -> None:
    """A flaky pass among failures: the search runs just this cell again, and does not count it against the rule."""
    seen = {
        name: replace(item, verdict=Verdict.BAD if "-3.0-" in name and name != "py3.9-3.0-1.0" else Verdict.GOOD)
        for name, item in grid("").items()
    }
    found, asked = drive(diagnose(seen, []), lambda probe: shown(probe, bad=probe.candidate.packages["numpy"] == "3.0"))
    assert "py3.9-3.0-1.0" in [probe.candidate.name for probe in asked if probe.purpose is Purpose.AGAIN]
    assert told(found) == "numpy ≥ 3.0"
    assert found.is_certain


def test_a_proof_that_does_not_hold_three_times_is_too_flaky() -> None:
    """If the failing side passes in a confirming run, nothing is claimed."""

    def answer(probe: ProbeRequest) -> Observation:
        bad = new(probe.candidate.packages, "numpy")
        if bad and probe.purpose is Purpose.CONFIRM:
            return replace(shown(probe, bad=True), runs=2, bad_runs=1)
        return shown(probe, bad=bad)

    found, _ = drive(diagnose(ENDS, SWAPS), answer)
    assert found.is_flaky
    assert not found.is_certain


def test_without_a_failure_nothing_is_asked() -> None:
    """Where everything passes there is nothing to search."""
    found, asked = drive(diagnose({"green": ENDS["green"]}, SWAPS), lambda probe: shown(probe, bad=False))
    assert not asked
    assert not found.explanation.rule


def test_ends_run_twice_first() -> None:
    """Ends that ran once run again, both before any other probe and at once."""
    once = {name: replace(item, runs=1, bad_runs=min(1, item.bad_runs)) for name, item in ENDS.items()}
    search = diagnose(once, SWAPS, at_once=2, ends=("green", "red"))
    assert [(probe.candidate.name, probe.purpose) for probe in next(search)] == [
        ("green", Purpose.AGAIN),
        ("red", Purpose.AGAIN),
    ]


@settings(max_examples=40)
@given(
    outcomes=st.dictionaries(st.frozensets(st.sampled_from(NAMES)), st.sampled_from(Verdict), max_size=60),
    culprits=st.frozensets(st.sampled_from(NAMES), min_size=1, max_size=3),
    at_once=st.integers(1, 5),
    budget=st.integers(0, 15),
)
def test_laws_of_a_search(
    outcomes: Mapping[frozenset[str], Verdict], culprits: frozenset[str], at_once: int, budget: int
) -> None:
    """Whatever the probes show: equal answers give equal probes, none comes twice, and the budget is kept."""

    def answer(probe: ProbeRequest) -> Observation:
        usual = Verdict.BAD if new(probe.candidate.packages, *culprits) else Verdict.GOOD
        verdict = outcomes.get(frozenset(probe.candidate.swapped), usual)
        if verdict is Verdict.UNKNOWN:
            return Observation(verdict=verdict)
        return shown(probe, bad=verdict is Verdict.BAD)

    def search() -> Search[ProbeRequest, Diagnosis]:
        return diagnose(ENDS, SWAPS[::3], at_once=at_once, budget=budget)

    first, asked = drive(search(), answer)
    second, again = drive(search(), answer)
    assert (asked, first) == (again, second)
    names = [probe.candidate.name for probe in asked if not probe.is_repeat]
    assert len(set(names)) == len(names) == first.probes
    assert set(names).isdisjoint(ENDS)
    assert len(asked) <= budget


def test_no_batch_is_larger_than_allowed() -> None:
    """At most `at_once` probes are asked for at a time."""
    sizes: list[int] = []

    def run(batch: Sequence[ProbeRequest]) -> list[Observation]:
        sizes.append(len(batch))
        return [shown(probe, bad=new(probe.candidate.packages, "numpy", "six")) for probe in batch]

    search = diagnose(ENDS, SWAPS, at_once=3)
    batch = next(search)
    try:
        while True:
            batch = search.send(run(batch))
    except StopIteration:
        pass
    assert max(sizes) == 3
