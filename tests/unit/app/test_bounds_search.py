"""The search for bounds of one Python, with a prober and an index that are simulated."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import pytest

from venvgrid import testing
from venvgrid.analysis.search import declared
from venvgrid.analysis.search.bounds import LOWEST, Found, OnePython, Project, Standing
from venvgrid.analysis.search.protocol import Observation, Probe, Verdict, answer
from venvgrid.app.bounds.bounds import Searcher
from venvgrid.app.bounds.evidence import Witness
from venvgrid.model import Attestation, Cell, CellResult, LockEntry, Outcome
from venvgrid.project.metadata import Metadata
from venvgrid.resolving.version_policies import Release

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from venvgrid.analysis.search.bounds import Bound

PYTHON = testing.interpreter("3.12.1")
RELEASES = {
    "a": tuple(Release(version=f"1.{minor}", requires_python=">=3.9" if minor < 8 else "") for minor in range(10)),
    "b": (
        Release(version="1.0", has_wheel=False, has_sdist=True),
        Release(version="1.1", requires_python="<3.12"),
        Release(version="1.2"),
        Release(version="1.3"),
        Release(version="2.0rc1"),
        Release(version="2.0"),
    ),
}


WHY = "no (/home/me/.venvgrid/store/037073d6be833be2/lib/python3.12/site-packages/a/b.py)"


@dataclass
class FakeProber:
    """Answers by a rule over the versions of a world; `lies` are versions that the tests do not attest."""

    passes: Callable[[Mapping[str, str]], bool]
    resolves: Callable[[Mapping[str, str]], bool] = lambda _world: True
    lowest: Mapping[str, str] = field(default_factory=lambda: {"a": "1.0", "b": "1.2"})
    lies: Mapping[str, str] = field(default_factory=dict)
    undecided: dict[Probe, str] = field(default_factory=dict)
    bases: dict[str, Any] = field(default_factory=dict)
    asked: list[Probe] = field(default_factory=list)
    builds: set[str] = field(default_factory=set)
    tests: int = 0

    def world(self, probe: Probe) -> dict[str, str]:
        base = self.lowest if probe.cell.endswith(LOWEST) else {"a": "1.9", "b": "2.0"}
        base = {item.name: item.version for item in self.bases[probe.base]} if probe.base else base
        return {**base, **dict(probe.pins)}

    def resolve(self, probe: Probe) -> LockEntry | str:
        world = self.world(probe)
        if not self.resolves(world):
            return "it does not resolve"
        items = tuple(testing.distribution(name, version) for name, version in world.items())
        return LockEntry(key="x", interpreter=PYTHON, distributions=items)

    def ask(self, probes: Sequence[Probe]) -> list[Observation]:
        self.asked += probes
        return [self._observe(probe) for probe in probes]

    def _observe(self, probe: Probe) -> Observation:
        world = self.world(probe)
        if not self.resolves(world):
            return Observation(verdict=Verdict.UNKNOWN, reason="it does not resolve", runs=0)
        return Observation(verdict=Verdict.GOOD if self.passes(world) else Verdict.BAD, packages=world)

    def result(self, probe: Probe) -> CellResult | None:
        world = self.world(probe)
        if not self.resolves(world):
            return None
        outcome = Outcome.PASSED if self.passes(world) else Outcome.FAILED
        attested = Attestation(packages={**world, **self.lies})
        return CellResult(id=probe.cell, axes={}, outcome=outcome, attested=attested, tests={"passed": 3}, reason=WHY)


def search(
    prober: FakeProber, *lines: str, check: bool = False, only_binary: bool = True
) -> tuple[Found, dict[str, Bound]]:
    """Search the bounds of a project with these dependencies on one Python."""
    install = SimpleNamespace(only_binary=only_binary, source_builds=(), pre_releases=False)
    context = SimpleNamespace(config=SimpleNamespace(install=install), front=SimpleNamespace(notify=lambda _text: None))
    index = SimpleNamespace(addresses=("x",), folders=(), releases=RELEASES.__getitem__)
    metadata = Metadata(name="demo", version="1", requires=lines)
    python = OnePython(
        cell=Cell(id="py3.12", axes={"python": "3.12"}),
        interpreter=PYTHON,
        dependencies=declared.dependencies(metadata.name, metadata.requires, (), {}),
    )
    searcher = Searcher(
        context=cast("Any", context),
        prober=cast("Any", prober),
        times=cast("Any", SimpleNamespace(index=index)),
        check=check,
    )
    found = answer(searcher.search(python), searcher.ask)
    names = tuple(item.name for item in python.dependencies)
    witness = Witness(prober=cast("Any", prober), releases=searcher.finals, names=names)
    project = Project(name="demo", values=("3.12",), pythons=[python])
    return found, {item.name: item.bounds[0] for item in witness.bounds(project, [found]).dependencies if item.bounds}


def builds(prober: FakeProber) -> int:
    return len({probe for probe in prober.asked if not probe.again})


def test_a_check_that_passes_tests_one_cell() -> None:
    """What is declared, at its lowest, is all that CI has to build."""
    prober = FakeProber(passes=lambda world: world["a"] >= "1.3", lowest={"a": "1.3", "b": "1.2"})
    _, bounds = search(prober, "a>=1.3", "b>=1.2", check=True)
    assert {name: item.standing for name, item in bounds.items()} == {"a": Standing.PROVEN, "b": Standing.PROVEN}
    assert builds(prober) == 1


def test_a_check_that_fails_searches_only_what_is_declared() -> None:
    """The floor that would pass is told; releases below what is declared are not tried."""
    prober = FakeProber(passes=lambda world: world["a"] >= "1.6", lowest={"a": "1.3", "b": "1.2"})
    _, bounds = search(prober, "a>=1.3", "b>=1.2", check=True)
    assert (bounds["a"].standing, bounds["a"].resolvable, bounds["a"].proven) == (Standing.TOO_LOW, "1.3", "1.6")
    assert bounds["b"].standing is Standing.PROVEN
    prober = FakeProber(passes=lambda world: world["b"] >= "1.3", lowest={"a": "1.3", "b": "1.2"})
    _, bounds = search(prober, "a>=1.3", "b>=1.2", check=True)
    assert (bounds["b"].standing, bounds["a"].proven) == (Standing.TOO_LOW, "1.3")
    assert all(dict(probe.pins).get("a", "1.9") >= "1.3" for probe in prober.asked)


def test_what_the_tests_require_does_not_raise_a_bound() -> None:
    """The resolver takes a newer release because of pytest; what is declared can be installed, and is tested."""
    prober = FakeProber(passes=lambda _world: True, lowest={"a": "1.7", "b": "1.2"})
    _, bounds = search(prober, "a>=1.3", "b>=1.2", check=True)
    assert (bounds["a"].standing, bounds["a"].resolvable) == (Standing.PROVEN, "1.3")
    assert prober.asked == [Probe(cell=f"py3.12{LOWEST}", pins=(("a", "1.3"),))]


def test_a_bound_that_the_resolver_raises_is_told() -> None:
    """The lowest release that is declared does not resolve: the bound was never tested by anybody."""
    prober = FakeProber(
        passes=lambda _world: True, resolves=lambda world: world["a"] >= "1.5", lowest={"a": "1.5", "b": "1.2"}
    )
    _, bounds = search(prober, "a>=1.3", "b>=1.2", check=True)
    assert (bounds["a"].standing, bounds["a"].resolvable, bounds["a"].proven) == (Standing.RAISED, "1.5", "1.5")


def test_releases_that_no_wheel_fits_are_not_tried() -> None:
    """Of b, 1.0 has no wheel, 1.1 wants another Python, and 2.0rc1 is a pre-release: none of them costs a build."""
    prober = FakeProber(passes=lambda _world: True)
    _, bounds = search(prober, "a", "b>=0.5")
    tried = {version for probe in prober.asked for name, version in probe.pins if name == "b"}
    assert tried == {"1.2"}
    assert (bounds["b"].proven, bounds["b"].standing) == ("1.2", Standing.RAISED)
    assert (bounds["a"].proven, bounds["a"].standing) == ("1.0", Standing.PROVEN)


def test_a_version_that_was_not_attested_proves_nothing() -> None:
    """The tests pass, but with another version than the probe asked for: no floor comes of it."""
    honest = FakeProber(passes=lambda _world: True)
    _, bounds = search(honest, "a>=1.2")
    assert bounds["a"].proven == "1.0"
    lying = FakeProber(passes=lambda _world: True, lies={"a": "1.9"})
    _, bounds = search(lying, "a>=1.2")
    assert (bounds["a"].proven, bounds["a"].standing) == ("1.9", Standing.UNKNOWN)


def test_a_resolver_that_cannot_tell_is_no_evidence() -> None:
    """Where the network fails, a bound is neither proven nor wrong."""
    prober = FakeProber(passes=lambda _world: True, resolves=lambda world: world["a"] >= "1.5")
    prober.undecided = {Probe(cell="py3.12", pins=(("a", f"1.{minor}"),)): "no network" for minor in range(5)}
    _, bounds = search(prober, "a>=1.2")
    assert (bounds["a"].proven, bounds["a"].standing) == ("1.5", Standing.UNKNOWN)
    assert bounds["a"].note == "nothing is known of 1.4: it does not resolve"


def test_evidence_is_the_cell_that_passed_and_the_one_that_failed() -> None:
    """Each bound has both, with attested versions and the number of tests; reasons name no place of this machine."""
    prober = FakeProber(passes=lambda world: world["a"] >= "1.4")
    _, bounds = search(prober, "a>=1.2")
    proof, worse = bounds["a"].evidence
    assert (proof.outcome, proof.versions, proof.tests, proof.python) == ("passed", {"a": "1.4"}, 3, "3.12.1")
    assert (worse.outcome, worse.versions, worse.reason) == ("failed", {"a": "1.3"}, "no (a/b.py)")


@pytest.mark.parametrize("check", [False, True])
def test_a_suite_that_never_passes_cannot_be_judged(*, check: bool) -> None:
    """Neither the newest nor the lowest versions pass: nothing is wrong with bounds as far as is known."""
    found, bounds = search(FakeProber(passes=lambda _world: False), "a>=1.2", check=check)
    assert "the tests fail" in found.problem
    assert (bounds["a"].standing, bounds["a"].proven) == (Standing.UNKNOWN, "")


def test_a_project_that_does_not_resolve_is_told_as_such() -> None:
    """No version at all can be installed: the declaration is wrong, not unknown."""
    prober = FakeProber(passes=lambda _world: True, resolves=lambda _world: False)
    found, bounds = search(prober, "a>=1.2", check=True)
    assert (found.is_impossible, bounds["a"].standing) == (True, Standing.IMPOSSIBLE)
    prober = FakeProber(passes=lambda _world: True, resolves=lambda _world: False)
    prober.undecided = {Probe(cell="py3.12"): "no network"}
    assert search(prober, "a>=1.2")[1]["a"].standing is Standing.UNKNOWN


def test_the_newest_release_that_passes_is_the_top_of_the_search() -> None:
    """Where a release breaks the tests, it is named and held back; floors are searched below it."""
    prober = FakeProber(passes=lambda world: "1.2" <= world["a"] < "1.8", lowest={"a": "1.2", "b": "1.2"})
    found, bounds = search(prober, "a>=1.2", "b>=1.2")
    ((guilty, failing),) = found.caps
    assert (guilty.name, guilty.good, guilty.bad) == ("a", "1.7", "1.8")
    assert failing.observation.packages["a"] == "1.8"
    assert (bounds["a"].proven, bounds["a"].standing) == ("1.2", Standing.PROVEN)
