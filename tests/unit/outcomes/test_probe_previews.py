"""What the probe does for previews: which tests go first, what the tests imported, and what cannot be previewed."""

from __future__ import annotations

import json
import sys
from types import ModuleType, SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from inside import probe

from venvgrid.outcomes.observation import Observation
from venvgrid.outcomes.parsing import parse
from venvgrid.running.warm import imported

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

plugin, preview, session = (probe(name) for name in ("plugin", "preview", "session"))


def items(*names: str) -> list[Any]:
    """Return items of pytest with these ids."""
    return [SimpleNamespace(nodeid=name) for name in names]


class Writer:
    """Keeps what is written."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self.records: list[dict[str, object]] = []

    def add(self, record: dict[str, object]) -> None:
        """Keep a record."""
        self.records.append(record)


def selected(first: Sequence[str], *, only_first: bool = False) -> tuple[str, list[dict[str, object]]]:
    """Return the order in which a session runs the tests a, b, c, d, and what it wrote."""
    selection, found = session.Selection(), items("a", "b", "c", "d")
    selection.first, selection.only_first, selection.writer = first, only_first, Writer()
    selection.pytest_collection_modifyitems(SimpleNamespace(), found)
    return "".join(item.nodeid for item in found), selection.writer.records


@pytest.mark.parametrize(
    ("first", "order"), [((), "abcd"), (("c",), "cabd"), (("d", "gone", "b"), "dbac"), (("a", "b"), "abcd")]
)
def test_tests_go_first(first: Sequence[str], order: str) -> None:
    """They go in their given order, the others in their own; what is not there does not count."""
    assert selected(first) == (order, [])


def test_only_the_first() -> None:
    """The others are left out and counted; if none of the first is there, all run."""
    assert selected(("d", "b"), only_first=True) == ("db", [{"t": "left", "tests": 2}])
    assert selected(("gone",), only_first=True) == ("abcd", [])


def test_installed_tests_are_known_in_every_environment() -> None:
    """The id of a test in site-packages holds the path of its environment, the wanted one does not."""
    chosen, others = preview.reordered(
        items("../e/lib/site-packages/demo/tests.py::a", "b"), ["site-packages/demo/tests.py::a"]
    )
    assert ([item.nodeid for item in chosen], [item.nodeid for item in others]) == (
        ["../e/lib/site-packages/demo/tests.py::a"],
        ["b"],
    )


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({}, ""),
        ({"numprocesses": 0, "tx": [], "cov_source": [], "xmlpath": None, "lf": False}, ""),
        ({"numprocesses": "auto"}, "pytest-xdist starts workers of its own"),
        ({"numprocesses": 2}, "pytest-xdist starts workers of its own"),
        ({"cov_source": ["demo"]}, "coverage is measured"),
        ({"cov_source": [True]}, "coverage is measured"),
        ({"xmlpath": "a.xml"}, "a JUnit report is written"),
        ({"lf": True}, "--lf depends on the last run"),
    ],
)
def test_options_that_are_declined(options: dict[str, object], reason: str) -> None:
    """Reports, coverage, workers, and what depends on the last run: such a run is no preview."""
    assert preview.objection(SimpleNamespace(**options)) == reason


def test_what_was_left_out_is_observed() -> None:
    """The host adds up what was left out, and hears why a preview was declined."""
    seen = Observation()
    for data in ({"t": "left", "tests": 2}, {"t": "left", "tests": 1}, {"t": "left", "tests": 0, "why": "no"}):
        record = parse(json.dumps(data).encode(), "main")
        assert record
        seen.add(record)
    assert (seen.left_out, seen.declined) == (3, "no")


@pytest.fixture
def found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Return a function that imports modules as a session does, and returns what a server would import."""

    def module(name: str, file: str) -> None:
        made = ModuleType(name)
        made.__file__ = f"{sys.prefix}/lib/{file}"
        monkeypatch.setitem(sys.modules, name, made)

    def run(**variables: str) -> imported.Imported:
        path = tmp_path / "imported.json"
        module("plugin_x", "site-packages/plugin_x.py")
        noted = preview.Imports({"imported": str(path), "prefix": "/env", "project": {"modules": ["demo_x"]}})
        for name, file in (
            ("library_x", "site-packages/library_x.py"),
            ("demo_x", "site-packages/demo_x/__init__.py"),
            ("demo_x.sub", "site-packages/demo_x/sub.py"),
            ("library_x.test_it", "site-packages/library_x/test_it.py"),
            ("standard_x", "python3/standard_x.py"),
        ):
            module(name, file)
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        noted.write()
        return imported.read(path, "/env")

    return run


def names(imports: imported.Imported) -> list[str]:
    """Return the modules of this test."""
    return [name for name, _ in imports.modules if name.endswith("_x")]


def test_modules_of_other_distributions(found: Any) -> None:
    """Those of site-packages count, without the project, tests and the standard library."""
    assert names(found(PYTEST_VERSION="9")) == ["plugin_x", "library_x"]


def test_variables_that_were_set_meanwhile(found: Any) -> None:
    """If a conftest.py sets a variable, only what pytest had imported before counts."""
    seen = found(MPLBACKEND_X="agg")
    assert (names(seen), "MPLBACKEND_X" in seen.note) == (["plugin_x"], True)


def test_modules_that_pytest_rewrote_are_known(found: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server lets pytest rewrite them, too: else pytest would warn of each."""
    loader = type("AssertionRewritingHook", (), {})()
    made = ModuleType("rewritten_x")
    made.__file__, made.__loader__ = f"{sys.prefix}/lib/site-packages/rewritten_x.py", loader
    monkeypatch.setitem(sys.modules, "rewritten_x", made)
    assert ("rewritten_x", True) in found().modules


def test_no_link_is_followed(tmp_path: Path) -> None:
    """The file of the names is new: a link in its place is none of ours."""
    (tmp_path / "imported.json").symlink_to(tmp_path / "elsewhere")
    noted = preview.Imports({"imported": str(tmp_path / "imported.json")})
    with pytest.raises(OSError, match="exists"):
        noted.write()
