"""What the probe attests from inside, piece by piece, on the Python of today; every Python is tried end to end."""
# ruff: noqa: SIM300, SLF001 - expected == actual; the pieces are private to the module

from __future__ import annotations

import importlib
import os
import sys
import types
from typing import TYPE_CHECKING, Any

import pytest
from inside import probe

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from types import ModuleType


inside = probe("attestation")


def write(folder: Path, files: dict[str, str]) -> Path:
    """Write files and give the folder."""
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return folder


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({"foo_bar-1.0.dist-info/METADATA": "Name: foo-bar\nVersion: 1.0+cpu\n\nVersion: 9\n"}, "1.0+cpu"),
        ({"Foo.Bar-1.0.dist-info/METADATA": "Name: Foo.Bar\nVersion: 1.0\n"}, "1.0"),
        ({"foo-bar-1.0.dist-info/METADATA": "version: 1.1\n"}, "1.1"),
        ({"foo_bar.egg-info/PKG-INFO": "Version: 2.0\n"}, "2.0"),
        ({"foo_bar-2.0-py2.7.egg-info/PKG-INFO": "Version: 2.0.0\n"}, "2.0.0"),
        ({"foo_bar-2.1-py2.7.egg-info": "Metadata-Version: 1.0\nVersion: 2.1\n"}, "2.1"),
        ({"foo_bar-3.0.dist-info/RECORD": ""}, "3.0"),
        ({"foo_bar.dist-info/RECORD": ""}, "unknown"),
        ({"foo-1.0.dist-info/METADATA": "Version: 1.0\n", "foo_bar_baz-1.0.dist-info/METADATA": ""}, ""),
        ({}, ""),
    ],
)
def test_installed_versions(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, files: dict[str, str], expected: str
) -> None:
    """Of wheels and of everything older, whatever way the name is spelled."""
    monkeypatch.setattr(sys, "path", ["/nowhere", str(write(tmp_path, files)), "relative"])
    assert expected == inside.attest({"distributions": ["foo.bar"]})["packages"]["foo.bar"]


def test_the_first_copy_wins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As it does for an import; "" is the current folder."""
    write(tmp_path / "a", {"foo-1.0.dist-info/METADATA": "Version: 1.0\n"})
    write(tmp_path / "b", {"foo-2.0.dist-info/METADATA": "Version: 2.0\n"})
    monkeypatch.chdir(tmp_path / "b")
    monkeypatch.setattr(sys, "path", ["", str(tmp_path / "a")])
    assert {"foo": "2.0"} == inside.attest({"distributions": ["foo"]})["packages"]


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({"RECORD": "foo/__init__.py,,\nfoo/a/__init__.py,,\nfoo-1.0.dist-info/METADATA,,\n"}, ["foo"]),
        ({"RECORD": "foo/__init__.py,,\ntests/__init__.py,,\n_foo.cpython-39-x.so,,\n"}, ["foo", "_foo"]),
        ({"RECORD": "google/cloud/foo/__init__.py,,\ngoogle/cloud/foo/x.py,,\n"}, ["google.cloud.foo"]),
        ({"RECORD": "ns/a.py,,\nns/b.py,,\n../../bin/foo,,\n"}, ["ns.a", "ns.b"]),
        ({"RECORD": "_foo.pth,,\n__editable___foo_finder.py,,\n", "top_level.txt": "foo_x\n"}, ["foo_x"]),
        ({"RECORD": "_foo.pth,,\n"}, ["given"]),
        ({"top_level.txt": "bar\nfoo\n"}, ["given"]),
    ],
)  # fmt: skip
def test_importable_names_of_a_distribution(tmp_path: Path, files: dict[str, str], expected: list[str]) -> None:
    """From RECORD, from what the caller knows, from top_level.txt; never "tests"; its own name first."""
    given = None if "__editable" in files.get("RECORD", "") else ["given"]
    assert expected == inside._modules("foo", given, str(write(tmp_path, files)))


@pytest.fixture
def code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Code in an "environment" and beside it, on the path."""
    write(tmp_path / "env", {"mine/__init__.py": "", "single.py": "", "space/a.py": ""})
    write(tmp_path / "checkout", {"mine/__init__.py": "", "space/b.py": ""})
    monkeypatch.setattr(sys, "path", [str(tmp_path / "env"), str(tmp_path / "checkout"), *sys.path])
    importlib.invalidate_caches()
    return tmp_path.resolve()


