"""What an axis `python` can ask for, and which interpreter is the best answer."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from fake_pythons import interpreter
from hypothesis import given
from hypothesis import strategies as st
from packaging.version import Version

from venvgrid.interpreters.specs import TITLES, choose, matches, parse_spec, preference

if TYPE_CHECKING:
    from venvgrid.model import Interpreter

versions = st.builds(
    "{}.{}.{}{}".format,
    st.sampled_from([2, 3]),
    st.integers(0, 15),
    st.integers(0, 20),
    st.sampled_from(["", "", "", "a1", "b2", "rc1", "rc2"]),
)
interpreters = st.builds(
    interpreter,
    versions,
    implementation=st.sampled_from(["cpython", "cpython", "pypy", "graalpy"]),
    free_threaded=st.booleans(),
    debug=st.booleans(),
    bits=st.sampled_from([32, 64]),
    source=st.sampled_from(["pyenv", "uv", "PATH"]),
)
minors = st.builds("{}.{}".format, st.sampled_from([2, 3]), st.integers(0, 15))
texts = st.one_of(
    minors,
    versions,
    minors.map("{}t".format),
    minors.map("{}d".format),
    minors.map("{}td".format),
    minors.map("{}-32".format),
    minors.map("pypy{}".format),
    st.sampled_from(["pypy", "graalpy", "cpython3.12", "python3", "3"]),
    minors.map(">={}".format),
    st.tuples(minors, minors).map(lambda pair: f">={pair[0]},<{pair[1]}"),
)


@given(text=texts, found=st.lists(interpreters))
def test_what_is_chosen_matches_and_nothing_better_does(text: str, found: list[Interpreter]) -> None:
    """The choice matches; it is None only if nothing does; and no other match is preferable."""
    spec = parse_spec(text)
    fitting = [item for item in found if matches(spec, item)]
    chosen = choose(spec, found)
    assert (chosen is None) == (not fitting)
    if chosen is not None:
        assert chosen in fitting
        assert max(map(preference, fitting)) == preference(chosen)
        assert next(item for item in fitting if preference(item) == preference(chosen)) is chosen


@given(text=texts, found=st.lists(interpreters, max_size=6), data=st.data())
def test_the_choice_depends_on_order_only_among_equals(
    text: str, found: list[Interpreter], data: st.DataObject
) -> None:
    """In whatever order the interpreters come, an equally good one is chosen."""
    spec = parse_spec(text)
    shuffled = data.draw(st.permutations(found))
    one, other = choose(spec, found), choose(spec, shuffled)
    assert (None if one is None else preference(one)) == (None if other is None else preference(other))


@given(one=interpreters, other=interpreters, third=interpreters)
def test_the_preference_is_a_total_order(one: Interpreter, other: Interpreter, third: Interpreter) -> None:
    """Any two are comparable, and being better is transitive."""
    first, second, last = (preference(item) for item in (one, other, third))
    assert (first < second) + (first == second) + (first > second) == 1
    if first <= second <= last:
        assert first <= last


@given(item=interpreters)
def test_an_interpreter_is_matched_by_what_it_is_asked_for_as(item: Interpreter) -> None:
    """Its own version and build, written out, match it, and no other build's text does."""
    name = "" if item.implementation == "cpython" else item.implementation
    build = ("t" if item.free_threaded else "") + ("d" if item.debug else "")
    assert matches(parse_spec(f"{name}{item.version}{build}-{item.bits}"), item)
    assert not matches(parse_spec(f"{name}{item.version}{build}-{96 - item.bits}"), item)
    if build:
        assert not matches(parse_spec(f"{name}{item.version}"), item)


