"""Why a cell is impossible: the causes of a proof are asked of the index, and checked by resolving without them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from venvgrid import testing
from venvgrid.installers.base import (
    Cause,
    CauseKind,
    Resolved,
    ResolveFailed,
    ResolveRequest,
    ResolveResult,
    Unresolvable,
)
from venvgrid.model import InfrastructureError, UsageError
from venvgrid.resolving.impossibility import Examiner, StaleError
from venvgrid.resolving.version_policies import Release

if TYPE_CHECKING:
    from collections.abc import Callable

INDEX = {
    "toy": (Release(version="1.0"), Release(version="2.0", yanked=True), Release(version="3.0rc1")),
    "new": (Release(version="1.0"), Release(version="2.0", requires_python=">=3.13")),
    "source": (Release(version="1.0", has_wheel=False, has_sdist=True),),
    "odd": (Release(version="1.0", requires_python="nonsense"),),
}
FINE = Resolved(distributions=())


def request(*requirements: str, constraints: tuple[str, ...] = (), cutoff: str = "") -> ResolveRequest:
    return ResolveRequest(
        interpreter=testing.interpreter(), requirements=requirements, constraints=constraints, cutoff=cutoff
    )


def proof(kind: CauseKind, name: str, wanted: str = "") -> Cause:
    return Cause(kind=kind, name=name, reason=f"{kind} of {name}", range=wanted)


def examined(
    asked: ResolveRequest,
    *causes: Cause,
    resolve: Callable[[ResolveRequest], ResolveResult] = lambda _: FINE,
    is_fresh: bool = True,
) -> tuple[str, list[ResolveRequest]]:
    """Return the reason, and what was resolved to check it; the configuration wrote all requirements."""
    installer = testing.FakeInstaller(answer=resolve)
    examiner = Examiner(
        releases=lambda name: INDEX.get(name, ()),
        resolve=installer.resolve,
        written=dict.fromkeys(("toy", "new", "source", "lost"), "matrix.toml: "),
    )
    found = Unresolvable(reason="first", causes=causes, proof="the proof")
    return examiner.examine(asked, found, is_fresh=is_fresh).reason, installer.requests


@pytest.mark.parametrize(
    ("kind", "line", "cutoff", "expected"),
    [
        (CauseKind.ONLY, "toy==2.*", "", "toy 2 was yanked from the index"),
        (CauseKind.NO_WHEEL, "new==2.*", "", "new 2 needs Python >=3.13"),
        (CauseKind.PYTHON, "new==2.*", "", "new 2 needs Python >=3.13"),
    ],
)
def test_what_the_index_proves_is_not_checked(kind: CauseKind, line: str, cutoff: str, expected: str) -> None:
    """A yanked release, another Python: whatever words the resolver had."""
    name = line.partition("=")[0]
    assert (expected, []) == examined(request(line, cutoff=cutoff), proof(kind, name))


def test_a_source_distribution_names_the_way_out() -> None:
    """Only where there is no wheel at all; the requirement is impossible alone."""
    reason, checks = examined(
        request("source", "toy==1.*"),
        proof(CauseKind.NO_WHEEL, "source"),
        resolve=lambda _: Unresolvable(reason="no"),
    )
    assert reason.endswith('only a source distribution: build it with install.source-builds = ["source"]')
    assert [item.requirements for item in checks] == [("source",)]
    assert not checks[0].dependencies


def test_a_reason_that_does_not_hold_is_passed_over() -> None:
    """A pin that can be installed alone is not to blame, nor a conflict without which the cell stays impossible."""
    blamed = request("toy==1.*", "new==1.*", constraints=("other<2",))

    def resolve(asked: ResolveRequest) -> ResolveResult:
        return Unresolvable(reason="still") if asked.dependencies else FINE

    causes = (proof(CauseKind.NO_WHEEL, "toy"), proof(CauseKind.CONFLICT, "new"))
    reason, checks = examined(blamed, *causes, resolve=resolve)
    assert reason == "the proof"
    assert [item.requirements for item in checks] == [("toy==1.*",), ("toy==1.*",)]


def test_a_conflict_is_checked_without_its_distribution() -> None:
    """Its constraints go too; a distribution that only others require is ignored by name."""
    blamed = request("toy==1.*", constraints=("other<2", "more<1"))
    reason, (check,) = examined(blamed, proof(CauseKind.CONFLICT, "other"))
    assert (reason, check.constraints, check.without) == ("conflict of other", ("more<1",), ())
    reason, (check,) = examined(blamed, proof(CauseKind.CONFLICT, "deep"))
    assert (reason, check.without) == ("conflict of deep", ("deep",))


def test_of_two_independent_conflicts_the_first_is_told() -> None:
    """Without either the cell is still impossible, but both sides of one are impossible alone."""
    asked = request("toy==1.*", "new==1.*", "source==1.*", "odd==1.*")
    blamed = Cause(kind=CauseKind.CONFLICT, name="new", reason="toy 1 needs new>=2", who="toy")

    def resolve(some: ResolveRequest) -> ResolveResult:
        names = {line.partition("=")[0] for line in some.requirements}
        return Unresolvable(reason="") if {"toy", "new"} <= names or {"source", "odd"} <= names else FINE

    reason, checks = examined(asked, blamed, resolve=resolve)
    assert reason == "toy 1 needs new>=2"
    assert checks[-1].requirements == ("toy==1.*", "new==1.*")
    others = replace(blamed, who="odd", reason="odd 1 needs new>=2")
    assert examined(asked, others, resolve=resolve)[0] == "the proof", "these two are possible together"


@pytest.mark.parametrize(
    ("line", "kind", "told"),
    [
        ("toy==7.*", CauseKind.ONLY, "toy has no release 7; the newest is 1.0|2.0"),
        ("toy==7.*", CauseKind.CONFLICT, "toy has no release 7"),
        ("lost", CauseKind.GONE, "no index has a distribution named lost"),
    ],
)
def test_what_exists_nowhere_is_a_mistake(line: str, kind: CauseKind, told: str) -> None:
    """A usage error, also if a conflict hides it."""
    with pytest.raises(UsageError, match=told):
        examined(request(line), proof(kind, line.partition("=")[0]))


def test_a_dependency_that_exists_nowhere_is_no_mistake_of_the_configuration() -> None:
    """It says nothing about the cell: the index may hide it."""
    examiner = Examiner(releases=lambda _: (), resolve=lambda _: FINE)
    answer = examiner.examine(request("a"), Unresolvable(reason="x", causes=(proof(CauseKind.GONE, "b"),)))
    assert answer == ResolveFailed(reason="index failure: no index has a distribution named b")


def test_a_doubtful_index_makes_nothing_impossible() -> None:
    """Whatever it is asked."""

    def fails(_name: str) -> tuple[Release, ...]:
        raise InfrastructureError("host gave a page without files")

    examiner = Examiner(releases=fails, resolve=lambda _: FINE)
    answer = examiner.examine(request("a"), Unresolvable(reason="x", causes=(proof(CauseKind.NO_WHEEL, "a"),)))
    assert answer == ResolveFailed(reason="index failure: host gave a page without files")


def test_a_broken_file_leaves_only_what_is_impossible_alone() -> None:
    """What the index proves is told; a conflict may be gone with the true file, so nothing is said."""
    broken, conflict = proof(CauseKind.BROKEN, "deep"), proof(CauseKind.CONFLICT, "toy")
    assert examined(request("new==2.*"), broken, proof(CauseKind.ONLY, "new"))[0] == "new 2 needs Python >=3.13"
    assert examined(request("toy==1.*"), broken, conflict) == ("index failure: broken of deep", [])


def test_unreadable_requirements_make_nothing_impossible() -> None:
    """Uv leaves such releases out, pip installs them. What the index proves is told all the same."""
    unreadable, gone, conflict = (
        proof(CauseKind.UNREADABLE, "toy"),
        proof(CauseKind.ONLY, "toy"),
        proof(CauseKind.CONFLICT, "toy"),
    )
    assert examined(request("toy==1.*"), unreadable, gone, conflict) == ("unreadable of toy", [])
    told = examined(request("new==2.*"), unreadable, gone, proof(CauseKind.ONLY, "new"))[0]
    assert told == "new 2 needs Python >=3.13"


def test_what_only_an_old_page_says_is_asked_again() -> None:
    """The resolver finds the file when it asks again; or nothing that it blames holds."""
    asked = request("toy==1.*", "new")
    with pytest.raises(StaleError):
        examined(asked, proof(CauseKind.ONLY, "toy"), is_fresh=False)
    with pytest.raises(StaleError):
        examined(asked, proof(CauseKind.CONFLICT, "toy"), resolve=lambda _: Unresolvable(reason=""), is_fresh=False)


def test_a_release_that_nobody_has_may_come() -> None:
    """What only the absence of a release makes impossible is not kept."""
    examiner = Examiner(releases=lambda name: INDEX.get(name, ()), resolve=lambda _: Unresolvable(reason="no"))
    found = Unresolvable(reason="x", causes=(proof(CauseKind.ONLY, "toy", ">=7"),))
    alone = replace(examiner, resolve=lambda asked: FINE if asked.dependencies else Unresolvable(reason="no"))
    answer = alone.examine(request("new"), found)
    assert isinstance(answer, Unresolvable)
    assert (answer.reason, answer.may_keep) == ("toy has no release >=7; the newest is 2.0", False)


def test_a_date_proves_nothing_without_dates() -> None:
    """An index that does not tell when a release was uploaded: nothing is concluded."""
    examiner = Examiner(releases=lambda name: INDEX.get(name, ()), resolve=lambda _: Unresolvable(reason="no"))
    found = Unresolvable(reason="x", causes=(proof(CauseKind.GONE, "toy"),))
    answer = examiner.examine(request("toy==1.*", cutoff="2020-01-01T00:00:00Z"), found)
    assert answer == ResolveFailed(reason="as-of cannot be applied: the index does not tell when toy was uploaded")


def test_an_old_page_is_noticed() -> None:
    """The resolver saw no file, and the index has some."""
    with pytest.raises(StaleError):
        examined(request("toy"), proof(CauseKind.GONE, "toy"), is_fresh=False)


def test_without_causes_the_proof_is_told() -> None:
    """Of odd metadata nothing is concluded; without an index to ask the resolver is believed."""
    assert examined(request("toy"))[0] == "the proof"
    asked = request("odd==1.*")
    assert (
        "has no wheel"
        in examined(asked, proof(CauseKind.NO_WHEEL, "odd"), resolve=lambda _: Unresolvable(reason=""))[0]
    )
    examiner = Examiner(releases=lambda _: None, resolve=lambda _: Unresolvable(reason="no"))
    answer = examiner.examine(request("a"), Unresolvable(reason="x", causes=(proof(CauseKind.GONE, "a"),)))
    assert answer == Unresolvable(reason="gone of a")


def test_requirements_that_exclude_each_other_are_no_missing_release() -> None:
    """Each has a release, no release is both: the cell is impossible, and nothing is said to be lacking."""
    reason, asked = examined(request("toy==1.*", "toy>=3rc1"), proof(CauseKind.GONE, "toy"))
    assert reason == "no release of toy is ==1.* and >=3rc1: the cell asks for both"
    assert asked == []


def test_of_several_requirements_the_one_without_a_release_is_named() -> None:
    """The axis is right, the requirement beside it is not."""
    with pytest.raises(UsageError, match=r"^matrix\.toml: toy has no release ==99; the newest is 3\.0rc1$"):
        examined(request("toy==1.*", "toy==99"), proof(CauseKind.GONE, "toy"))


def test_a_requirement_of_other_pythons_contradicts_nothing() -> None:
    """Its marker is false here."""
    line = 'toy==99; python_version < "3"'
    reason, _ = examined(request("toy==2.*", line), proof(CauseKind.ONLY, "toy"))
    assert reason == "toy 2 was yanked from the index"
