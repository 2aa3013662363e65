"""The releases that a bisection tries: what is left out beforehand, the ends, and local wheels."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from venvgrid.app.investigation.candidates import Filter, candidates, existing, is_path, local_wheels
from venvgrid.model import UsageError
from venvgrid.resolving.version_policies import Release
from venvgrid.testing import interpreter

if TYPE_CHECKING:
    from pathlib import Path

RELEASES = (
    Release(version="1.0", uploaded=datetime(2020, 1, 1, tzinfo=UTC)),
    Release(version="1.1", requires_python="<3"),
    Release(version="1.2", has_wheel=False, has_sdist=True),
    Release(version="1.3", yanked=True),
    Release(version="1.10", uploaded=datetime(2021, 1, 1, tzinfo=UTC)),
    Release(version="2.0rc1"),
    Release(version="2.0", uploaded=datetime(2022, 1, 1, tzinfo=UTC)),
    Release(version="3.0", uploaded=datetime(2023, 1, 1, tzinfo=UTC)),
)
PLAIN = Filter(interpreter=interpreter("3.12.1"))


def test_what_cannot_be_installed_is_left_out_and_named() -> None:
    """Another Python, no wheel, yanked; pre-releases are no candidates, but nothing that has to be told."""
    found = candidates("lib", RELEASES, PLAIN)
    assert found.versions == ("1.0", "1.10", "2.0", "3.0")
    assert found.left_out == {"1.1": "needs Python <3", "1.2": "no wheel", "1.3": "yanked"}


def test_who_asks_gets_them() -> None:
    """--pre, --yanked, source builds; ends and local wheels count in any case."""
    wanted = Filter(interpreter=interpreter("3.12.1"), pre=True, yanked=True, only_binary=False)
    assert candidates("lib", RELEASES, wanted).versions == ("1.0", "1.2", "1.3", "1.10", "2.0rc1", "2.0", "3.0")
    kept = candidates("lib", RELEASES, PLAIN, local=["2.1.dev1"], ends=("1.1", "2.1.dev1"))
    assert kept.versions == ("1.1", "1.10", "2.0", "2.1.dev1")
    assert kept.left_out == {"1.2": "no wheel", "1.3": "yanked"}


def test_the_bad_end_is_the_newest() -> None:
    """With one end, all that is older is searched; with two, only what lies between them."""
    assert candidates("lib", RELEASES, PLAIN, ends=("2.0",)).versions == ("1.0", "1.10", "2.0")
    assert candidates("lib", RELEASES, PLAIN, ends=("1.10", "3.0")).versions == ("1.10", "2.0", "3.0")


def test_declarations_and_the_era_of_the_cell_count() -> None:
    """What the project does not allow, or was not there yet, is left out; other extras and markers do not count."""
    wanted = Filter(
        interpreter=interpreter("3.12.1"),
        declared=("Lib>1.0", "lib<2; python_version<'3'", "lib<2; extra == 'old'", "other<1"),
        cutoff="2022-06-01T00:00:00Z",
    )
    found = candidates("lib", RELEASES, wanted)
    assert found.versions == ("1.10", "2.0")
    assert found.left_out["1.0"] == "required is Lib>1.0"
    assert found.left_out["3.0"] == "released after 2022-06-01"


def test_versions_are_compared_as_versions() -> None:
    """3 is 3.0; what is not there is a mistake, with the nearest ones."""
    there = [item.version for item in RELEASES]
    assert existing("lib", "3", there) == "3.0"
    with pytest.raises(UsageError, match=r"there is no lib 1\.9: near it are 1\.2, 1\.3, 1\.10, 2\.0rc1"):
        existing("lib", "1.9", there)
    with pytest.raises(UsageError, match=r"'2\.0\.x' is no version of lib; did you mean '2\.0'\?"):
        existing("lib", "2.0.x", there)
    with pytest.raises(UsageError, match=r"write its ends as two words: venvgrid bisect lib 1\.2 2\.0"):
        existing("lib", "1.2..2.0", there)


def test_local_wheels_are_found_by_the_tools(tmp_path: Path) -> None:
    """Files and folders; wheels of other packages in a folder are passed over; a version may be given as a path."""
    for name in ("lib-2.1.dev1-py3-none-any.whl", "lib-2.1.dev2-py3-none-any.whl", "other-1-py3-none-any.whl"):
        (tmp_path / "wheels" / name).parent.mkdir(exist_ok=True)
        (tmp_path / "wheels" / name).write_bytes(b"x")
    place = str(tmp_path / "wheels")
    found = local_wheels("LIB", [place], tmp_path / ".venvgrid", {"UV_FIND_LINKS": "/mine", "PIP_FIND_LINKS": "/a /b"})
    assert found.versions == ("2.1.dev1", "2.1.dev2")
    (folder,) = (tmp_path / ".venvgrid/investigations").iterdir()
    assert sorted(file.name for file in folder.iterdir()) == [f"lib-2.1.dev{n}-py3-none-any.whl" for n in (1, 2)]
    assert found.variables == {
        "UV_FIND_LINKS": f"/mine,{folder.as_uri()}",
        "PIP_FIND_LINKS": f"/a /b {folder.as_uri()}",
    }
    assert [found.version_of(text) for text in ("1.0", f"{place}/lib-2.1.dev1-py3-none-any.whl")] == ["1.0", "2.1.dev1"]
    assert local_wheels("lib", [], tmp_path, {}).variables == {}


def test_a_place_without_wheels_of_the_package_is_a_mistake(tmp_path: Path) -> None:
    """A missing file, an empty folder, a wheel of another package, a name that is none."""
    for name in ("other-1-py3-none-any.whl", "odd.whl"):
        (tmp_path / name).touch()
    (tmp_path / "empty").mkdir()
    for place, match in (
        ("missing.whl", "is no wheel"),
        ("empty", "is no wheel, and no folder with wheels"),
        ("other-1-py3-none-any.whl", "holds no wheel of lib"),
        ("odd.whl", "odd.whl"),
    ):
        with pytest.raises(UsageError, match=match):
            local_wheels("lib", [str(tmp_path / place)], tmp_path, {})


def test_a_path_is_told_from_a_version() -> None:
    """Paths have a slash or end as wheels do."""
    assert [is_path(text) for text in ("1.0", "1!2.0", "a.whl", "./dist", "dist/")] == [False, False, True, True, True]
