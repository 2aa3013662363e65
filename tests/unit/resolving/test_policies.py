"""Where the values of policies come from: the lock, the index, what the project declares."""
# ruff: noqa: SIM300 - expected == actual

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

import pytest

from venvgrid.config import loading
from venvgrid.model import FrozenPolicy, InfrastructureError, PolicyError
from venvgrid.resolving import lockfile, policies
from venvgrid.resolving.index import Index, Page
from venvgrid.resolving.version_policies import Release

if TYPE_CHECKING:
    from pathlib import Path

    from venvgrid.model import Config

TODAY = date(2026, 11, 21)
PYPROJECT = """
[project]
name = "x"
requires-python = ">=3.12"
dependencies = ["Num_Py>=1.1", "broken requirement !"]
optional-dependencies = { more = ["pandas<3", "num-py<3"] }
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "pyproject.toml").write_text(PYPROJECT, encoding="utf-8")
    return tmp_path


def read(project: Path, axes: str) -> Config:
    return loading.parse(f"[axes]\n{axes}", file=project / "matrix.toml", running="3.11")


def having(project: Path, **versions: str) -> Index:
    known = {
        name.replace("_", "-"): tuple(Release(version=version) for version in text.split())
        for name, text in versions.items()
    }
    return Index(addresses=("https://one",), cache=project / "cache", get=broken, known=known)


def broken(address: str, accept: str) -> Page:
    """Stand for a network that does not work."""
    raise AssertionError((address, accept))


def test_values_come_from_the_index_and_the_project(project: Path) -> None:
    """What is declared in dependencies and in extras holds together; names are normalised."""
    loaded = read(project, 'python = "requires-python"\nnum-py = "declared"\npandas = "latest"\nplain = ["1"]')
    index = having(project, num_py="1.0 1.1 2.0 3.0", pandas="2.3 3.0", plain="1")
    # "latest" alone is a value of its own, which the resolver settles
    frozen, notes = policies.settle(loaded, index, {}, update=False, today=TODAY)
    assert {"python": ("3.12", "3.13", "3.14"), "num-py": ("1.1", "2.0")} == {
        name: item.values for name, item in frozen.items()
    }
    assert () == notes


def test_a_lock_freezes_them(project: Path) -> None:
    """Until they are updated, or the policy is another one."""
    loaded = read(project, 'num-py = "latest-minors:2"')
    index = having(project, num_py="1.1 1.2 1.3")
    known = {"num-py": FrozenPolicy(policy="latest-minors:2", values=("1.0", "1.1"))}
    frozen, _ = policies.settle(loaded, index, known, update=False, today=TODAY)
    assert known == frozen
    updated, _ = policies.settle(loaded, index, known, update=True, today=TODAY)
    assert ("1.2", "1.3") == updated["num-py"].values
    other = {"num-py": FrozenPolicy(policy="latest-minors:3", values=("1.0",))}
    assert updated == policies.settle(loaded, index, other, update=False, today=TODAY)[0]


def test_without_a_network_the_lock_is_used_and_that_is_said(project: Path) -> None:
    """Without a lock it is a failure of the infrastructure."""
    loaded = read(project, 'num-py = "latest-minors:2"')
    offline = Index(addresses=("https://one",), cache=project / "cache", get=broken, offline=True)
    known = {"num-py": FrozenPolicy(policy="latest-minors:2", values=("1.0", "1.1"))}
    frozen, notes = policies.settle(loaded, offline, known, update=True, today=TODAY)
    assert (known, 1) == (frozen, len(notes))
    assert notes[0].startswith("num-py: offline")
    assert notes[0].endswith("the versions are those of the lock")
    with pytest.raises(InfrastructureError, match="offline"):
        policies.settle(loaded, offline, {}, update=False, today=TODAY)


def test_the_axis_is_named_where_a_policy_gives_nothing(project: Path) -> None:
    """So that one finds the line."""
    with pytest.raises(
        PolicyError, match=r"^axes\.gone: 'latest-minors' gives no version: the index has no release of"
    ):
        policies.settle(
            read(project, 'gone = "latest-minors"'), having(project, gone=""), {}, update=False, today=TODAY
        )


def test_frozen_values_are_written_into_the_lock_and_read_back(project: Path) -> None:
    """With the policy that they stand for."""
    frozen = {
        "numpy": FrozenPolicy(policy="latest-minors:2+pre", values=("2.1", "2.2"), pre="2.3rc1"),
        "python": FrozenPolicy(policy="supported", values=("3.12",)),
    }
    path = project / "matrix.lock"
    path.write_text(lockfile.render(lockfile.make("digest", {}, {}, frozen=frozen)), encoding="utf-8")
    assert frozen == lockfile.read(path).frozen
