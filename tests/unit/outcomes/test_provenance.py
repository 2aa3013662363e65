"""Where modules came from, compared with what is installed: pure."""

from __future__ import annotations

from dataclasses import replace

import pytest

from venvgrid.model import Outcome
from venvgrid.outcomes.judgement import judge
from venvgrid.outcomes.observation import Observation
from venvgrid.outcomes.provenance import EMPTY_FILE, Finding, Scene, Watched, compare, roots_of
from venvgrid.outcomes.witness import Witnessed

from seen import ATTESTED, CLEAN, EXPECTED, changed  # isort: skip  (beside this file)

SITE = "/proj/.venvgrid/store/1/lib/python3.9/site-packages"
PROJECT = Watched(
    name="proj",
    roots=("proj",),
    files={"proj/__init__.py": "aa", "proj/core.py": "bb", "examples/core.py": "bb", "proj/empty.py": EMPTY_FILE},
    is_required=True,
)
NUMPY = Watched(name="numpy", roots=("numpy",), files={"numpy/__init__.py": "cc"})
SCENE = Scene(site=SITE, watched=(PROJECT, NUMPY), project=PROJECT, sources=("/proj", "/proj/src"))
RIGHT = (("proj", f"{SITE}/proj/__init__.py"), ("numpy", f"{SITE}/numpy/__init__.py"))
STARTED = (("3.9.18", "/env/bin/python"),)


def finding(scene: Scene = SCENE, owned: tuple[str, ...] = (), **seen: object) -> Finding:
    """Compare these records; every file has the content "bb"."""
    witnessed = Witnessed(**{"processes": STARTED, "imports": RIGHT, **seen})  # type: ignore[arg-type]
    return compare(witnessed, scene, digest=lambda _: "bb", is_owned=owned.__contains__)


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        (["proj/__init__.py", "proj/a/__init__.py", "proj/b.py"], ("proj",)),
        (["google/cloud/x/__init__.py", "google/cloud/x/y.py"], ("google.cloud.x",)),
        (["six.py", "tests/__init__.py", "conftest.py"], ("six",)),
        (["tests/__init__.py"], ("tests",)),
        (["a.cpython-39-x86_64-linux-gnu.so", "b/c.pyd"], ("a", "b.c")),
        (["utils.py", "helpers/__init__.py"], ("helpers", "utils")),
        (["../../bin/x.py", "proj.pth", "not-a-name.py", "__editable___proj_finder.py"], ()),
    ],
)
def test_importable_names_follow_from_the_files(files: list[str], expected: tuple[str, ...]) -> None:
    """Packages, the own part of a namespace, single modules; no tests that were shipped by accident."""
    assert expected == roots_of("proj", files)


@pytest.mark.parametrize(
    ("name", "file", "said"),
    [
        ("proj.core", f"{SITE}/proj/core.py", ""),
        ("proj.core", "/proj/proj/core.py", "not from the environment"),
        ("proj.core", f"{SITE}/other/core.py", "RECORD does not list it"),
        ("proj.more", f"{SITE}/proj/more.py", "RECORD does not list it"),
        ("numpy.plugin", f"{SITE}/numpy/plugin.py", ""),
        ("numpy", f"{SITE}/numpy.py", "RECORD does not list it"),
        ("numpyish", "/elsewhere/numpyish.py", ""),
    ],
)
def test_each_module_comes_from_a_file_of_its_distribution(name: str, file: str, said: str) -> None:
    """Another distribution may add modules, but not replace those that the distribution lists."""
    found = finding(owned=("numpy/plugin.py", "numpy.py"), imports=(*RIGHT, (name, file))).difference
    assert (said in found) if said else not found


@pytest.mark.parametrize(
    ("file", "is_wrong"),
    [
        ("/proj/proj/__init__.py", True),
        ("/proj/src/proj/unshipped.py", True),
        ("/proj/proj/tests/test_a.py", False),
        ("/proj/proj/conftest.py", False),
        ("/proj/tests/proj/__init__.py", False),
        ("/proj/setup.py", False),
        ("/tmp/copy/proj/core.py", True),
        ("/proj/examples/core.py", False),
        ("/tmp/copy/proj/empty.py", False),
        (f"{SITE}/proj/core.py", False),  # by a link to its folder
    ],
)
def test_sources_of_the_project_that_run_under_any_name(file: str, is_wrong: bool) -> None:  # noqa: FBT001
    """In the checkout by their place, elsewhere by path and content; tests and empty files prove nothing."""
    assert is_wrong == bool(finding(runs=(file,)).difference)


