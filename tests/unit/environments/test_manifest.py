"""The manifest: every change to an installed file is seen, Python's own caching is not."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

import pytest

from venvgrid import testing
from venvgrid.environments import manifest, venv_layout

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def environment(tmp_path: Path) -> Path:
    """Make a folder like an environment."""
    for name in ("bin/python", "lib/site-packages/numpy/__init__.py", "lib/site-packages/numpy/core.so"):
        file = tmp_path / "env" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(name, encoding="utf-8")
    return tmp_path / "env"


def test_an_untouched_environment_has_no_differences(environment: Path) -> None:
    """Taken twice, the manifests are equal; compiled files and the marker do not count."""
    before = manifest.take(environment)
    cached = environment / "lib/site-packages/numpy/__pycache__"
    cached.mkdir()
    (cached / "__init__.cpython-312.pyc").touch()
    (environment / "lib/site-packages/numpy/__init__.pyc").touch()
    (environment / manifest.MARKER).touch()
    assert manifest.differences(before, manifest.take(environment)) == ()


@pytest.mark.parametrize("change", ["append", "delete", "add", "same size", "link", "module", "folder"])
def test_every_change_to_a_file_is_seen(environment: Path, change: str) -> None:
    """Also the same size, a link, a compiled module without a source, an empty folder: a namespace package."""
    before = manifest.take(environment)
    file = environment / "lib/site-packages/numpy/__init__.py"
    if change == "append":
        file.write_text(file.read_text(encoding="utf-8") + "x", encoding="utf-8")
    elif change == "delete":
        file.unlink()
    elif change == "add":
        file = file.with_name("new.py")
        file.touch()
    elif change == "module":
        file = file.with_name("new.pyc")
        file.touch()
    elif change == "folder":
        file = file.parent / "new"
        (file / "__pycache__").mkdir(parents=True)
    elif change == "same size":
        status = file.stat()
        file.write_bytes(b"x" * status.st_size)
        os.utime(file, ns=(status.st_atime_ns, status.st_mtime_ns + 1))
    else:
        file.unlink()
        file.symlink_to("core.so")
    expected = str(file.relative_to(environment)) + "/" * (change == "folder")
    assert manifest.differences(before, manifest.take(environment)) == (expected,)


def marker(environment: Path) -> manifest.Marker:
    return manifest.Marker(
        key="0123456789abcdef",
        path=str(environment),
        project="",
        name="",
        wheel="",
        editable="",
        python="3.12.1",
        guests="",
        interpreter=["/usr/bin/python3.12", 5, 7],
        distributions=[["demo", "1.0", ["sha256:0"], ""]],
        site="lib/site-packages",
        manifest=manifest.take(environment),
        overlaps=[["six.py", "evil", "six"]],
        links={"kind/demo-1.0-0": ["demo/RECORD"]},
    )


def test_a_marker_is_read_as_it_was_written(environment: Path) -> None:
    """All keys are stored, so that other versions find them; without a file there is no marker."""
    assert manifest.read_marker(environment) is None
    manifest.write_marker(environment, marker(environment))
    assert manifest.read_marker(environment) == marker(environment)
    stored = json.loads((environment / manifest.MARKER).read_text(encoding="utf-8"))
    assert {"format", "key", "path", "project", "wheel", "editable", "python", "manifest"} <= stored.keys()
    assert {"name", "interpreter", "distributions", "site", "links"} <= stored.keys()


@pytest.mark.parametrize(
    "change", [{"format": "venvgrid-environment-9"}, {"links": []}, {"manifest": None}, {"key": 1}]
)
def test_a_marker_of_another_shape_is_none(environment: Path, change: dict[str, object]) -> None:
    """Another format, a value of another type, a missing key, half a file, or something other than an object."""
    manifest.write_marker(environment, marker(environment))
    file = environment / manifest.MARKER
    stored = json.loads(file.read_text(encoding="utf-8"))
    shapes = [{**stored, **change}, {key: value for key, value in stored.items() if key not in change}, [], 7]
    for text in (*map(json.dumps, shapes), file.read_text(encoding="utf-8")[:100], ""):
        file.write_text(text, encoding="utf-8")
        assert manifest.read_marker(environment) is None


def test_a_link_leads_to_its_environment_and_can_be_moved(tmp_path: Path) -> None:
    """A link is made, kept, and made to lead elsewhere; a folder in its place is left alone."""
    (tmp_path / "store" / "one").mkdir(parents=True)
    (tmp_path / "store" / "two").mkdir()
    (tmp_path / "envs").mkdir()
    place = tmp_path / "envs" / "cell"
    for name in ("one", "one", "two"):
        assert venv_layout.link(tmp_path / "store" / name, place, "posix")
        assert place.resolve().name == name
    (tmp_path / "envs" / "mine").mkdir()
    assert not venv_layout.link(tmp_path / "store" / "one", tmp_path / "envs" / "mine", "posix")


def test_where_things_are_on_each_platform(tmp_path: Path) -> None:
    """The interpreter and site-packages of an environment, by platform and implementation."""
    assert venv_layout.python_of(tmp_path, "posix") == tmp_path / "bin/python"
    assert venv_layout.python_of(tmp_path, "nt") == tmp_path / "Scripts/python.exe"
    assert (
        venv_layout.site_of(tmp_path, testing.interpreter("3.12.1"), "posix")
        == tmp_path / "lib/python3.12/site-packages"
    )
    free = testing.interpreter("3.13.0", free_threaded=True)
    assert venv_layout.site_of(tmp_path, free, "posix") == tmp_path / "lib/python3.13t/site-packages"
    pypy = testing.interpreter("3.10.14", "pypy")
    assert venv_layout.site_of(tmp_path, pypy, "posix") == tmp_path / "lib/pypy3.10/site-packages"
    assert venv_layout.site_of(tmp_path, testing.interpreter(), "nt") == tmp_path / "Lib/site-packages"
