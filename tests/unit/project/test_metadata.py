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


@pytest.mark.parametrize("group", ["tset", "loop"])
def test_a_group_that_cannot_be_used_is_a_mistake_of_the_configuration(tmp_path: Path, group: str) -> None:
    """An unknown group and a circle are said with the groups that there are."""
    with pytest.raises(
        ConfigError, match=rf'project.groups: the dependency group "{group}".*declared: loop, test, typing'
    ):
        project.group_requirements(folder(tmp_path, STATIC), [group])


def test_a_folder_with_nothing_to_install_says_what_to_do(tmp_path: Path) -> None:
    """No pyproject.toml, setup.py or setup.cfg: the message names both ways out."""
    with pytest.raises(ConfigError, match=r"set project.path to the project, or project.install"):
        project.check_installable(tmp_path)
    (tmp_path / "setup.py").touch()
    project.check_installable(tmp_path)
