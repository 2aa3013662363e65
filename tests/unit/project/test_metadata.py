"""What a project declares, and which files it is made of."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from venvgrid.model.errors import ConfigError
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


def test_sources_leave_out_what_tools_leave_behind(tmp_path: Path) -> None:
    """Caches, environments and build output are no sources; a package called build is."""
    for name in (
        "src/demo/__init__.py", "src/build/__init__.py", "src/demo/__pycache__/x.pyc", "build/lib/demo.py",
        ".venvgrid/x", "env2/pyvenv.cfg", "env2/bin/python", "src/demo.egg-info/x", "tests/test_demo.py",
    ):  # fmt: skip
        file = tmp_path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()
    found = [str(file.relative_to(tmp_path)) for file in project.source_files(tmp_path)]
    assert found == ["src/build/__init__.py", "src/demo/__init__.py", "tests/test_demo.py"]


def test_the_digest_follows_contents_and_names_only(tmp_path: Path) -> None:
    """Touching a file changes nothing; editing, adding or renaming one does."""
    file = folder(tmp_path, STATIC) / "demo.py"
    file.write_text("a = 1\n", encoding="utf-8")
    digests = [project.source_digest(tmp_path)]
    file.touch()
    assert project.source_digest(tmp_path) == digests[0]
    file.write_text("a = 2\n", encoding="utf-8")
    digests.append(project.source_digest(tmp_path))
    file.rename(tmp_path / "other.py")
    digests.append(project.source_digest(tmp_path))
    assert len(set(digests)) == 3


def test_the_history_is_an_input_where_the_version_comes_from_it(tmp_path: Path) -> None:
    """With setuptools-scm a new commit is a new version, without any file of the project changing."""
    folder(tmp_path, '[build-system]\nrequires = ["setuptools-scm>=8"]\n')
    (tmp_path / ".git" / "refs").mkdir(parents=True)
    (tmp_path / ".git" / "HEAD").write_text("ref: refs/heads/main\n", encoding="utf-8")
    before = project.source_digest(tmp_path)
    (tmp_path / ".git" / "refs" / "main").write_text("1234\n", encoding="utf-8")
    assert project.source_digest(tmp_path) != before
