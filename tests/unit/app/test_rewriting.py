"""Lower bounds in pyproject.toml: what changes, and what stays byte for byte."""

from __future__ import annotations

import tomllib
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from packaging.requirements import Requirement

from venvgrid.analysis.search.bounds import Bound, Bounds, DependencyBounds, Standing
from venvgrid.app.bounds import rewriting

if TYPE_CHECKING:
    from pathlib import Path

    from venvgrid.app.bounds.rewriting import Place

FILE = """\
# numpy>=1.20 is what we say
[build-system]
requires = ["numpy>=1.20", "flit_core"]  # not this one
build-backend = "flit_core.buildapi"

[project]
name = 'demo'
dependencies = [
    'numpy>=1.20',   # the oldest; numpy>=1.20
    "attrs >= 17.1, < 99 ; python_version >= '3.8'",
      "idna",

    "requests[socks]~=2.5",]
optional-dependencies.plot = ["numpy>=1.20", "matplotlib>3.0"]

[tool.other]
dependencies = ["numpy>=1.20"]
"""


@pytest.mark.parametrize(
    ("line", "floor", "expected"),
    [
        ("requests", "2.10.0", "requests>=2.10.0"),
        ("requests>=2.0", "2.10.0", "requests>=2.10"),
        ("requests>=2", "2.10.1", "requests>=2.10.1"),
        ("requests >= 2.0 , <3", "2.10.0", "requests >= 2.10 , <3"),
        ("requests<3,>=2.0", "2.10.0", "requests<3,>=2.10"),
        ("requests<3", "2.10.0", "requests>=2.10.0,<3"),
        ("requests <3", "2.10.0", "requests >=2.10.0,<3"),
        ("requests!=2.1,>=2.0", "2.10.0", "requests!=2.1,>=2.10"),
        ("requests>2.0", "2.10.0", "requests>=2.10"),
        ("requests (>=2.0,<3)", "2.10.0", "requests (>=2.10,<3)"),
        ("requests (<3)", "2.10.0", "requests (>=2.10.0,<3)"),
        ("requests[socks,use_chardet]>=2.0", "2.10.0", "requests[socks,use_chardet]>=2.10"),
        ("requests [socks]", "2.10.0", "requests [socks]>=2.10.0"),
        ("requests>=2.0; python_version>='3.8'", "2.10.0", "requests>=2.10; python_version>='3.8'"),
        ("requests ; python_version>='3.8'", "2.10.0", "requests>=2.10.0 ; python_version>='3.8'"),
        ("requests~=2.0", "2.10.0", "requests~=2.10"),
        ("requests~=2.0", "2.10.1", "requests>=2.10.1,==2.*"),
        ("requests~=2.5.0", "2.5.3", "requests~=2.5.3"),
        ("requests==2.*", "2.10.0", "requests>=2.10.0,==2.*"),
        ("requests>=1.0,>=2.0", "2.10.0", "requests>=1.0,>=2.10"),
        ("pytz>=2020.1", "2021.1", "pytz>=2021.1"),
        ("a>=1.0rc1", "1.0rc2", "a>=1.0rc2"),
        ("a>=1!1.0", "1!2.0", "a>=1!2.0"),
    ],
)
def test_only_the_lower_bound_of_a_requirement_changes(line: str, floor: str, expected: str) -> None:
    """Blanks, extras, markers and upper bounds stay; `~=` keeps the series that it allows."""
    assert rewriting.with_floor(line, floor) == expected
    old, new = Requirement(line), Requirement(expected)
    assert new.specifier.contains(floor, prereleases=True)
    for version in ("2.10.5", "2.99", "3.0", "3.1", "98", "2.6"):
        if Requirement(f"x>={floor}").specifier.contains(version, prereleases=True):
            assert old.specifier.contains(version) == new.specifier.contains(version), version


@pytest.mark.parametrize(("line", "floor"), [("requests<3", "3.1"), ("x @ https://example.org/x.zip", "1.0")])
def test_a_floor_that_cannot_be_declared_is_not_written(line: str, floor: str) -> None:
    """A floor above the upper bound, or of a direct reference, gives no requirement."""
    assert rewriting.with_floor(line, floor) == ""


def places_of(text: str) -> dict[str, list[Place]]:
    found: dict[str, list[Place]] = {}
    for place in rewriting.places(tomllib.loads(text)):
        found.setdefault(place.line, []).append(place)
    return found


