"""The map of files of a cell: what is kept of a session's record."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

import pytest

from venvgrid.analysis.affected import reach
from venvgrid.analysis.affected.reach import Places, Reach

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def places(tmp_path: Path) -> Places:
    """A checkout with the package in src, and its environment inside of the checkout."""
    root = tmp_path / "project"
    for name in ("src/demo/a.py", "src/demo/_fast.pyx", "tests/test_a.py"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()
    environment = root / ".venvgrid" / "store" / "x"
    site = environment / "site-packages"
    return Places(
        checkout=(str(root),),
        site=(str(site),),
        environment=(str(environment),),
        sources=(str(root / "src"),),
        roots=("demo", "other.part"),
    )


def joined(*parts: str) -> str:
    """Join the parts of a path."""
    return os.sep.join(parts)  # noqa: PTH118


def record(
    folder: Path,
    places: Places,
    name: str = "1-main.json",
    tests: tuple[str, ...] = ("test_a", "test_b"),
    took: float = 0.0,
) -> None:
    """Write the record of a session: each test module uses the installed demo.a, and opened data."""
    folder.mkdir(exist_ok=True)
    seconds = {f"tests/{test}.py": took for test in tests}
    root, site = places.checkout[0], places.site[0]
    files = [joined(site, "demo", "a.py"), joined(root, "data.json")]
    files += [joined(root, "tests", f"{test}.py") for test in tests]
    number = {f"tests/{test}.py": at + 2 for at, test in enumerate(tests)}
    data = {"v": 1, "files": files, "edges": [[at, 0] for at in number.values()], "tests": number, "seconds": seconds}
    (folder / name).write_text(json.dumps({**data, "opened": {module: [1] for module in number}}), encoding="utf-8")


def test_installed_files_are_called_as_their_sources(places: Places) -> None:
    """A file of the environment has the name of its source; one without a source says that it is installed."""
    site, root = places.site[0], places.checkout[0]
    assert places.name(joined(site, "demo", "a.py")) == "src/demo/a.py"
    assert places.name(joined(site, "demo", "_fast.cpython-313-x86_64-linux-gnu.so")) == "src/demo/_fast.pyx"
    assert places.name(joined(site, "demo", "made.py")) == "site-packages/demo/made.py"
    assert places.name(joined(root, "tests", "test_a.py")) == "tests/test_a.py"


def test_the_probe_knows_the_files_of_the_project(places: Places) -> None:
    """Prefixes are those of the packages, also of parts of a namespace, and of modules that are one file."""
    prefixes, site = places.prefixes(), places.site[0]
    assert prefixes["own"][:2] == (joined(site, "demo", ""), joined(site, "demo."))
    assert joined(site, "other", "part", "") in prefixes["own"]
    assert prefixes["others"] == (joined(places.environment[0], ""),)


def test_sessions_are_merged(tmp_path: Path, places: Places) -> None:
    """A run of some tests replaces what was known of them and leaves the rest."""
    private = tmp_path / "cell"
    private.mkdir()
    record(tmp_path / "first", places)
    reach.keep(private, tmp_path / "first", places)
    whole = reach.load(private)
    assert whole.tests == {"tests/test_a.py": "tests/test_a.py", "tests/test_b.py": "tests/test_b.py"}
    assert whole.edges["tests/test_b.py"] == {"src/demo/a.py"}
    assert whole.opened["tests/test_a.py"] == {"data.json"}
    record(tmp_path / "second", places, tests=("test_a",))
    reach.keep(private, tmp_path / "second", places)
    assert reach.load(private) == whole


def test_the_processes_of_a_command_are_merged(tmp_path: Path, places: Places) -> None:
    """The records of several processes, such as workers of pytest-xdist, are one map."""
    record(tmp_path / "records", places, "1-gw0.json", ("test_a",))
    record(tmp_path / "records", places, "2-gw1.json", ("test_b",))
    reach.keep(tmp_path, tmp_path / "records", places)
    assert sorted(reach.load(tmp_path).tests) == ["tests/test_a.py", "tests/test_b.py"]


def test_an_equal_map_is_not_written(tmp_path: Path, places: Places) -> None:
    """A second run that reaches the same leaves the file as it is, unless a module takes far longer."""
    record(tmp_path / "records", places)
    reach.keep(tmp_path, tmp_path / "records", places)
    before = (tmp_path / reach.FILE).stat()
    record(tmp_path / "records", places, took=0.1)
    reach.keep(tmp_path, tmp_path / "records", places)
    assert (tmp_path / reach.FILE).stat() == before
    record(tmp_path / "records", places, took=2.0)
    reach.keep(tmp_path, tmp_path / "records", places)
    assert reach.load(tmp_path).seconds["tests/test_a.py"] == 2.0


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "{}", '{"v":2}', '{"v":1,"files":["a"],"edges":[[0,7]],"tests":{},"opened":{}}']
)
def test_a_damaged_map_is_no_map(tmp_path: Path, places: Places, text: str) -> None:
    """A map or a record that cannot be read counts as none."""
    (tmp_path / reach.FILE).write_text(text, encoding="utf-8")
    assert reach.load(tmp_path) == Reach()
    (tmp_path / "records").mkdir()
    (tmp_path / "records" / "1.json").write_text(text, encoding="utf-8")
    reach.keep(tmp_path, tmp_path / "records", places)
    assert reach.load(tmp_path) == Reach()