def test_an_editable_project_must_be_the_checkout() -> None:
    """What is in site-packages is wrong then, and sources may run."""
    scene = replace(SCENE, checkout="/proj")
    assert "not from /proj" in finding(scene).difference
    right = (("proj", "/proj/src/proj/__init__.py"),)
    assert not finding(scene, imports=right, runs=("/proj/src/proj/__init__.py",)).difference


def test_files_of_two_distributions() -> None:
    """A difference where one is watched and the file is code; always a note."""
    scene = replace(SCENE, overlaps=(("LICENSE", "a", "proj"), ("tests/x.py", "a", "proj"), ("z.py", "a", "b")))
    assert (finding(scene).difference, len(finding(scene).notes)) == ("", 3)
    scene = replace(SCENE, overlaps=(("numpy/__init__.py", "evil", "numpy"),))
    assert finding(scene).difference.startswith("numpy/__init__.py belongs to evil and to numpy")


def test_absent_packages_must_not_come_from_anywhere() -> None:
    """The cell says that it is not there."""
    absent = Watched(name="six", roots=("six",), is_absent=True)
    scene = replace(SCENE, watched=(*SCENE.watched, absent))
    assert "says that six is absent" in finding(scene, imports=(*RIGHT, ("six", "/x/six.py"))).difference
    assert finding(scene).unimported == ()


def test_what_was_never_imported_and_never_started() -> None:
    """Required and noted; a command that never starts the Python is a difference where reports need it."""
    found = finding(imports=())
    assert (found.lacking, found.unimported) == (("proj",), ("numpy",))
    assert "never started" in finding(replace(SCENE, needs_python=True), processes=()).difference
    assert "never started" in finding(processes=()).notes[0]


def test_edits_before_an_import_are_known_by_their_time() -> None:
    """A file that was changed after the command began, and imported then."""
    scene = replace(SCENE, began=100.0)
    found = finding(scene, changes=(("/a", 99.0), ("/b", 100.5)))
    assert frozenset({"/b"}) == found.edited


def test_only_a_green_cell_lacks_an_import() -> None:
    """The probe's evidence counts as well; a red cell keeps its own reason."""
    unseen = [item for item in changed() if item is not ATTESTED]
    observed, blind = Observation(), Observation()
    for record in unseen:
        observed.add(record)
    for record in changed(project_imported=False, imported=()):
        blind.add(record)
    lacking = Finding(lacking=("proj",), unimported=("numpy",))
    green = judge(observed, CLEAN, EXPECTED, finding=lacking)
    assert (green.outcome, green.notes) == (Outcome.PASSED, ())
    red = judge(blind, CLEAN, EXPECTED, finding=lacking)
    assert (red.outcome, red.reason.startswith("proj was never imported")) == (Outcome.MISMATCH, True)
    failed = judge(blind, replace(CLEAN, exit_code=1), EXPECTED, finding=lacking)
    assert Outcome.FAILED is failed.outcome


@pytest.mark.parametrize(
    ("name", "path", "time", "is_made"),
    [
        ("proj.tables", "proj/tables.py", 101.0, True),
        ("proj.tables", "proj/tables.py", 99.0, False),
        ("proj.core", "proj/core/__init__.py", 101.0, False),
        ("proj.tables", "elsewhere/tables.py", 101.0, False),
    ],
)
def test_modules_that_were_made_meanwhile_are_noted(name: str, path: str, time: float, is_made: bool) -> None:  # noqa: FBT001
    """Where their name says, in place of no installed module, and not before the tests began."""
    file = f"{SITE}/{path}"
    found = finding(replace(SCENE, began=100.0), imports=(*RIGHT, (name, file)), changes=((file, time),))
    assert (found.difference == "", file not in found.edited or time < 100, bool(found.notes)) == (
        is_made,
        is_made or time < 100,
        is_made,
    )
