"""What is declared of dependencies, and verdicts about it."""

from __future__ import annotations

import pytest
from packaging.specifiers import SpecifierSet

from venvgrid.analysis.search import declared
from venvgrid.analysis.search.bounds import Bound, Bounds, DependencyBounds, Standing, standing
from venvgrid.analysis.search.floors import Floor, Seen
from venvgrid.analysis.search.protocol import Observation, Probe, Verdict
from venvgrid.project.metadata import Metadata

TOO_LOW, RAISED, PROVEN, UNKNOWN = Standing.TOO_LOW, Standing.RAISED, Standing.PROVEN, Standing.UNKNOWN


@pytest.mark.parametrize(
    ("specifier", "expected"),
    [
        (">=1.0", ""),
        (">1.0,<3", "<3"),
        (">=1.0,!=1.5,<=2", "!=1.5,<=2"),
        ("~=1.4", "<2"),
        ("~=1.4.2", "<1.5"),
        ("==1.*", "<2"),
        ("==1.4.*,!=1.4.3", "!=1.4.3,<1.5"),
        ("==1.4", "==1.4"),
        ("!=1.*", "!=1.*"),
    ],
)
def test_a_specifier_without_its_lower_bounds_keeps_all_others(specifier: str, expected: str) -> None:
    """A search below what is declared does not leave the upper bounds and the exclusions."""
    assert declared.without_lower(SpecifierSet(specifier)) == SpecifierSet(expected)


def test_dependencies_are_those_of_the_interpreter_and_its_extras() -> None:
    """Markers count, lines for one name belong together, and the project's own extras are no dependency."""
    metadata = Metadata(
        name="Demo",
        version="1",
        requires=(
            "A_b>=1",
            "tomli>=1 ; python_version < '3.11'",
            'a-b<9,>=2 ; extra == "plot"',
            'c ; extra == "other"',
            'demo[plot] ; extra == "plot"',
            "pinned==1.2",
            "direct @ https://example.org/direct.zip",
        ),
    )
    found = declared.dependencies(metadata.name, metadata.requires, ("plot",), {"python_version": "3.12"})
    assert [item.name for item in found] == ["a-b", "pinned", "direct"]
    first, pinned, direct = found
    assert (first.specifier, first.has_floor, first.fixed) == (SpecifierSet(">=1,<9,>=2"), True, "")
    assert (first.allows("1.5"), first.allows("2.5"), first.possible("1.5"), first.possible("9.1")) == (
        *(False, True),
        *(True, False),
    )
    assert pinned.fixed == "it is pinned (==1.2)"
    assert direct.fixed == "it comes from an address"
    old = declared.dependencies(metadata.name, metadata.requires, (), {"python_version": "3.9"})
    assert [item.name for item in old] == ["a-b", "tomli", "pinned", "direct"]


def test_relaxed_metadata_keep_markers_and_extras() -> None:
    """A search resolves with the project's own requirements, apart from the lower bounds."""
    metadata = Metadata(name="demo", version="1", requires=('a[x]>=1,<3 ; extra == "plot"', "b", "c==1.0"))
    assert declared.relaxed(metadata.requires) == ('a[x]<3; extra == "plot"', "b", "c==1.0")


def seen(version: str, verdict: Verdict, runs: int = 1) -> Seen:
    return Seen(version=version, probe=Probe(), observation=Observation(verdict=verdict, runs=runs))


FAILS = seen("1.1", Verdict.BAD)
MISSING = seen("1.1", Verdict.UNKNOWN, runs=0)
BROKEN = seen("1.1", Verdict.UNKNOWN)