@given(text=st.text(max_size=12))
def test_any_text_is_a_spec_or_a_value_error(text: str) -> None:
    """Nothing but ValueError comes out of reading what somebody typed, and its message quotes it."""
    try:
        spec = parse_spec(text)
    except ValueError as error:
        assert repr(text) in str(error)  # noqa: PT017  the other outcome is as good
    else:
        assert spec.text == text
        assert spec.title


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("3.12", "3.12.4"),
        ("3.12.1", "3.12.1"),
        ("3.13", "3.13.0"),
        ("3.13t", "3.13.1"),
        ("3.13d", None),
        ("3.14", "3.14.0rc1"),
        ("3.14.0rc1", "3.14.0rc1"),
        ("3.14.0", None),
        ("3.1", None),
        ("3", "3.13.0"),
        (">=3.9,<3.12", "3.9.18"),
        (">=3.12", "3.13.0"),
        ("==3.12.*", "3.12.4"),
        (">=4", None),
        ("pypy3.10", "3.10.14"),
        ("pypy", "3.10.14"),
        ("pypy>=3.9", "3.10.14"),
        ("graalpy", None),
        ("3.10", None),
        ("CPython3.9", "3.9.18"),
        (" 3.9 ", "3.9.18"),
    ],
)
def test_specs_mean_what_the_docs_say(text: str, expected: str | None) -> None:
    """Plain versions are CPython's usual build; stable goes before newer pre-releases."""
    found = [
        interpreter("3.9.18"),
        interpreter("3.12.1"),
        interpreter("3.12.4"),
        interpreter("3.12.5rc1"),
        interpreter("3.13.0"),
        interpreter("3.13.1", free_threaded=True),
        interpreter("3.13.2", free_threaded=True, debug=True),
        interpreter("3.14.0rc1"),
        interpreter("3.10.14", implementation="pypy"),
    ]
    chosen = choose(parse_spec(text), found)
    assert expected == (None if chosen is None else chosen.version)


def test_64_bits_go_before_the_order_of_sources_and_that_decides_among_equals() -> None:
    """A 32-bit build is the answer only if it is asked for or there is no other."""
    narrow = interpreter("3.12.1", bits=32, source="registry")
    first, second = interpreter("3.12.1", source="uv"), interpreter("3.12.1", source="PATH")
    assert choose(parse_spec("3.12"), [narrow, first, second]) is first
    assert choose(parse_spec("3.12-32"), [first, narrow]) is narrow
    assert choose(parse_spec("3.12"), [narrow]) is narrow


@pytest.mark.parametrize("text", ["", "  ", "jython", "3.x", "t", "pypyt", "3.12.1.4", ">=banana", ">=", "latest"])
def test_what_is_no_spec_is_refused_with_what_is_allowed(text: str) -> None:
    """The message quotes the text."""
    with pytest.raises(ValueError, match=r"names no Python|no valid version specifier") as caught:
        parse_spec(text)
    assert repr(text) in str(caught.value)


def test_a_version_without_its_dot_is_answered_with_the_right_one() -> None:
    """Users of tox write py39."""
    with pytest.raises(ValueError, match=r"did you mean 3\.9\?"):
        parse_spec("py39")
    with pytest.raises(ValueError, match=r"did you mean 3\.12\?"):
        parse_spec("312")


def test_paths_are_absolute_and_relative_ones_start_at_the_root(tmp_path: Path) -> None:
    """A path needs a separator, a dot or a tilde at its start."""
    assert str(tmp_path / "bin" / "python") == parse_spec("./bin/python", root=tmp_path).path
    assert str(tmp_path / "python") == parse_spec("venv/../python", root=tmp_path).path
    assert str(Path.home() / "python") == parse_spec("~/python", root=tmp_path).path
    assert parse_spec("python", root=tmp_path).path == ""


def test_a_path_matches_through_links(tmp_path: Path) -> None:
    """The same file by another name is the same interpreter, another file is not."""
    real = tmp_path / "python3.12"
    real.touch()
    (tmp_path / "python").symlink_to(real)
    item = interpreter("3.12.1", executable=str(real))
    assert matches(parse_spec(str(tmp_path / "python")), item)
    assert not matches(parse_spec(str(tmp_path / "other")), item)
    assert os.fspath(real) in parse_spec(str(real)).title


def test_titles_say_what_was_asked_for() -> None:
    """Titles are what messages call a spec."""
    asked = ["3.12", "3.13t", "3.13td", "pypy3.10", ">=3.9", "3.12-32", "graalpy"]
    expected = [
        "CPython 3.12",
        "CPython 3.13 (free-threaded)",
        "CPython 3.13 (free-threaded, debug)",
        "PyPy 3.10",
        "CPython >=3.9",
        "CPython 3.12 (32-bit)",
        "GraalPy",
    ]
    assert expected == [parse_spec(text).title for text in asked]
    assert set(TITLES) == {"cpython", "pypy", "graalpy"}


def test_versions_compare_as_versions() -> None:
    """3.10 is newer than 3.9."""
    found = [interpreter("3.10.1"), interpreter("3.9.18"), interpreter("3.9.9")]
    chosen = choose(parse_spec("3"), found)
    assert chosen is not None
    assert Version("3.10.1") == Version(chosen.version)
