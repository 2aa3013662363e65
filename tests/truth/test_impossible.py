"""Impossible is a proof: the index is asked, the reason is checked, and a typo is no impossible cell."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest
import rig
from planners import Planner, served

from venvgrid.model import Status, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.e2e
INSTALLERS = ("uv", "pip")


@pytest.fixture(scope="module")
def plan(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Planner]:
    """Return a planner whose index is well."""
    with served().serving() as index:
        yield Planner(index, tmp_path_factory.mktemp("plan"))


@pytest.fixture
def ill(plan: Planner, tmp_path: Path) -> Iterator[Planner]:
    """Return a planner that has resolved nothing, for an index that is ill."""
    for part in ("interpreters", "tools"):
        if (plan.folder / "cache" / part).is_dir():
            shutil.copytree(plan.folder / "cache" / part, tmp_path / "cache" / part, symlinks=True)
    (tmp_path / "cache").mkdir(mode=0o700, exist_ok=True)
    with served().serving() as index:
        index.add("fine", "1.0")
        yield Planner(index, tmp_path)


@pytest.mark.parametrize("by", INSTALLERS)
@pytest.mark.parametrize("behaviour", ["login", "empty"])
def test_a_page_without_files_makes_nothing_impossible(ill: Planner, behaviour: str, by: str) -> None:
    """The cell failed, the index is named, also for a dependency; once the index is well, the cell can run."""
    for bad, axes in ((frozenset[str](), 'toy = ["1.0"]'), (frozenset({"certi"}), 'builder = ["4.3"]')):
        ill.index.behaviour, ill.index.bad = behaviour, bad
        ((status, reason),) = ill(by, axes)
        assert status is Status.FAILED
        assert "index failure: 127.0.0.1" in reason
        assert "without any of its files" in reason
        ill.index.behaviour = "ok"
        assert ill(by, axes) == [(Status.RUNNABLE, "")]


def test_an_old_page_in_the_cache_of_uv_is_asked_for_again(ill: Planner) -> None:
    """A cell that is resolved for the first time after the index is well, while uv still has the page of a login."""
    ill.index.behaviour = "login"
    assert ill("uv", 'toy = ["1.0"]')[0][0] is Status.FAILED
    ill.index.behaviour = "ok"
    assert ill("uv", 'toy = ["1.0"]\nfine = ["1.0"]') == [(Status.RUNNABLE, "")]


@pytest.mark.parametrize("by", INSTALLERS)
@pytest.mark.parametrize(
    ("axes", "install", "told"),
    [
        ('toy = ["1.0", "7"]', "", "toy has no release 7; the newest is 1.0"),
        ('toy = [">=7"]', "", "toy has no release >=7; the newest is 1.0"),
        ('nowhere = ["1"]', "", "no index has a distribution named nowhere"),
        ('certi = ["2024"]', 'requires = ["toy==8.*"]', "toy has no release 8; the newest is 1.0"),
        ('toy = ["9"]', 'constraints = ["toy<2"]', "toy has no release 9; the newest is 1.0"),
    ],
)
def test_what_exists_nowhere_is_a_mistake(plan: Planner, axes: str, install: str, told: str, by: str) -> None:
    """A version or a name that no index has is a typo: a usage error with the newest release; offline it is none."""
    with pytest.raises(UsageError) as caught:
        plan(by, axes, install)
    assert told in str(caught.value)
    assert plan(by, axes, install, offline=True)[-1][0] in {Status.FAILED, Status.IMPOSSIBLE}


@pytest.mark.parametrize(
    ("axes", "install", "told"),
    [
        ('needsdist = ["1.0"]', "", 'install.source-builds = ["sdistonly"]'),
        ('sdistonly = ["1.0"]', "", "sdistonly 1.0 has no wheel for CPython"),
        ('needearly = ["1.0"]', "", 'install.source-builds = ["early"]'),
        ('mixed = ["2.0"]', "", 'install.source-builds = ["mixed"]'),
        ('newpy = ["2.0"]', "", "newpy 2.0 needs Python >=3.99"),
        ('neednew = ["1.0"]', "", "newpy>=2 needs Python >=3.99"),
        ('pulled = ["2"]', "", "pulled 2 was yanked from the index"),
        ('builder = ["4.3"]\ncerti = ["2020"]', "", "certi>=2024"),
        ('builder = ["4.3"]', 'constraints = ["certi<2021"]', "certi>=2024"),
        ('toy = ["1.0"]\nnewpy = ["2.0"]\nsdistonly = ["1.0"]', "", "1.0 has no wheel|newpy 2.0 needs Python >=3.99"),
        ('mixed = ["latest"]\nnewpy = ["2.0"]', "", "newpy 2.0 needs Python >=3.99"),
        ('toy = ["1.0"]', 'requires = ["neednew"]', "newpy>=2 needs Python >=3.99"),
    ],
)
def test_the_reason_is_the_cause(plan: Planner, axes: str, install: str, told: str) -> None:
    """What the reason names is what stands in the way, and no pre-release is named that nobody asked for."""
    for by in ("uv", *(("pip",) if "need" in axes or "builder" in axes else ())):
        ((status, reason),) = plan(by, axes, install)
        assert status is Status.IMPOSSIBLE
        assert any(part in reason for part in told.split("|")), reason
        assert "2.0b1" not in reason
        assert "is available" not in reason


def test_a_name_that_only_a_dependency_needs_is_no_impossible_cell(plan: Planner) -> None:
    """An index that hides private projects from strangers gives 404 as well."""
    ((status, reason),) = plan("uv", 'needgone = ["1.0"]')
    assert (status, "no index has a distribution named gone" in reason) == (Status.FAILED, True)


def test_checked_reasons_are_kept(plan: Planner) -> None:
    """The second plan asks nobody."""
    first = plan("uv", 'needsdist = ["1.0"]\ntoy = ["1.0"]')
    asked = len(plan.index.asked)
    assert (plan("uv", 'needsdist = ["1.0"]\ntoy = ["1.0"]'), len(plan.index.asked)) == (first, asked)


def test_a_run_ends_with_status_2(tmp_path: Path, plan: Planner) -> None:
    """The command says it like any mistake of the configuration."""
    root = rig.project(tmp_path / "project", rig.TOY_MATRIX.replace('"1.0"', '"1.0", "32"'), rig.TOY_TEST)
    env = {"UV_INDEX": f"private={plan.index.address}", "UV_CACHE_DIR": str(plan.folder / "uv")}
    ended = rig.venvgrid(root, plan.folder / "cache", "run", **env)
    assert (ended.status, "toy has no release 32; the newest is 1.0" in ended.err) == (2, True), ended.err
    assert "Traceback" not in ended.err
    assert not list((root / ".venvgrid" / "runs").iterdir()), "it was no run"
