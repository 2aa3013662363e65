"""What an index cannot tell, or tells wrongly, makes nothing impossible; a reason names what stands in the way."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import rig
import wheels
from planners import Planner, served

from venvgrid.model import Status, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.e2e
INSTALLERS = ("uv", "pip")
RUNNABLE = [(Status.RUNNABLE, "")]


@pytest.fixture
def planner(tmp_path: Path) -> Iterator[Planner]:
    """Return a planner that has resolved nothing."""
    (tmp_path / "cache").mkdir(mode=0o700)
    with served().serving() as index:
        yield Planner(index, tmp_path)


@pytest.mark.parametrize("by", INSTALLERS)
def test_a_file_that_is_no_wheel_makes_nothing_impossible(planner: Planner, by: str) -> None:
    """A login page, and nothing, in place of a wheel, also of a dependency: failed; possible once it is well."""
    index = planner.index
    for behaviour, name, axes in (
        ("login-file", "toy", 'toy = ["1.0"]'),
        ("empty-file", "certi", 'builder = ["4.3"]'),
    ):
        index.behaviour, index.bad = behaviour, frozenset({name})
        ((status, reason),) = planner(by, axes)
        assert status is Status.FAILED, reason
        if by == "uv":
            assert f"the index gave a file of {name}==" in reason
            assert "that is no whole wheel" in reason
        index.behaviour = "ok"
        assert planner(by, axes) == RUNNABLE


@pytest.mark.parametrize("by", INSTALLERS)
def test_a_mirror_that_was_behind(planner: Planner, by: str) -> None:
    """A release that nobody had is there a moment later: for a pin and for a dependency, though uv kept the pages."""
    index, kept = planner.index, {}
    index.max_age = 600
    for file in ("toy-1.0-py3-none-any.whl", "certi-2024.1-py3-none-any.whl"):
        kept[file] = index.files.pop(file)
    ((status, reason),) = planner(by, 'builder = ["4.3"]')
    assert (status, reason) == (Status.IMPOSSIBLE, "certi has no release >=2024; the newest is 2020.1")
    with pytest.raises(UsageError, match=r"toy has no release 1.0; the newest is 2.0rc1"):
        planner(by, 'toy = ["1.0"]')
    index.files.update(kept)
    assert planner(by, 'builder = ["4.3"]') == RUNNABLE
    assert planner(by, 'toy = ["1.0"]') == RUNNABLE


@pytest.mark.parametrize("by", INSTALLERS)
def test_a_date_needs_an_index_with_dates(planner: Planner, by: str, tmp_path: Path) -> None:
    """An index without upload dates: failed, and not "no wheel"; a folder of find-links: used, with a note."""
    ((status, reason),) = planner(by, 'toy = ["1.0"]', 'as-of = "2020-01-01"')
    assert status is Status.FAILED
    assert ("does not tell when toy was uploaded" if by == "uv" else "upload-time") in reason
    links = tmp_path / "links"
    links.mkdir()
    (links / "linked-1.0-py3-none-any.whl").write_bytes(wheels.wheel("linked", "1.0"))
    matrix = (
        f'[project]\ninstall = "none"\n[axes]\npython = ["{rig.HERE}"]\nlinked = ["1.0"]\n[install]\nrequires = []\n'
    )
    root = rig.project(tmp_path / "project", f'{matrix}as-of = "2020-01-01"\n')
    env = {"UV_FIND_LINKS": str(links), "PIP_FIND_LINKS": str(links), "VENVGRID_INSTALLER": by}
    planned = rig.venvgrid(root, tmp_path / "cache", "plan", **env)
    assert planned.status == 0, planned.err
    assert "as-of does not count for linked 1.0" in planned.out + planned.err


@pytest.mark.parametrize("by", INSTALLERS)
def test_a_typo_of_what_a_folder_has(planner: Planner, by: str, tmp_path: Path) -> None:
    """The releases in a folder of find-links count, with an index and without one."""
    (tmp_path / "linked-1.0-py3-none-any.whl").write_bytes(wheels.wheel("linked", "1.0"))
    place = {f"{name}_FIND_LINKS": str(tmp_path) for name in ("UV", "PIP")}
    for more in ({}, {"UV_NO_INDEX": "1", "PIP_NO_INDEX": "1"}):
        ask = Planner(planner.index, planner.folder, place | more)
        with pytest.raises(UsageError, match=r"linked has no release 2.0; the newest is 1.0"):
            ask(by, 'linked = ["2.0"]')
        assert ask(by, 'linked = ["1.0"]') == RUNNABLE


def test_an_index_that_hides_another(planner: Planner) -> None:
    """Uv asks only the first index that has a name: the reason is the index, and without it the cell is possible."""
    first = wheels.Index()
    first.add("toy", "4.0")
    with first.serving():
        ((status, reason),) = Planner(planner.index, planner.folder, {"UV_INDEX": first.address})("uv", 'toy = ["1.0"]')
        assert status is Status.IMPOSSIBLE
        assert reason == f"toy 1.0 is not in {first.address}, the first index that has toy, and uv asks no other"
        assert planner("uv", 'toy = ["1.0"]') == RUNNABLE


@pytest.mark.parametrize("by", INSTALLERS)
def test_who_stands_in_the_way(planner: Planner, by: str, tmp_path: Path) -> None:
    """A constraint, a file that is required too, and what needs an absent one are named; without it all is well."""
    file = tmp_path / "toy-3.0-py3-none-any.whl"
    file.write_bytes(wheels.wheel("toy", "3.0"))
    url = f"toy @ {file.as_uri()}"
    toy = 'toy = ["1.0"]'
    for axes, install, told in (
        (toy, 'constraints = ["toy==7"]', "toy==7"),
        (toy, f'requires = ["{url}"]', f"the cell requires both toy==1.0.* and {url}"),
        ('needsdist = ["absent"]\ntoy = ["1.0"]', 'requires = ["toy"]', ""),
        ('builder = ["4.3"]\ncerti = ["absent"]', "", "certi must be absent, but builder 4.3 requires it"),
        ('certi = ["absent"]', 'requires = ["builder"]', "certi must be absent, but builder requires it"),
    ):
        ((status, reason),) = planner(by, axes, install)
        assert (status is Status.IMPOSSIBLE, told in reason, "no wheel" in reason) == (bool(told), True, False), reason
    assert planner(by, toy) == RUNNABLE
