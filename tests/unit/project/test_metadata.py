"""What a project declares."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from venvgrid.model import ConfigError
from venvgrid.project import metadata as project
from venvgrid.project.metadata import Metadata

if TYPE_CHECKING:
    from pathlib import Path

STATIC = """
[project]
name = "demo"
version = "1.0"
requires-python = ">=3.8"
dependencies = ["numpy>=1.20; python_version < '3.10'", "six"]
[project.optional-dependencies]
tty = ["rich>=10", "colorama; sys_platform == 'win32'"]
all = ["demo[tty]"]
[dependency-groups]
test = ["pytest", { include-group = "typing" }]
typing = ["mypy"]
loop = [{ include-group = "loop" }]
"""


def folder(tmp_path: Path, pyproject: str) -> Path:
    (tmp_path / "pyproject.toml").write_text(pyproject, encoding="utf-8")
    return tmp_path


def test_static_metadata_are_read_without_a_build(tmp_path: Path) -> None:
    """Requirements keep their markers, and those of extras get the extra's."""
    assert project.static_metadata(folder(tmp_path, STATIC)) == Metadata(
        name="demo",
        version="1.0",
        requires_python=">=3.8",
        requires=(
            "numpy>=1.20; python_version < '3.10'",
            "six",
            'rich>=10 ; extra == "tty"',
            'colorama ; (sys_platform == "win32") and extra == "tty"',
            'demo[tty] ; extra == "all"',
        ),
        extras=("tty", "all"),
    )


@pytest.mark.parametrize(
    "pyproject",
    [
        "",
        '[project]\nname = "demo"\ndynamic = ["version"]',
        '[project]\nname = "demo"\nversion = "1"\ndynamic = ["dependencies"]',
        '[project]\nname = "demo"\nversion = "1"\ndynamic = ["optional-dependencies"]',
    ],
)
def test_dynamic_metadata_need_a_build(tmp_path: Path, pyproject: str) -> None:
    """What decides about the resolve must be static, all of it."""
    assert project.static_metadata(folder(tmp_path, pyproject)) is None


def test_direct_requirements_are_those_of_the_environment(tmp_path: Path) -> None:
    """Markers are evaluated for the interpreter at hand, extras for those that were asked for."""
    metadata = project.static_metadata(folder(tmp_path, STATIC))
    assert metadata is not None
    new = {"python_version": "3.12", "sys_platform": "linux"}
    old = {"python_version": "3.9", "sys_platform": "win32"}
    assert project.direct_requirements(metadata, (), new) == ("six",)
    assert project.direct_requirements(metadata, ("tty",), old) == ("numpy>=1.20", "six", "rich>=10", "colorama")


def test_dependency_groups_follow_their_includes(tmp_path: Path) -> None:
    """A group gives its own requirements and those of the groups that it includes."""
    assert project.group_requirements(folder(tmp_path, STATIC), ["test"]) == ("pytest", "mypy")
    assert project.group_requirements(tmp_path, []) == ()


def test_groups_that_cannot_be_used_are_told_all_at_once(tmp_path: Path) -> None:
    """An unknown group with the groups that there are; a circle with its groups."""
    path = folder(tmp_path, STATIC)
    with pytest.raises(ConfigError) as caught:
        project.group_requirements(path, ["tset", "loop", "test"])
    unknown, circle = caught.value.mistakes
    place = path / "pyproject.toml"
    hint = "did you mean 'test'? (its groups: loop, test, typing); correct the name"
    assert unknown == f"project.groups: {place} has no group 'tset'; {hint}"
    assert circle.startswith(f"project.groups: the group 'loop' of {place} is wrong: Cyclic dependency group")
    folder(tmp_path, "[project]")
    with pytest.raises(ConfigError, match=r"has no group 'test' \(it has no \[dependency-groups\]\)"):
        project.group_requirements(path, ["test"])


@pytest.mark.parametrize(
    ("files", "what"),
    [
        ({}, "has no pyproject.toml, setup.py or setup.cfg"),
        ({"pyproject.toml": "[tool.venvgrid.axes]"}, "pyproject.toml has neither [project] nor [build-system]"),
        ({"pyproject.toml": "", "setup.cfg": "[flake8]"}, "pyproject.toml has neither [project] nor [build-system]"),
    ],
)
def test_a_folder_with_nothing_to_install_says_what_to_do(tmp_path: Path, files: dict[str, str], what: str) -> None:
    """What only holds settings of tools is no project: a build of it would be named UNKNOWN."""
    for name, text in files.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        project.check_installable(tmp_path)
    assert what in str(caught.value)
    assert 'project.install = "none" to test without installing it' in str(caught.value)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("setup.py", ""),
        ("setup.cfg", "[metadata]\nname = x"),
        ("setup.cfg", "not an ini file"),
        ("pyproject.toml", "[project]\nname = 'x'"),
        ("pyproject.toml", "[build-system]"),
    ],
)
def test_what_a_backend_may_build_is_left_to_it(tmp_path: Path, name: str, text: str) -> None:
    """A project that may be right is not refused before its build."""
    (tmp_path / name).write_text(text, encoding="utf-8")
    project.check_installable(tmp_path)
