"""The ids of cells: readable, stable, safe and unique; and the laws of the full product."""
# ruff: noqa: SIM300 - expected == actual; helpers are named by what they give

from __future__ import annotations

import math
import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from venvgrid.config import loading
from venvgrid.model import Axis, AxisKind, Config, ConfigError, ProjectOptions, Rule, Status
from venvgrid.planning import expansion

FILE = Path(__file__).resolve().parent / "matrix.toml"
SAFE = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9_-])?")


def ids(text: str) -> list[str]:
    made = loading.parse(text, file=FILE, running="3.11")
    return [planned.cell.id for planned in expansion.expand(made).cells]


@pytest.mark.parametrize(
    ("axes", "cell"),
    [
        ('matplotlib = "3.5"', "py3.11-matplotlib3.5"),
        ('python = "3.13t"', "py3.13t"),
        ('python = "pypy3.10"', "pypy3.10"),
        ('python = "graalpy3.11"', "graalpy3.11"),
        ('python = ">=3.9,<3.12"', "py-ge3.9-lt3.12"),
        ('numpy = ">=1,<2"', "py3.11-numpy-ge1-lt2"),
        ('numpy = ">= 1, < 2"', "py3.11-numpy-ge1-lt2"),
        ('numpy = "==2.24.0"', "py3.11-numpy-eq2.24.0"),
        ('numpy = "==2.*"', "py3.11-numpy-eq2.x"),
        ('numpy = "~=1.4"', "py3.11-numpy-compat1.4"),
        ('numpy = "absent"', "py3.11-numpy-absent"),
        ('numpy = "latest"', "py3.11-numpy-latest"),
        ('urllib3 = "2.0"', "py3.11-urllib3-2.0"),
        ("env.MPLBACKEND = 'Agg'", "py3.11-MPLBACKEND.Agg"),
        ("env.X = ''", "py3.11-X-empty"),
        ('as-of = "release"', "py3.11-as-of-release"),
        ("as-of = 2023-01-31", "py3.11-as-of-2023-01-31"),
        ("as-of = 2023-01-31T00:00:00Z", "py3.11-as-of-2023-01-31T000000Z"),
        ('resolution = "lowest-direct"', "py3.11-lowest-direct"),
        ('extras = "plot"', "py3.11-extras-plot"),
        ('extras = ["plot,yaml"]', "py3.11-extras-plot.yaml"),
        ('extras = ""', "py3.11-no-extras"),
        ('extras = ""\nenv.X = "1"\nzope = "1"\nabc = "1"', "py3.11-abc1-zope1-X.1-no-extras"),
    ],
)
def test_ids_are_readable(axes: str, cell: str) -> None:
    """Each kind of value has a short spelling; the order of the keys in the file does not matter."""
    assert [cell] == ids(f"[axes]\n{axes}")


@pytest.mark.parametrize(
    ("axes", "cell"),
    [
        ("env.X = 'a b'", r"py3\.11-X\.a-b-[0-9a-f]{8}"),
        ("env.X = 'é'", r"py3\.11-X\.[0-9a-f]{8}"),
        ("env.X = '..'", r"py3\.11-X\.[0-9a-f]{8}"),
        ('python = "/opt/x y/bin/python3.9"', r"py-python3\.9-[0-9a-f]{8}"),
        (r"python = 'C:\Python39\python.exe'", r"py-python-[0-9a-f]{8}"),
        (f"env.X = '{'x' * 200}'", r"py3\.11-X\.x{62}-[0-9a-f]{8}"),
    ],
)
def test_ids_of_values_that_cannot_be_spelt(axes: str, cell: str) -> None:
    """A value with other characters, or a long one, gets a hash that tells it from its likes."""
    (got,) = ids(f"[axes]\n{axes}")
    assert re.fullmatch(cell, got)


def test_ids_tell_similar_values_apart() -> None:
    """Values that differ in unsafe characters only are different cells."""
    assert 4 == len(set(ids("[axes]\nenv.X = ['a b', 'a/b', 'a-b', 'a b ']")))


