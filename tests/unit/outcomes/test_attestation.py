"""What ran is not what the cell says: a mismatch, whether its tests passed or failed."""
# ruff: noqa: SIM300 - expected == actual; hypothesis gives booleans by name

from __future__ import annotations

from dataclasses import replace

import pytest
from seen import ATTESTED, CLEAN, EXPECTED, ORIGIN, PREFIX, SESSION, changed, judged, outcome, reports, session

from venvgrid.model import Outcome
from venvgrid.outcomes.attestation import Expectation
from venvgrid.outcomes.judgement import CommandExit, judge
from venvgrid.outcomes.observation import Observation
from venvgrid.outcomes.records import Collected, Finished, Record, Session


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({"packages": {"numpy": "2.0.0"}}, "numpy 2.0.0 was there, but the cell says numpy 1.26.4"),
        ({"packages": {}}, "no numpy was there, but the cell says numpy 1.26.4"),
        (
            {"packages": {"numpy": "1.26.4", "scipy": "1.0"}},
            "scipy 1.0 was there, but the cell says that scipy is absent",
        ),
        (
            {"origins": {"numpy": "/proj/numpy/__init__.py"}},
            "numpy was imported from /proj/numpy/__init__.py, not from the environment",
        ),
        (
            {"imported": ("scipy",), "origins": {"scipy": "/x/scipy.py"}},
            "scipy was imported from /x/scipy.py, but the cell says absent",
        ),
        ({"project_version": "0.9"}, "proj 0.9 was there, but the cell says proj 1.0"),
        ({"project_version": ""}, "no proj was there, but the cell says proj 1.0"),
        ({"error": "OSError: x"}, "what ran could not be attested at the end of the tests: OSError: x"),
    ],
)
def test_something_else_than_the_cell_says_is_a_mismatch(values: dict[str, object], expected: str) -> None:
    """Versions, presence and origin of the axis packages, and the project's version."""
    assert (Outcome.MISMATCH, expected) == outcome(changed(**values))


def test_other_variables_than_those_of_the_cell_are_a_mismatch() -> None:
    """A command may set them for all cells; what a worker of pytest-xdist gets is of its controller."""
    for found, told in (("a", "with MODE=a"), (None, "without MODE")):
        started = replace(SESSION, variables={"MODE": found})
        records = [started if item == SESSION else item for item in session(*reports("passed"))]
        expected = replace(EXPECTED, variables={"MODE": "b"})
        why = f"the tests were started {told}, but the cell says MODE=b"
        assert (Outcome.MISMATCH, why) == outcome(records, expected=expected)


def test_code_of_the_checkout_is_a_mismatch_with_advice() -> None:
    """The wheel is installed and the tests imported the working copy."""
    found = outcome(changed(project_origin="/proj/proj/__init__.py"))
    assert (Outcome.MISMATCH, True, True) == (
        found[0],
        found[1].startswith("proj was imported from /proj/proj/__init__.py, not from the environment"),
        all(hint in found[1] for hint in ("--import-mode=importlib", "src layout", 'install = "editable"')),
    )


def test_an_editable_project_must_come_from_its_folder() -> None:
    """The environment lies inside the project's folder: what is imported from there is not the checkout."""
    expected = replace(EXPECTED, project_origin="/proj")
    assert Outcome.PASSED is outcome(changed(project_origin="/proj/src/proj/__init__.py"), expected=expected)[0]
    assert Outcome.MISMATCH is outcome(changed(project_origin=ORIGIN), expected=expected)[0]
    assert Outcome.MISMATCH is outcome(changed(project_origin="/other/proj/__init__.py"), expected=expected)[0]


def test_code_that_was_not_imported_is_no_mismatch() -> None:
    """Tests that only start the project's command never import it; where an import would go says nothing."""
    records = changed(project_origin="/proj/proj/__init__.py", project_imported=False)
    assert Outcome.PASSED is outcome(records)[0]


