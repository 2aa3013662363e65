"""The search for the releases that break the newest versions, in simulated worlds."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from venvgrid.analysis.search import caps
from venvgrid.analysis.search.bounds import OnePython
from venvgrid.analysis.search.caps import Capped, Ends, newest_passing
from venvgrid.analysis.search.protocol import Observation, Probe, Search, Verdict, answer
from venvgrid.model import Cell
from venvgrid.testing import interpreter

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    Rule = Callable[[Mapping[str, int]], bool]

PYTHON = OnePython(cell=Cell(id="py3.12", axes={"python": "3.12"}), interpreter=interpreter(), dependencies=())
LOWEST = Probe(cell="py3.12-lowest")
OLD, NEW = {"a": "1", "b": "1", "c": "1"}, {"a": "8", "b": "8", "c": "8"}
NOW = datetime(2026, 1, 1, tzinfo=UTC)
WEEKS = (50, 100, 150)  # ago
BORN = 320  # weeks ago: nothing resolves before


def at(weeks: float) -> str:
    """Return the version that all distributions had some weeks ago."""
    return "5" if weeks <= 50 else "3" if weeks <= 200 else "2"


def ago(time: str) -> float:
    return (NOW - datetime.fromisoformat(time)) / timedelta(weeks=1)


def releases(_name: str, good: str, bad: str) -> Sequence[str]:
    return [str(number) for number in range(int(good), int(bad) + 1)]


def search(passes: Rule, unknown: str = "") -> tuple[Capped, list[str]]:
    """Return what is found, and which worlds it kept; with `unknown`, it is why no past or lowest world is known."""
    worlds: dict[str, Mapping[str, str]] = {}

    def world(probe: Probe) -> Mapping[str, str]:
        base = OLD if probe == LOWEST else worlds.get(probe.base, NEW)
        dated = dict.fromkeys(base, at(ago(probe.cutoff))) if probe.cutoff else base
        return {**dated, **dict(probe.pins)}

    def keep(name: str, probe: Probe) -> None:
        assert name not in worlds  # a prober remembers what a probe with this base resolves to
        worlds[name] = world(probe)

    def ask(probes: Sequence[Probe]) -> list[Observation]:
        assert all(probe.cell.startswith("py3.12") for probe in probes)
        shown = [(world(probe), passes({name: int(text) for name, text in world(probe).items()})) for probe in probes]
        if unknown and any(probe == LOWEST or probe.cutoff for probe in probes):
            return [Observation(verdict=Verdict.UNKNOWN, reason=unknown)] * len(probes)
        if any(probe.cutoff and ago(probe.cutoff) > BORN for probe in probes):
            return [Observation(verdict=Verdict.UNKNOWN, reason="no release")] * len(probes)
        return [Observation(verdict=Verdict.GOOD if good else Verdict.BAD, packages=there) for there, good in shown]

    today = Observation(verdict=Verdict.BAD, packages=NEW)
    found: Search[Probe, Capped] = newest_passing(
        PYTHON, today, Ends(lowest=LOWEST, now=NOW, weeks=WEEKS, keep=keep, releases=releases)
    )
    return answer(found, ask), sorted(worlds)


def test_the_release_that_breaks_is_held_back_alone() -> None:
    """The last good release is held, with the world that fails as evidence; other dependencies stay new."""
    found, kept = search(lambda seen: seen["b"] < 6)
    ((guilty, failing),) = found.culprits
    assert (found.held, found.problem) == ({"b": "5"}, "")
    assert (guilty.name, guilty.good, guilty.bad) == ("b", "5", "6")
    assert (failing.observation.verdict, failing.observation.packages["b"]) == (Verdict.BAD, "6")
    assert kept == ["py3.12:0:green", "py3.12:0:red"]


def test_several_breaks_are_found_one_after_the_other() -> None:
    """With the first one held, the newest versions are tried again."""
    found, _ = search(lambda seen: seen["a"] < 4 and seen["c"] < 8)
    assert (found.held, found.problem) == ({"a": "3", "c": "7"}, "")


def test_a_past_date_stands_in_for_lowest_versions_that_fail() -> None:
    """If what is declared fails too, the search starts from the latest date whose versions pass."""
    found, _ = search(lambda seen: seen["a"] >= 2 and seen["b"] < 4)
    assert (found.held, found.problem) == ({"b": "3"}, "")


def test_a_green_time_before_the_dates_that_are_tried_is_found() -> None:
    """The project was green long ago, and before its first release nothing resolves."""
    found, _ = search(lambda seen: seen["b"] == 2)
    assert (found.held, found.problem) == ({"b": "2"}, "")


def test_without_a_green_world_nothing_is_blamed() -> None:
    """A suite that never passes has no upper bounds."""
    found, kept = search(lambda _seen: False)
    assert (found.held, found.culprits, kept) == ({}, [], [])
    assert found.problem == (
        f"{caps.NO_GREEN} (the lowest ones that are declared: they fail; those of the past: they fail)"
    )


def test_worlds_that_are_unknown_are_not_said_to_fail() -> None:
    """An old pip can resolve neither the lowest versions nor those of a date: the reason is told once for each."""
    found, _ = search(lambda _seen: False, unknown="pip cannot")
    assert found.problem == (
        f"{caps.NO_GREEN} (the lowest ones that are declared: cannot be told, pip cannot; "
        "those of the past: cannot be told, pip cannot)"
    )