@pytest.mark.parametrize("name", ["con", "NUL", "com1", "aux.x"])
def test_no_id_is_a_device_of_windows(name: str) -> None:
    """An id that would begin with a reserved name gets a prefix."""
    axis = Axis(name=name, kind=AxisKind.DEPENDENCY, values=(".5",))
    made = Config(file=FILE, root=FILE.parent, axes=(axis,), project=ProjectOptions(path=FILE.parent))
    (got,) = expansion.expand(made).cells
    stem = got.cell.id.split(".")[0].lower()
    assert stem not in {"con", "nul", "com1", "aux"}


def test_ids_that_collide_are_refused() -> None:
    """Two values that would be one file on Windows or macOS are a mistake that names both cells."""
    with pytest.raises(ConfigError) as caught:
        ids('[axes]\nenv.X = ["Agg", "agg"]')
    message = (
        "matrix.toml: axes: two cells would have the same id 'py3.11-X.Agg' (capital letters do not count): "
        "python='3.11', env.X='Agg' and python='3.11', env.X='agg'; remove or respell one of the values"
    )
    assert (message,) == caught.value.mistakes


VERSIONS = st.sampled_from(["1", "2.2", "2.2.5", "3.0rc1", ">=1,<2", "~=1.4", "==2.*", "absent", "latest", "10.0"])
PYTHONS = st.sampled_from(["2.7", "3.8", "3.12.1", "3.13t", "pypy3.10", ">=3.9,<3.12", "/x/python", "/y/python"])
VARIABLES = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs", "Lu", "Lt"]), max_size=100)


@st.composite
def configs(draw: st.DrawFn) -> Config:
    """Configurations with up to five axes, and excludes over their values."""
    kinds = {
        "python": (AxisKind.PYTHON, PYTHONS),
        "numpy": (AxisKind.DEPENDENCY, VERSIONS),
        "urllib3": (AxisKind.DEPENDENCY, VERSIONS),
        "env.X": (AxisKind.VARIABLE, VARIABLES),
        "extras": (AxisKind.EXTRAS, st.sampled_from(["", "a", "a,b", "a-b"])),
    }
    names = draw(st.lists(st.sampled_from([*kinds]), unique=True, min_size=1))
    axes = tuple(
        Axis(
            name=name,
            kind=kinds[name][0],
            values=tuple(draw(st.lists(kinds[name][1], unique_by=str.casefold, min_size=1, max_size=4))),
        )
        for name in names
    )
    excludes = tuple(
        Rule(path=f"exclude[{index}]", keys={axis.name: (draw(st.sampled_from(axis.values)),)})
        for index, axis in enumerate(draw(st.lists(st.sampled_from(axes), max_size=2)))
    )
    return Config(file=FILE, root=FILE.parent, axes=axes, project=ProjectOptions(path=FILE.parent), excludes=excludes)


@settings(deadline=None)
@given(configs())
def test_the_plan_is_the_product(made: Config) -> None:
    """Each combination is there once, excluded ones too, with a unique and safe id, always in the same order."""
    got = expansion.expand(made)
    names = [planned.cell.id for planned in got.cells]
    assert math.prod(len(axis.values) for axis in made.axes) == len(got.cells)
    assert len(names) == len({tuple(planned.cell.axes.items()) for planned in got.cells})
    assert len(names) == len({name.casefold() for name in names})
    assert [] == [name for name in names if not SAFE.fullmatch(name) or len(name) > 80]
    assert got == expansion.expand(made)
    for planned in got.cells:
        hit = any(
            all(planned.cell.axes[name] in values for name, values in rule.keys.items()) for rule in made.excludes
        )
        assert not hit or planned.status is Status.EXCLUDED


@settings(deadline=None)
@given(configs())
def test_an_axis_keeps_the_ids_when_it_grows(made: Config) -> None:
    """Another value adds cells and renames none."""
    grown = made.axes[0].name
    axes = tuple(
        Axis(name=axis.name, kind=axis.kind, values=(*axis.values, "77")) if axis.name == grown else axis
        for axis in made.axes
    )
    more = Config(file=FILE, root=FILE.parent, axes=axes, project=made.project)
    before = {tuple(planned.cell.axes.items()): planned.cell.id for planned in expansion.expand(made).cells}
    after = {tuple(planned.cell.axes.items()): planned.cell.id for planned in expansion.expand(more).cells}
    assert before.items() <= after.items()