OTHER_PYTHON = (
    "the tests ran on cpython 3.9.18 /usr/bin/python3, not on the Python of the environment: "
    "the command starts another interpreter (write `pytest` or `{python} -m pytest`)"
)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (
            {"prefix": "/usr", "executable": "/usr/bin/python3"},
            OTHER_PYTHON,
        ),
        ({"version": "3.9.17"}, "the tests ran on cpython 3.9.17, but the cell says cpython 3.9.18"),
        ({"implementation": "pypy"}, "the tests ran on pypy 3.9.18, but the cell says cpython 3.9.18"),
    ],
)
def test_another_interpreter_is_a_mismatch(values: dict[str, str], expected: str) -> None:
    """It is known from the session's first record on, and outranks failures."""
    first, *rest = session(*reports("failed"), status=1)
    assert isinstance(first, Session)
    assert (Outcome.MISMATCH, expected) == outcome([replace(first, **values), *rest], CommandExit(exit_code=1))  # type: ignore[arg-type]


def test_a_mismatch_leads_the_failures() -> None:
    """The failures of the tests stay listed, after it."""
    first, *rest = session(*reports("failed"), status=1)
    assert isinstance(first, Session)
    found = judged([replace(first, version="3.8.1"), *rest], CommandExit(exit_code=1))
    assert ["", "test_0"] == [item.test for item in found.failures]


def test_a_crash_stays_a_crash_on_another_interpreter() -> None:
    """Crashes and time limits say more."""
    assert Outcome.CRASHED is outcome([replace(SESSION, prefix="/usr")], CommandExit(exit_code=-6))[0]


def test_workers_must_agree() -> None:
    """What a worker of pytest-xdist imported counts: the controller imports nothing."""
    worker: list[Record] = [
        replace(SESSION, source="2", worker="gw0"),
        replace(ATTESTED, source="2", worker="gw0", packages={"numpy": "2.0", "scipy": ""}),
        Finished(source="2", exitstatus=0, worker="gw0"),
    ]
    controller = changed(project_imported=False, project_origin="", imported=())
    expected = "numpy 2.0 was there, but the cell says numpy 1.26.4"
    assert (Outcome.MISMATCH, expected) == outcome([*controller, *worker])


def test_the_attestation_of_the_worker_that_imported_is_shown() -> None:
    """Its origin of the project is the one in results.json, and its tests are not counted twice."""
    worker: list[Record] = [
        replace(SESSION, source="2", worker="gw0"),
        replace(ATTESTED, source="2", worker="gw0"),
        Finished(source="2", exitstatus=0, worker="gw0"),
    ]
    found = judged([*changed(project_imported=False, project_origin="/x/proj.py"), *worker])
    assert (Outcome.PASSED, ORIGIN, 1) == (found.outcome, found.attested.project_origin, found.attested.collected)


def test_equal_versions_in_other_words_are_equal() -> None:
    """1.26.4 and 1.26.4.0 are one version."""
    assert Outcome.PASSED is outcome(changed(packages={"numpy": "1.26.4.0"}))[0]


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ({"numpy": "2.0"}, {"numpy": "2.0"}, "the environment holds numpy 2.0, but the cell says numpy 1.26.4"),
        (
            {"numpy": "1.26.4"},
            {"numpy": "2.0"},
            "the tests left numpy 2.0 in the environment, but the cell says numpy 1.26.4",
        ),
    ],
)
def test_the_environment_is_looked_at_from_outside(
    before: dict[str, str], after: dict[str, str], expected: str
) -> None:
    """For commands that are no pytest: what is installed before and after."""
    cell = Expectation(prefix=PREFIX, python_version="3.9.18", packages={"numpy": "1.26.4"}, reports="exit-status")
    found = judge(Observation(), CLEAN, cell, before=before, after=after)
    assert (Outcome.MISMATCH, expected) == (found.outcome, found.reason)


def test_windows_paths_are_compared_without_case() -> None:
    """Upper and lower case, slash and backslash make no difference there."""
    prefix = "C:\\Env\\1"
    records: list[Record] = [
        replace(SESSION, prefix="c:\\env\\1"),
        Collected(source="1", ids=1),
        *reports("passed"),
        replace(
            ATTESTED,
            origins={"numpy": "c:/env/1/Lib/site-packages/numpy/__init__.py"},
            project_origin="C:\\ENV\\1\\x.py",
        ),
        Finished(source="1", exitstatus=0),
    ]
    expected = replace(EXPECTED, prefix=prefix, project_origin=prefix)
    assert Outcome.PASSED is outcome(records, expected=expected)[0]