@pytest.mark.parametrize(
    ("declaration", "floor", "expected"),
    [
        (">=1.0", Floor(name="a", version="1.2", below=FAILS, failing=FAILS), TOO_LOW),
        (">=1.2", Floor(name="a", version="1.2", below=FAILS, failing=FAILS), PROVEN),
        (">=1.3", Floor(name="a", version="1.2", below=FAILS, failing=FAILS), PROVEN),
        ("", Floor(name="a", version="1.2", below=FAILS, failing=FAILS), TOO_LOW),
        (">=1.0", Floor(name="a", version="1.0"), PROVEN),
        ("", Floor(name="a", version="1.0"), PROVEN),
        (">=1.0", Floor(name="a", version="1.2", below=MISSING), RAISED),
        (">=1.0", Floor(name="a", version="1.2"), RAISED),
        ("", Floor(name="a", version="1.2", below=MISSING), PROVEN),
        (">=1.2", Floor(name="a", version="1.2", below=MISSING), PROVEN),
        (">=1.0", Floor(name="a", version="1.2", below=BROKEN), UNKNOWN),
        (">=1.0", Floor(name="a", version="1.3", below=MISSING, skipped=("1.2",)), UNKNOWN),
        (">=1.0", Floor(name="a", version="1.2", below=FAILS, failing=FAILS, flaky=True), UNKNOWN),
        (
            ">=1.0",
            Floor(name="a", version="1.2", below=MISSING, failing=seen("1.0", Verdict.BAD)),
            TOO_LOW,
        ),
    ],
)
def test_a_bound_is_judged_by_what_lies_below_the_floor(declaration: str, floor: Floor, expected: Standing) -> None:
    """A failure that is declared is wrong; what cannot be installed raises the bound; anything else is unknown."""
    specifier = SpecifierSet(declaration)
    found = standing(
        floor,
        ["1.0", "1.1", "1.2", "1.3"],
        specifier.contains,
        has_floor=bool(declaration),
        undecided=False,
    )
    assert found is expected


def test_a_resolve_that_could_not_be_decided_is_no_verdict() -> None:
    """A network that fails does not raise a bound."""
    floor = Floor(name="a", version="1.2", below=MISSING)
    found = standing(floor, ["1.0", "1.2"], SpecifierSet(">=1.0").contains, has_floor=True, undecided=True)
    assert found is UNKNOWN


def bound(python: str, proven: str, verdict: Standing, *, fails: bool = False) -> Bound:
    return Bound(name="a", python=python, declared=">=1", standing=verdict, proven=proven, fails_below=fails)


@pytest.mark.parametrize(
    ("bounds", "verdict", "floor", "write"),
    [
        # A newer Python has no wheels of old releases: that is no reason to raise the bound for all.
        ([bound("3.9", "1.0", PROVEN), bound("3.13", "2.0", RAISED)], PROVEN, "1.0", ""),
        ([bound("3.9", "1.5", RAISED), bound("3.13", "2.0", RAISED)], RAISED, "1.5", "1.5"),
        ([bound("3.9", "1.5", TOO_LOW, fails=True), bound("3.13", "2.0", RAISED)], TOO_LOW, "1.5", "1.5"),
        ([bound("3.9", "1.0", PROVEN), bound("3.13", "1.7", TOO_LOW, fails=True)], TOO_LOW, "1.7", "1.7"),
        ([bound("3.9", "1.9", PROVEN, fails=True), bound("3.13", "1.10", PROVEN, fails=True)], PROVEN, "1.10", ""),
        ([bound("3.9", "1.0", PROVEN), bound("3.13", "", UNKNOWN)], UNKNOWN, "1.0", ""),
        ([bound("3.9", "", Standing.IMPOSSIBLE)], Standing.IMPOSSIBLE, "", ""),
    ],
)
def test_one_bound_has_to_be_right_on_all_pythons(
    bounds: list[Bound], verdict: Standing, floor: str, write: str
) -> None:
    """A failure on any Python counts; a bound that one Python reaches is reached."""
    found = DependencyBounds(name="a", lines=("a>=1",), bounds=tuple(bounds))
    assert (found.standing, found.floor, found.to_write) == (verdict, floor, write)


def test_the_project_is_wrong_before_it_is_unknown() -> None:
    """A wrong bound counts more than one that nothing is known of; a pinned dependency counts nothing."""
    wrong = DependencyBounds(name="a", lines=("a",), bounds=(bound("3.9", "1.7", TOO_LOW, fails=True),))
    open_ = DependencyBounds(name="b", lines=("b",), bounds=(bound("3.9", "", UNKNOWN),))
    pinned = DependencyBounds(name="c", lines=("c==1",), fixed="it is pinned (==1)")

    def overall(*dependencies: DependencyBounds, **problems: str) -> Standing:
        return Bounds(project="x", pythons=("3.9",), dependencies=dependencies, problems=problems).standing

    assert (overall(wrong, open_), overall(open_, pinned), overall(pinned)) == (TOO_LOW, UNKNOWN, PROVEN)
    assert overall(pinned, python="there is none") is UNKNOWN
