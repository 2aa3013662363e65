"""The causes that fit, and what else could be true: compared with trying everything."""

from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st

from venvgrid.analysis.diagnosis import causes
from venvgrid.analysis.diagnosis.candidates import Candidate
from venvgrid.analysis.diagnosis.diagnosis import diagnose
from venvgrid.analysis.rules.conditions import common
from venvgrid.analysis.search.protocol import Observation, Verdict

WORLDS = 8
SETS = st.lists(st.integers(1, 2**WORLDS - 2), min_size=1, max_size=7, unique=True)


def shortest(atoms: list[int], bad: int, good: int) -> dict[int, set[frozenset[int]]]:
    """Return by the failing worlds the conjunctions that hold for no passing one and need all their conditions."""
    found: dict[int, set[frozenset[int]]] = {}
    for size in (1, 2, 3):
        for form in itertools.combinations(atoms, size):
            cells = common(form)
            shorter = (common(rest) for rest in itertools.combinations(form, size - 1)) if size > 1 else ()
            if cells & bad and not cells & good and all(less & good for less in shorter):
                found.setdefault(cells & bad, set()).add(frozenset(form))
    return found


@given(SETS, st.integers(1, 2**WORLDS - 2))
def test_all_shortest_conjunctions_are_found(atoms: list[int], bad: int) -> None:
    """No conjunction of up to three conditions that fits is missing, and none is found that does not fit."""
    good = (2**WORLDS - 1) & ~bad
    found = causes.causes(dict.fromkeys(atoms, 1.0), bad, good)
    wanted = shortest(atoms, bad, good)
    assert found.keys() == wanted.keys()
    for hits, cause in found.items():
        forms = {frozenset(form) for _, form in cause.forms}
        assert forms <= wanted[hits]
        assert len(forms) == min(len(wanted[hits]), causes.MOST_FORMS)


@given(SETS, st.integers(1, 2**WORLDS - 2))
def test_two_causes_cover_all_failures_and_none_does_alone(atoms: list[int], bad: int) -> None:
    """All pairs of causes that explain the failing worlds together are found, each once."""
    found = causes.causes(dict.fromkeys(atoms, 1.0), bad, (2**WORLDS - 1) & ~bad)
    alone = [hits for hits in found if bad & ~hits]
    wanted = {frozenset(pair) for pair in itertools.combinations(alone, 2) if pair[0] | pair[1] == bad}
    made = [frozenset((one, two)) for _, one, two in causes.covers(found, bad)]
    assert set(made) == wanted
    assert len(made) == len(wanted)


def test_a_second_cause_that_a_fitting_rule_hides_is_found() -> None:
    """One rule fits all cells that ran; a probe in a world of the other cause, which ran only with the first, shows it.

    a=2 breaks, and so does b=2 with c=2. No cell ran with the latter and without the former.
    """

    def world(name: str, versions: tuple[str, ...]) -> Candidate:
        return Candidate(name=name, axes={"python": "3.12"}, packages=dict(zip("abc", versions, strict=True)))

    every = [world("".join(versions), versions) for versions in itertools.product("12", repeat=3)]

    def shown(it: Candidate, runs: int = 1) -> Observation:
        a, b, c = it.packages.values()
        verdict = Verdict.BAD if a == "2" or (b, c) == ("2", "2") else Verdict.GOOD
        bad_runs = runs if verdict is Verdict.BAD else 0
        return Observation(verdict=verdict, axes=it.axes, packages=it.packages, runs=runs, bad_runs=bad_runs)

    ran = {it.name: shown(it) for it in every if it.name in {"111", "121", "112", "222", "211"}}
    search = diagnose(ran, every)
    asked = next(search)
    try:
        while True:
            asked = search.send([shown(probe.candidate, probe.runs) for probe in asked])
    except StopIteration as stop:
        found = stop.value
    told = {" and ".join(item.text for item in rule) for rule in found.explanation.rules}
    assert told == {"a ≥ 2", "b ≥ 2 and c ≥ 2"}