def module(name: str, **values: object) -> ModuleType:
    """A module with these attributes."""
    made = types.ModuleType(name)
    made.__dict__.update(values)
    return made


def test_what_was_imported_counts(code: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where sys.modules says that it came from, whatever an import would find now."""
    origin = code / "checkout" / "mine" / "__init__.py"
    monkeypatch.setitem(sys.modules, "mine", module("mine", __file__=str(origin)))
    assert (str(origin), True) == inside._origin_of("mine", None, None, str(code / "env"))


@pytest.mark.parametrize(("name", "file"), [("mine", "mine/__init__.py"), ("single", "single.py"), ("space", "space")])
def test_what_was_not_imported_is_looked_for(code: Path, name: str, file: str) -> None:
    """And not imported by that."""
    assert (str(code / "env" / file), False) == inside._origin_of(name, None, None, str(code / "env"))
    assert name not in sys.modules


def test_a_part_of_a_namespace_is_looked_for(code: Path) -> None:
    """A namespace package has parts in several places."""
    assert (str(code / "checkout" / "space" / "b.py"), False) == inside._origin_of(
        "space-b", ["space.b"], None, str(code / "env")
    )


def test_of_a_namespace_only_what_is_foreign_tells_something(code: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its parts in the environment may be of other distributions."""
    monkeypatch.setitem(sys.modules, "space", module("space", __path__=["x"]))
    monkeypatch.setitem(sys.modules, "space.a", module("space.a", __file__=str(code / "env" / "space" / "a.py")))
    assert not inside._origin_of("space", None, None, str(code / "env"))[1]
    foreign = str(code / "checkout" / "space" / "b.py")
    monkeypatch.setitem(sys.modules, "space.b", module("space.b", __file__=foreign))
    assert (foreign, True) == inside._origin_of("space", None, None, str(code / "env"))


def test_the_foreign_one_of_several_modules_is_told(code: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A distribution of two modules, one of them shadowed."""
    foreign = str(code / "checkout" / "mine" / "__init__.py")
    monkeypatch.setitem(sys.modules, "single", module("single", __file__=str(code / "env" / "single.py")))
    monkeypatch.setitem(sys.modules, "mine", module("mine", __file__=foreign))
    assert (foreign, True) == inside._origin_of("x", ["single", "mine"], None, str(code / "env"))


class Nasty:
    """What a test may leave in sys.modules."""

    def __getattr__(self, name: str) -> object:
        """Raise for every name."""
        raise RuntimeError(name)


@pytest.mark.parametrize(
    "make",
    [lambda: None, Nasty, lambda: 7, lambda: module("nothing"), lambda: module("nothing", __file__=7)],
    ids=["None", "an object that raises", "a number", "no file", "a number for a file"],
)
def test_whatever_is_in_sys_modules_does_no_harm(
    code: Path, monkeypatch: pytest.MonkeyPatch, make: Callable[[], Any]
) -> None:
    """It is not taken for the module."""
    monkeypatch.setitem(sys.modules, "mine", make())
    assert not inside._origin_of("mine", None, None, str(code / "env"))[1]


@pytest.mark.skipif(os.name == "nt", reason="links need a privilege there")
def test_links_of_folders_are_followed_and_of_files_not(tmp_path: Path) -> None:
    """An environment may be reached by a link; an installer may have linked its files from a cache."""
    write(tmp_path, {"cache/x.py": "", "env/y.py": ""})
    (tmp_path / "env" / "x.py").symlink_to(tmp_path / "cache" / "x.py")
    (tmp_path / "link").symlink_to(tmp_path / "env")
    assert str(tmp_path.resolve() / "env" / "x.py") == inside._real(str(tmp_path / "link" / "x.py"))
