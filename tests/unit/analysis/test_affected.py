"""The order of tests and cells after an edit."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from venvgrid.analysis.affected import cells
from venvgrid.analysis.affected.reach import Reach
from venvgrid.analysis.affected.tests import GUESSED, affected, joined

FILES = ["src/a.py", "src/b.py", "src/c.py", "tests/test_a.py", "tests/in/test_b.py", "tests/data.json", "conftest.py"]
MODULES = ["tests/test_a.py", "tests/in/test_b.py", "tests/test_gone.py"]
REACH = Reach(
    tests={"tests/test_a.py": "tests/test_a.py", "tests/in/test_b.py": "tests/in/test_b.py"},
    edges={
        "tests/test_a.py": frozenset({"src/a.py"}),
        "tests/in/test_b.py": frozenset({"src/b.py"}),
        "src/b.py": frozenset({"src/a.py"}),
        "tests/in/conftest.py": frozenset({"src/fixtures.py"}),
    },
    opened={"tests/in/test_b.py": frozenset({"tests/data.json"})},
)
IDS = ("tests/in/test_b.py::one", "tests/test_a.py::one", "tests/test_a.py::two", "tests/in/test_b.py::two")

names = st.sampled_from(FILES)
maps = st.builds(
    Reach,
    tests=st.dictionaries(st.sampled_from(MODULES), names),
    edges=st.dictionaries(names, st.frozensets(names)),
    opened=st.dictionaries(st.sampled_from(MODULES), st.frozensets(names)),
    seconds=st.dictionaries(st.sampled_from(MODULES), st.floats(0, 100)),
)
edits = st.frozensets(st.sampled_from([*FILES, "src/new.py", "tests/test_new.py"]))
ids = st.lists(st.builds("{}::{}".format, st.sampled_from(MODULES), st.integers(0, 20)), unique=True)


@given(reach=maps, edited=edits, tests=ids, failed=st.frozensets(st.sampled_from([f"{m}::1" for m in MODULES])))
def test_no_test_is_lost_or_doubled(
    reach: Reach, edited: frozenset[str], tests: list[str], failed: frozenset[str]
) -> None:
    """Each test stands once in the order; ordered again, it stays; what is alike keeps its order."""
    found = affected(reach, edited)
    order = found.order(tests, failed)
    assert sorted(order) == sorted(tests)
    assert found.order(order, failed) == order
    alike = [test for test in order if test not in failed and found.rank(test) is None]
    assert alike == [test for test in tests if test in alike]


@given(reach=maps, tests=ids)
def test_without_an_edit_nothing_moves(reach: Reach, tests: list[str]) -> None:
    """No edit, no order: the tests run as they stand."""
    found = affected(reach, ())
    assert (found.modules, found.unknown) == ((), ())
    assert found.order(tests) == tuple(tests)


@given(reach=maps, edited=edits, extra=names)
def test_a_larger_edit_reaches_no_less(reach: Reach, edited: frozenset[str], extra: str) -> None:
    """An edit of one more file brings every test module at least as near."""
    one, more = affected(reach, edited), affected(reach, edited | {extra})
    assert all(more.distances[module] <= steps for module, steps in one.distances.items())


@given(some=st.lists(maps, max_size=3), edited=edits)
def test_a_joined_map_reaches_what_each_reaches(some: list[Reach], edited: frozenset[str]) -> None:
    """Joined maps of cells bring a module at least as near as the map of each cell that knows the edited files."""
    same = [replace(reach, tests={module: module for module in reach.tests}) for reach in some]
    whole = affected(joined(same), edited)
    for found in (affected(reach, edited) for reach in same):
        if not found.unknown:
            assert all(whole.distances[module] <= steps for module, steps in found.distances.items())


def test_the_nearest_go_first() -> None:
    """Tests that use the edited file go before those that use it by way of others; all others stay behind."""
    found = affected(REACH, ["src/a.py"])
    assert found.distances == {"tests/test_a.py": 1, "tests/in/test_b.py": 2}
    assert found.order(IDS) == (IDS[1], IDS[2], IDS[0], IDS[3])
    assert affected(REACH, ["src/b.py"]).order(IDS) == (IDS[0], IDS[3], IDS[1], IDS[2])
    assert list(found.groups()) == [(1, ("tests/test_a.py",)), (2, ("tests/in/test_b.py",))]


def test_edited_tests_go_first() -> None:
    """A test module that was edited, or is new, goes before those that use an edited file."""
    assert affected(REACH, ["tests/in/test_b.py", "src/a.py"]).modules == ("tests/in/test_b.py", "tests/test_a.py")
    assert affected(REACH, ["tests/test_new.py", "src/a.py"]).modules[0] == "tests/test_new.py"


def test_failed_tests_go_before_all() -> None:
    """A test that failed in the last run goes first, whatever was edited."""
    assert affected(REACH, ["src/b.py"]).order(IDS, {IDS[2]})[0] == IDS[2]


def test_data_lead_to_the_tests_that_opened_them() -> None:
    """A data file is one step from the tests that opened it, and from no others."""
    assert affected(REACH, ["tests/data.json"]).distances == {"tests/in/test_b.py": 1}


def test_a_conftest_reaches_its_folder() -> None:
    """A conftest.py reaches all tests below its folder, also if it was never seen; what it uses is a step further."""
    assert affected(REACH, ["tests/in/conftest.py"]).distances == {"tests/in/test_b.py": 1}
    assert set(affected(REACH, ["conftest.py"]).distances.values()) == {1}
    assert affected(REACH, ["src/fixtures.py"]).distances == {"tests/in/test_b.py": 2}
    assert affected(REACH, ["conftest.py"]).unknown == ()


def test_an_unknown_file_may_affect_all() -> None:
    """A file that no session recorded is named as unknown; tests that reach its folder go first as a guess."""
    found = affected(REACH, ["src/new.py", "tests/data.json"])
    assert found.unknown == ("src/new.py",)
    assert found.distances == {"tests/in/test_b.py": 1, "tests/test_a.py": 1 + GUESSED}


def test_a_source_that_is_installed_under_another_path() -> None:
    """A source outside of the usual folders is known by the end of its path."""
    reach = Reach(tests={"t.py": "t.py"}, edges={"t.py": frozenset({"site-packages/demo/a.py"})})
    found = affected(reach, ["packages/one/demo/a.py"])
    assert (found.distances, found.unknown) == ({"t.py": 1}, ())
    assert affected(reach, ["packages/one/other/a.py"]).unknown == ("packages/one/other/a.py",)


def test_a_like_name_decides_among_equals() -> None:
    """Of modules at one distance, the one that is called as the edited file goes first."""
    near = frozenset({"src/signer.py"})
    reach = Reach(
        tests={"t/test_all.py": "t/test_all.py", "t/test_signer.py": "t/test_signer.py"},
        edges={"t/test_all.py": near, "t/test_signer.py": near},
    )
    assert affected(reach, ["src/signer.py"]).modules == ("t/test_signer.py", "t/test_all.py")


def test_quick_modules_go_first_among_equals() -> None:
    """Of modules at one distance, those that take less time go first; their tests stay in their order."""
    near = frozenset({"a.py"})
    reach = Reach(
        tests={"test_x.py": "test_x.py", "test_y.py": "test_y.py"},
        edges={"test_x.py": near, "test_y.py": near},
        seconds={"test_x.py": 2.0, "test_y.py": 0.1},
    )
    found = affected(reach, ["a.py"])
    assert found.modules == ("test_y.py", "test_x.py")
    assert found.order(["test_x.py::a", "test_y.py::b", "test_y.py::a"]) == (
        "test_y.py::b",
        "test_y.py::a",
        "test_x.py::a",
    )


def test_cells_that_are_reached() -> None:
    """A cell counts with its nearest module; one without a map may be reached; others are missing."""
    known = Reach(tests={"x": "x.py"}, edges={"x.py": frozenset({"src/a.py", "src/b.py"})})
    lonely = Reach(tests={"y": "y.py"}, edges={"z.py": frozenset({"src/b.py"})})
    maps_of_cells = {"known": known, "lonely": lonely, "new": Reach()}
    assert cells.distances(maps_of_cells, ["src/b.py"]) == {"known": 1, "new": cells.UNKNOWN}
    assert cells.distances(maps_of_cells, ["src/a.py"])["lonely"] == cells.UNKNOWN
    assert cells.distances(maps_of_cells, []) == {}
