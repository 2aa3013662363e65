"""Which source is installed where, and what edits mean for it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from venvgrid.outcomes.provenance import EMPTY_FILE
from venvgrid.running.warm.mapping import Edits, Placement, edits, objection, place, replaced
from venvgrid.running.warm.preview import Cold

SOURCES = {
    "src/demo/__init__.py": EMPTY_FILE,
    "src/demo/sub/__init__.py": EMPTY_FILE,
    "src/demo/core.py": "core",
    "src/demo/data.json": "data",
    "src/demo/fast.pyx": "fast",
    "tests/__init__.py": EMPTY_FILE,
    "tests/core.py": "other",
}
INSTALLED = {
    "demo/__init__.py": EMPTY_FILE,
    "demo/sub/__init__.py": EMPTY_FILE,
    "demo/core.py": "core",
    "demo/data.json": "data",
    "demo/fast.pyx": "fast",
    "demo/fast.cpython-312-x86_64-linux-gnu.so": "so",
    "demo/_version.py": "made by the build",
}
PLACED = place(INSTALLED, SOURCES)


def test_a_file_comes_from_the_source_with_its_name_and_content() -> None:
    """Empty files are told apart by their paths; what the build made has no source."""
    expected = {name: name.removeprefix("src/") for name in SOURCES if name.startswith("src/")}
    assert Placement(files=expected, folders={"src/demo": "demo", "src/demo/sub": "demo/sub"}) == PLACED


def test_a_package_may_have_another_folder() -> None:
    """The folders of sources and of packages need not have the same names; a module may be in none."""
    found = place({"demo/a.py": "a", "one.py": "1"}, {"lib/a.py": "a", "one.py": "1"})
    assert Placement(files={"lib/a.py": "demo/a.py", "one.py": "one.py"}, folders={"lib": "demo", "": ""}) == found


def test_copies() -> None:
    """Of several copies the one nearest to the project counts; a file that is installed twice has no place."""
    assert place({"demo/a.py": "a"}, {"build/lib/demo/a.py": "a", "src/demo/a.py": "a"}).files == {
        "src/demo/a.py": "demo/a.py"
    }
    assert place({"demo/a.py": "a", "more/a.py": "a"}, {"src/demo/a.py": "a"}).files == {}
    assert place({"demo/a.py": "a"}, {"x/a.py": "a", "y/a.py": "a"}).files == {}
    assert place({"demo/a.py": ""}, {"src/demo/a.py": ""}).files == {}


@given(st.dictionaries(st.sampled_from(sorted(SOURCES)), st.sampled_from(["core", "data", EMPTY_FILE, ""])))
def test_a_place_always_has_the_content(sources: dict[str, str]) -> None:
    """Whatever the sources are, a source is placed only where its own name and content are."""
    for name, path in place(INSTALLED, sources).files.items():
        assert (name.rpartition("/")[2], sources[name]) == (path.rpartition("/")[2], INSTALLED[path])


@pytest.mark.parametrize(
    ("done", "expected"),
    [
        (Edits(changed=("src/demo/core.py",)), {"demo/core.py": "src/demo/core.py"}),
        (Edits(changed=("src/demo/data.json",)), {"demo/data.json": "src/demo/data.json"}),
        (Edits(created=("src/demo/sub/new.py",)), {"demo/sub/new.py": "src/demo/sub/new.py"}),
        (Edits(changed=("tests/core.py",), created=("tests/test_b.py",), deleted=("tests/data/x.bin",)), {}),
        (Edits(changed=("conftest.py", "pytest.ini")), {}),
        (Edits(created=("src/demo/new.json",)), "src/demo/new.json is new: only a build tells where it is installed"),
        (
            Edits(created=("src/demo/other/a.py",)),
            "src/demo/other/a.py is new: only a build tells where it is installed",
        ),
        (Edits(deleted=("src/demo/core.py",)), "src/demo/core.py was deleted: the project must be built"),
        (Edits(changed=("pyproject.toml",)), "pyproject.toml is not installed as it is: the project must be built"),
        (
            Edits(changed=("src/demo/fast.pyx",)),
            "src/demo/fast.pyx is not installed as it is: the project must be built",
        ),
        (Edits(created=("src/demo/fast.py",)), "src/demo/fast.py is compiled"),
        (Edits(changed=("VERSION",)), "VERSION is not installed as it is: the project must be built"),
        (
            Edits(changed=("src/demo/core.py", "tools/make.py")),
            "tools/make.py is not installed as it is: the project must be built",
        ),
    ],
)
def test_what_edits_replace(done: Edits, expected: dict[str, str] | str) -> None:
    """Installed files are replaced by their edited sources; of any other edit only a build can tell."""
    assert (Cold(reason=expected) if isinstance(expected, str) else expected) == replaced(done, PLACED, INSTALLED)


def test_edits_are_of_files() -> None:
    """A new mode or content, a new or deleted file counts; a folder does not."""
    before = {"a": "100644 x", "b": "100644 y", "dir": "40755", "same": "100644 s", "c": "100644 z"}
    now = {"a": "100644 x2", "b": "100755 y", "dir": "40700", "same": "100644 s", "d": "100644 z", "dir2": "40755"}
    assert Edits(changed=("a", "b"), created=("d",), deleted=("c",)) == edits(before, now)


def test_an_editable_installation_shows_all_but_builds() -> None:
    """Python reads the checkout; what is compiled or described there is as it was."""
    assert objection(Edits(changed=("src/demo/a.py",), created=("x.py",), deleted=("y.py",))) is None
    assert objection(Edits(changed=("setup.py",))) == Cold(
        reason="setup.py is not installed as it is: the project must be built"
    )
