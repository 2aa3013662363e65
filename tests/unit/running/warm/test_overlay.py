"""Overlays: the installed files of a project with the edited ones in their places."""

from __future__ import annotations

import base64
import hashlib
import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from venvgrid.config import loading
from venvgrid.project import inputs
from venvgrid.running.warm.overlay import Overlays
from venvgrid.running.warm.preview import Cold

FILES = {
    "demo/__init__.py": "",
    "demo/core.py": "ANSWER = 42\n",
    "demo/data.txt": "old\n",
    "space/part/__init__.py": "# a part of a namespace\n",
    "tests/helper.py": "# shipped by accident\n",
}


class Project:
    """A project in an environment: FILES are installed as they are in `src`."""

    def __init__(self, root: Path, mode: str = "wheel") -> None:
        """Write the project and what an installer leaves of it."""
        self.root, self.site = root / "project", root / "site"
        for name, text in FILES.items():
            for place in (self.root / "src" / name, self.site / name):
                place.parent.mkdir(parents=True, exist_ok=True)
                place.write_text(text, encoding="utf-8")
        (self.root / "tests").mkdir()
        (self.root / "tests/test_a.py").touch()
        (self.root / "setup.py").touch()
        (self.site / "demo/__pycache__").mkdir()
        for name in ("core", "__init__"):
            (self.site / f"demo/__pycache__/{name}.cpython-312.pyc").write_bytes(b"compiled")
        info = self.site / "demo-1.0.dist-info"
        info.mkdir()
        rows = [f"{name},sha256={hash_of(text)},1" for name, text in FILES.items()]
        (info / "RECORD").write_text("\n".join([*rows, "../../../bin/demo,,", "demo-1.0.dist-info/RECORD,,", ""]))
        (root / "overlays").mkdir()
        config = loading.parse(f'[project]\ninstall = "{mode}"\n[axes]\npython = "3.9"\n', file=self.root / "m.toml")
        self.overlays = Overlays(config=config, folder=root / "overlays")
        environment = SimpleNamespace(path=root, site=self.site)
        metadata = SimpleNamespace(name="Demo")
        self.task = cast("Any", SimpleNamespace(environment=environment, project=SimpleNamespace(metadata=metadata)))
        self.before = inputs.take(self.root).contents

    def write(self, name: str, text: str) -> None:
        """Edit a file."""
        (self.root / name).write_text(text, encoding="utf-8")

    def of(self) -> Path | Cold | None:
        """Return the overlay of the project as it is now."""
        return self.overlays.of(self.task, inputs.take(self.root).contents)

    def overlay(self) -> dict[str, str]:
        """Return the files of the overlay with their texts."""
        place = self.of()
        assert place is not None
        assert not isinstance(place, Cold), place
        assert place.name == "site-packages"
        found = (file for file in place.rglob("*") if file.is_file())
        return {file.relative_to(place).as_posix(): file.read_text(encoding="utf-8") for file in found}


def hash_of(text: str) -> str:
    """Return a digest as RECORD has it."""
    return base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """Return a project whose environment is known."""
    found = Project(tmp_path)
    found.overlays.learn(found.task, found.before)
    return found


def test_edits_are_in_their_places(project: Project) -> None:
    """All that is installed is there, edited files and new modules as they are now; what was compiled of others too."""
    project.write("src/demo/core.py", "ANSWER = 1\n")
    project.write("src/demo/data.txt", "new\n")
    project.write("src/demo/more.py", "# new\n")
    assert project.overlay() == {
        "demo/__init__.py": "",
        "demo/__pycache__/__init__.cpython-312.pyc": "compiled",
        "demo/core.py": "ANSWER = 1\n",
        "demo/data.txt": "new\n",
        "demo/more.py": "# new\n",
        "space/part/__init__.py": "# a part of a namespace\n",
    }


def test_what_is_installed_stays(project: Project) -> None:
    """The environment is not touched, and no file of it has another name in the overlay."""
    project.write("src/demo/core.py", "ANSWER = 1\n")
    project.overlay()
    assert (project.site / "demo/core.py").read_text() == "ANSWER = 42\n"
    assert {os.lstat(file).st_nlink for file in project.site.rglob("*") if file.is_file()} == {1}


def test_edits_add_up(project: Project) -> None:
    """Each state has an overlay of its own; a state that was there before has the same one; an undone edit has none."""
    project.write("src/demo/core.py", "ANSWER = 1\n")
    first = project.of()
    project.write("src/demo/data.txt", "new\n")
    second = project.overlay()
    assert (second["demo/core.py"], second["demo/data.txt"]) == ("ANSWER = 1\n", "new\n")
    project.write("src/demo/data.txt", "old\n")
    assert project.of() == first
    project.write("src/demo/core.py", "ANSWER = 42\n")
    assert project.of() is None


def test_old_overlays_go(project: Project) -> None:
    """Two overlays of an environment are kept."""
    places = list[Path]()
    for number in range(4):
        project.write("src/demo/core.py", f"ANSWER = {number}\n")
        place = project.of()
        assert isinstance(place, Path)
        places.append(place)
    assert [place.exists() for place in places] == [False, False, True, True]


def test_edits_of_tests_need_none(project: Project) -> None:
    """Tests are those of the checkout, though the wheel ships some by accident."""
    project.write("tests/test_a.py", "# edited\n")
    project.write("src/tests/helper.py", "# edited\n")
    assert project.of() is None


def test_what_only_a_build_tells(project: Project) -> None:
    """The reason names the file."""
    project.write("setup.py", "# edited\n")
    assert project.of() == Cold(reason="setup.py is not installed as it is: the project must be built")


def test_a_new_installation_is_learned(project: Project) -> None:
    """After a build, only later edits count."""
    for place in (project.root / "src", project.site):
        (place / "demo/core.py").write_text("ANSWER = 5\n")
    record = project.site / "demo-1.0.dist-info/RECORD"
    record.write_text(record.read_text().replace(hash_of("ANSWER = 42\n"), hash_of("ANSWER = 5\n")))
    assert project.of() is not None
    project.overlays.learn(project.task, inputs.take(project.root).contents)
    assert project.of() is None
    project.write("src/demo/core.py", "ANSWER = 6\n")
    assert project.overlay()["demo/core.py"] == "ANSWER = 6\n"


def test_what_is_not_known_is_cold(tmp_path: Path) -> None:
    """Without a full run nobody knows what an environment holds."""
    found = Project(tmp_path)
    assert found.of() == Cold(reason="no full run has shown yet what is installed in its environment")


def test_editable_installations_need_none(tmp_path: Path) -> None:
    """Python reads the checkout; only the description of the build is not read again."""
    found = Project(tmp_path, "editable")
    found.overlays.learn(found.task, found.before)
    found.write("src/demo/core.py", "ANSWER = 1\n")
    assert found.of() is None
    found.write("setup.py", "# edited\n")
    assert isinstance(found.of(), Cold)


def test_without_a_project(project: Project) -> None:
    """Where nothing is installed, there is nothing to replace."""
    project.task.project = None
    project.overlays.learn(project.task, {})
    assert project.of() is None
