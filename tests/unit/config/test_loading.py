"""The configuration: what is accepted, and what it becomes."""

# ruff: noqa: SIM300 - expected == actual; helpers are named by what they give
from __future__ import annotations

import json
import os
import tomllib
from importlib import resources
from pathlib import Path
from typing import Any

import jsonschema  # type: ignore[import-untyped] # it has no types
import pytest

from venvgrid.config import grids, loading
from venvgrid.config import sections as config_sections
from venvgrid.model import AxisKind, Config, ConfigError, InstallMode, Resolution

FILE = Path(__file__).resolve().parent / "matrix.toml"

DESIGN_EXAMPLE = """
[project]
path = "."
install = "wheel"
extras = ["plot"]
groups = ["test"]

[axes]
python = "3.8..3.13"
matplotlib = ["2.2", "3.5"]
env.MPLBACKEND = ["Agg"]
as-of = ["release", "today"]
resolution = ["highest", "lowest-direct"]

[plan]
strategy = "full"

[[exclude]]
python = ">=3.12"
matplotlib = "2.2"

[[include]]
python = "3.14"
matplotlib = "3.10"
allow-failure = true

[install]
requires = ["pytest"]
constraints = ["numpy<3"]
only-binary = true
as-of = "release"

[test]
command = ["pytest"]
reports = "pytest"
smoke = ["matplotlib.pyplot"]
timeout = "10m"
grace-period = "5s"
retries = 0
pass-env = ["CI", "MY_*"]
env = { MPLBACKEND = "Agg" }
"""


def read(text: str, running: str = "3.11") -> Config:
    return loading.parse(text, file=FILE, running=running)


def axis(text: str, name: str) -> tuple[str, ...]:
    return next(axis.values for axis in read(f"[axes]\n{text}").axes if axis.name == name)


def config_schema() -> dict[str, Any]:
    text = resources.files("venvgrid").joinpath("model/schemas/config.schema.json").read_text(encoding="utf-8")
    schema: dict[str, Any] = json.loads(text)
    return schema


def test_the_example_of_the_design() -> None:
    """The full example becomes the values it describes."""
    got = read(DESIGN_EXAMPLE)
    assert [
        ("python", AxisKind.PYTHON, ("3.8", "3.9", "3.10", "3.11", "3.12", "3.13")),
        ("matplotlib", AxisKind.DEPENDENCY, ("2.2", "3.5")),
        ("env.MPLBACKEND", AxisKind.VARIABLE, ("Agg",)),
        ("as-of", AxisKind.AS_OF, ("release", "today")),
        ("resolution", AxisKind.RESOLUTION, ("highest", "lowest-direct")),
    ] == [(axis.name, axis.kind, axis.values) for axis in got.axes]
    assert (InstallMode.WHEEL, ("plot",), ("test",)) == (got.project.install, got.project.extras, got.project.groups)
    assert (("pytest",), ("numpy<3",), True, "release") == (
        got.install.requires,
        got.install.constraints,
        got.install.only_binary,
        got.install.as_of,
    )
    assert (600.0, 5.0, 0, ("CI", "MY_*"), {"MPLBACKEND": "Agg"}) == (
        got.test.timeout,
        got.test.grace_period,
        got.test.retries,
        got.test.pass_env,
        dict(got.test.env),
    )
    assert {"python": (">=3.12",), "matplotlib": ("2.2",)} == dict(got.excludes[0].keys)
    assert ("include[0]", True) == (got.includes[0].path, got.includes[0].allow_failure)


def test_an_empty_file_gives_the_defaults() -> None:
    """Nothing is obligatory: the defaults are those of the design, and the Python is the running one."""
    got = read("", running="3.12")
    assert [("python", ("3.12",))] == [(axis.name, axis.values) for axis in got.axes]
    assert (("pytest",), "pytest", 3600.0, 5.0) == (
        got.test.command,
        got.test.reports,
        got.test.timeout,
        got.test.grace_period,
    )
    assert (("pytest",), True, ("scandir",), None, Resolution.HIGHEST) == (
        got.install.requires,
        got.install.only_binary,
        got.install.source_builds,
        got.install.as_of,
        got.install.resolution,
    )
    assert (FILE, FILE.parent, FILE.parent) == (got.file, got.root, got.project.path)


def test_python_comes_first_wherever_it_is_written() -> None:
    """Python varies slowest."""
    assert ["python", "b", "a"] == [axis.name for axis in read('[axes]\nb="1"\na="1"\npython="3.9"').axes]


@pytest.mark.parametrize(
    ("written", "values"),
    [
        ('"3.8..3.13"', ("3.8", "3.9", "3.10", "3.11", "3.12", "3.13")),
        ('["2.7", "3.6 .. 3.8"]', ("2.7", "3.6", "3.7", "3.8")),
        ('"2.7..3.7"', ("2.7", "3.6", "3.7")),
        ('"3.9..3.9"', ("3.9",)),
        (
            '["3.12.1", "3.13t", "pypy3.10", "3.14.0rc1", "graalpy3.11"]',
            ("3.12.1", "3.13t", "pypy3.10", "3.14.0rc1", "graalpy3.11"),
        ),
        ('">=3.9,<3.12"', (">=3.9,<3.12",)),
        ('["./py/bin/python"]', (os.path.normpath(FILE.parent / "py/bin/python"),)),
        ('" 3.9 "', ("3.9",)),
    ],
)
def test_python_values(written: str, values: tuple[str, ...]) -> None:
    """Ranges are over the minors that venvgrid supports; paths are relative to the file."""
    assert values == axis(f"python = {written}", "python")