def test_a_requirement_is_replaced_where_it_stands() -> None:
    """Comments and other tables with the same text stay, byte for byte; both quotes and inline tables are written."""
    first, second = places_of(FILE)["numpy>=1.20"]
    lines = FILE.splitlines(keepends=True)
    changed = rewriting.replaced(FILE, first, "numpy>=1.22")
    assert changed is not None
    assert [new for old, new in zip(lines, changed.splitlines(keepends=True), strict=True) if old != new] == [
        "    'numpy>=1.22',   # the oldest; numpy>=1.20\n"
    ]
    changed = rewriting.replaced(FILE, second, "numpy>=1.22")
    assert changed is not None
    assert [new for old, new in zip(lines, changed.splitlines(keepends=True), strict=True) if old != new] == [
        'optional-dependencies.plot = ["numpy>=1.22", "matplotlib>3.0"]\n'
    ]


@given(st.sampled_from(sorted(places_of(FILE))), st.sampled_from(["1.99", "20.1.2", "3.3", "2.8"]))
def test_nothing_but_one_requirement_differs_after_a_change(line: str, floor: str) -> None:
    """The parsed file equals the one before, but for the place."""
    place = places_of(FILE)[line][0]
    new = rewriting.with_floor(place.line, floor)
    if not new:
        return
    changed = rewriting.replaced(FILE, place, new)
    assert changed is not None
    expected = tomllib.loads(FILE)
    inner = expected
    for key in place.keys:
        inner = inner[key]
    inner[place.number] = new  # type: ignore[index]
    assert tomllib.loads(changed) == expected
    assert len(changed) - len(FILE) == len(new) - len(line)


def test_a_requirement_in_another_spelling_is_not_guessed() -> None:
    """What does not stand in the file as it is parsed (an escape) is left to the user."""
    text = '[project]\ndependencies = ["numpy\\u003e=1.20"]\n'
    (place,) = rewriting.places(tomllib.loads(text))
    assert place.line == "numpy>=1.20"
    assert rewriting.replaced(text, place, "numpy>=1.22") is None


def too_low(name: str, proven: str, *lines: str) -> DependencyBounds:
    bound = Bound(name=name, python="3.12", declared="", standing=Standing.TOO_LOW, proven=proven, fails_below=True)
    return DependencyBounds(name=name, lines=lines, bounds=(bound,))


def of(*dependencies: DependencyBounds) -> Bounds:
    return Bounds(project="demo", pythons=("3.12",), dependencies=dependencies)


def test_wrong_bounds_are_written_and_others_stay(tmp_path: Path) -> None:
    """Line ends and all else stay; of two requirements with markers, the one that was searched is written."""
    lines = ["a>=1 ; python_version < '3.9'", "a>=2 ; python_version >= '3.9'", "b>=1", "c"]
    text = f"[project]\r\nname = 'demo'\r\ndependencies = {lines}\r\n".replace('"a', '\r\n  "a')
    (tmp_path / "pyproject.toml").write_bytes(text.encode())
    fine = Bound(name="c", python="3.12", declared="", standing=Standing.PROVEN, proven="1.0")
    done = rewriting.write(
        tmp_path,
        of(
            too_low("a", "2.5", lines[1]),
            too_low("b", "1.7", "b>=1"),
            DependencyBounds(name="c", lines=("c",), bounds=(fine,)),
        ),
    )
    after = (tmp_path / "pyproject.toml").read_bytes().decode()
    assert after == text.replace("a>=2 ;", "a>=2.5 ;").replace("b>=1", "b>=1.7")
    assert [line for _, line in done.changed] == ["a>=2.5 ; python_version >= '3.9'", "b>=1.7"]
    assert done.by_hand == []


@pytest.mark.parametrize(
    ("files", "where"),
    [
        ({"setup.cfg": "[options]\ninstall_requires =\n  a>=1\n"}, "setup.cfg"),
        ({"setup.py": "setup(install_requires=['a>=1'])"}, "setup.py"),
        (
            {
                "pyproject.toml": '[project]\nname = "x"\ndynamic = ["dependencies"]\n'
                "[tool.setuptools.dynamic]\ndependencies = { file = ['requirements.in'] }\n"
            },
            "requirements.in",
        ),
        (
            {"pyproject.toml": '[tool.poetry.dependencies]\na = "^1"\n'},
            "[tool.poetry.dependencies] of pyproject.toml",
        ),
        (
            {"pyproject.toml": '[project]\nname = "x"\ndynamic = ["dependencies"]\n'},
            "what the build of the project reads: dependencies are dynamic",
        ),
    ],
)
def test_what_cannot_be_written_is_told_with_its_place(tmp_path: Path, files: dict[str, str], where: str) -> None:
    """Dependencies outside of [project] are left as they are, and the line to write is given."""
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    done = rewriting.write(tmp_path, of(too_low("a", "1.5", "a<2,>=1 ; python_version > '3.8'")))
    assert (done.changed, done.by_hand) == ([], [("a<2,>=1.5", where)])
    assert {name: (tmp_path / name).read_text() for name in files} == files