@pytest.mark.parametrize(
    ("written", "values"),
    [
        ('"2.2"', ("2.2",)),
        ('["2.2", "2.2.5", "3.0rc1", "1!2.0", "absent", "latest", ">=1,<2", "~=1.4", "==2.24.0", "!=1.5"]',
         ("2.2", "2.2.5", "3.0rc1", "1!2.0", "absent", "latest", ">=1,<2", "~=1.4", "==2.24.0", "!=1.5")),
    ],
)  # fmt: skip
def test_dependency_values(written: str, values: tuple[str, ...]) -> None:
    """A dependency axis takes versions, specifiers, absent and latest, as written."""
    assert values == axis(f"numpy = {written}", "numpy")


def test_extras_values_have_one_form() -> None:
    """A value of the extras axis is a sorted, comma-joined list of normalised names."""
    assert ("", "plot", "plot,yaml", "a-b") == axis('extras = ["", "Plot", ["yaml", "plot"], "a_b , "]', "extras")


def test_as_of_values_have_one_form() -> None:
    """Dates may be TOML dates or strings; times are given in UTC."""
    written = (
        'as-of = ["release", "today", 2023-01-31, "2022-01-31", 2023-01-31T01:00:00+02:00, "2021-01-01t00:00:00z"]'
    )
    assert ("release", "today", "2023-01-31", "2022-01-31", "2023-01-30T23:00:00Z", "2021-01-01T00:00:00Z") == axis(
        written, "as-of"
    )


def test_a_name_with_a_dot_in_quotes() -> None:
    """A distribution whose name has a dot is an axis when its key is quoted."""
    assert ("5", "6") == axis('"zope.interface" = ["5", "6"]', "zope.interface")


@pytest.mark.parametrize(
    ("written", "seconds"),
    [
        ('"10m"', 600.0),
        ('"1h30m"', 5400.0),
        ('"1h 30m"', 5400.0),
        ('"90s"', 90.0),
        ('"1.5h"', 5400.0),
        ("45", 45.0),
        ("0.5", 0.5),
        ('"none"', None),
        ("0", None),
        ('"0s"', None),
    ],
)
def test_timeouts(written: str, seconds: float | None) -> None:
    """A timeout is a duration, a number of seconds, or none."""
    assert seconds == read(f"[test]\ntimeout = {written}").test.timeout


def test_a_command_may_have_lines_and_placeholders() -> None:
    """An argument may be a small program; placeholders may name any axis."""
    got = read('[axes]\nnumpy="1"\n[test]\ncommand = ["python", "-c", "print()\\nprint()", "{cell}{axis:numpy}{{x}}"]')
    assert ("python", "-c", "print()\nprint()", "{cell}{axis:numpy}{{x}}") == got.test.command


def test_a_report_file_may_have_placeholders() -> None:
    """Cells that run at once can write reports of their own."""
    assert "junit:out/{cell}.xml" == read('[test]\nreports = "junit:out/{cell}.xml"').test.reports


def test_the_running_python_is_a_value_of_the_axis() -> None:
    """What stands for the running Python could stand in the file."""
    assert (loading.running_python(),) == axis(f'python = "{loading.running_python()}"', "python")
    assert loading.running_python() == loading.parse("", file=FILE).axes[0].values[0]


def test_rules_take_the_canonical_values() -> None:
    """Ranges, dates and extras in a rule mean what they mean on their axis."""
    got = read(
        '[axes]\npython="3.8..3.10"\nas-of=["2023-01-01"]\nextras=["a,b"]\nenv.X=["1","2"]\n'
        '[[exclude]]\npython=["3.8..3.9"]\nas-of=2023-01-01\nextras="b,a"\nenv.X="*"'
    )
    assert {"python": ("3.8", "3.9"), "as-of": ("2023-01-01",), "extras": ("a,b",), "env.X": ("*",)} == dict(
        got.excludes[0].keys
    )


# The JSON Schema


@pytest.mark.parametrize("text", [DESIGN_EXAMPLE, '[axes]\nmatplotlib = ["2.2", "3.5"]', ""])
def test_examples_fit_the_json_schema(text: str) -> None:
    """Editors accept what the parser accepts."""
    schema = config_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.Draft202012Validator(schema).validate(tomllib.loads(text))


@pytest.mark.parametrize(
    "text",
    [
        "oops = 1",
        "[test]\ntimout = 1",
        "[axes]\nnumpy = 2",
        "[axes]\nnumpy = []",
        '[test]\ncommand = "pytest"',
        '[test]\ntimeout = "1 day"',
    ],
)
def test_the_json_schema_refuses_what_the_parser_refuses(text: str) -> None:
    """Editors mark the commonest mistakes."""
    with pytest.raises(ConfigError):
        read(text)
    assert not jsonschema.Draft202012Validator(config_schema()).is_valid(tomllib.loads(text))


def test_the_json_schema_knows_the_parsers_keys() -> None:
    """Parser and schema have the same sections and keys, each with a description."""
    sections = config_schema()["properties"]
    assert {*grids.SECTIONS, grids.GRID} == set(sections)
    assert set(grids.SECTIONS) == set(sections[grids.GRID]["additionalProperties"]["properties"])
    for name, keys in {
        "project": config_sections.PROJECT,
        "plan": config_sections.PLAN,
        "install": config_sections.INSTALL,
        "test": config_sections.TEST,
    }.items():
        assert set(keys) == set(sections[name]["properties"])
        assert all(entry["description"] for entry in sections[name]["properties"].values())
