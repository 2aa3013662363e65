"""The first matrix.toml: made from what the project declares, and readable by the parser."""
# ruff: noqa: SIM300 - expected == actual; helpers are named by what they give

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from venvgrid.config import loading
from venvgrid.migration import declared, initial, layout, scaffold
from venvgrid.model import ConfigError, InfrastructureError, UsageError

FILE = Path(__file__).resolve().parent / "matrix.toml"


def suggest(pyproject: dict[str, Any], *, installable: bool = True) -> str:
    """Return the suggestion for a parsed pyproject.toml."""
    fields = declared.from_pyproject(pyproject)
    return scaffold.suggest(declared.Declared(**fields, is_installable=installable), layout.Layout())


def write(folder: Path) -> Path:
    """Write what `venvgrid init` writes."""
    return scaffold.write(folder, initial.make(folder).text)


def pythons(bound: object) -> tuple[str, ...]:
    text = suggest({"project": {"requires-python": bound}})
    return loading.parse(text, file=FILE, running="running").axes[0].values


@pytest.mark.parametrize(
    ("bound", "values"),
    [
        (">=3.11", ("3.11", "3.12", "3.13", "3.14")),
        (">=3.12.3,<3.14", ("3.12", "3.13")),
        (">=3.9,!=3.10.*,<3.12", ("3.9", "3.11")),
        (">=2.7,!=3.6.*,<3.8", ("2.7", "3.7")),
        ("==3.12.*", ("3.12",)),
        (">3.13", ("3.13", "3.14")),
        (">=4", ("running",)),
        ("nonsense", ("running",)),
        (None, ("running",)),
    ],
)
def test_the_python_axis(bound: object, values: tuple[str, ...]) -> None:
    """The axis holds the minors of which requires-python allows a release; without one, the running Python is used."""
    assert values == pythons(bound)


def test_the_whole_text() -> None:
    """The file is short, says what can be changed, and shows the project's own dependencies."""
    pyproject = {
        "project": {
            "requires-python": ">=3.9",
            "dependencies": ["numpy>=1.22.3; python_version<'3.12'", "numpy>=2", "zope.interface", "x~=2.0", "four"],
            "optional-dependencies": {"Tests": [], "docs": []},
        }
    }
    assert """\
# Which combinations venvgrid tests. `venvgrid plan` shows the grid, `venvgrid run` runs it.

[project]
extras = ["tests"]              # what the tests need, as the project declares it

[axes]
python = "3.9..3.14"            # a range, or a list
# numpy = ["1.22", "latest"]    # "1.22" means any 1.22.x
# "zope.interface" = ["latest"]
# x = ["2.0", "latest"]         # "2.0" means any 2.0.x
# env.NAME = ["a", "b"]         # an environment variable
# as-of = ["release", "today"]  # with the dependencies of the pins' time, and of now

[install]
requires = ["pytest"]           # what the tests need besides the project

[test]
command = ["pytest"]
# timeout = "10m"               # of a cell
# smoke = ["your_package"]      # imported first
# env = { NAME = "value" }      # for all cells

# [[exclude]]                   # cells that you do not want; those that cannot exist are found without this
# python = "<3.10"
""" == suggest(pyproject)


@pytest.mark.parametrize(
    ("pyproject", "groups", "extras"),
    [
        ({"dependency-groups": {"test": [], "dev": []}}, ("test",), ()),
        ({"dependency-groups": {"dev": []}}, ("dev",), ()),
        ({"dependency-groups": {"docs": []}}, (), ()),
        ({"project": {"optional-dependencies": {"testing": [], "dev": []}}}, (), ("testing",)),
        ({"dependency-groups": {"test": []}, "project": {"optional-dependencies": {"test": []}}}, ("test",), ()),
    ],
)
def test_groups_and_extras(pyproject: dict[str, Any], groups: tuple[str, ...], extras: tuple[str, ...]) -> None:
    """Declared groups or extras for tests are used, those named test before dev."""
    project = loading.parse(suggest(pyproject), file=FILE).project
    assert (groups, extras) == (project.groups, project.extras)


def test_commented_settings_work_when_uncommented() -> None:
    """Every example in the file is one that the parser takes."""
    text = suggest({"project": {"requires-python": ">=3.9", "dependencies": ["numpy>=1.22", "zope.interface"]}})
    header, rest = text.split("\n", 1)
    got = loading.parse(rest.replace("\n# ", "\n"), file=FILE)
    assert ["python", "numpy", "zope.interface", "env.NAME", "as-of"] == [axis.name for axis in got.axes]
    assert (600.0, ("your_package",), {"NAME": "value"}) == (got.test.timeout, got.test.smoke, dict(got.test.env))
    assert (1, "#") == (len(got.excludes), header[0])


@settings(deadline=None)
@given(
    st.recursive(
        st.one_of(
            st.text(max_size=10), st.integers(), st.sampled_from(["numpy>=1", ">=3.9", "x.y~=2", "a @ https://h/a.whl"])
        ),
        lambda inner: st.one_of(
            st.lists(inner, max_size=4),
            st.dictionaries(
                st.one_of(
                    st.sampled_from(
                        [
                            "project",
                            "requires-python",
                            "dependencies",
                            "optional-dependencies",
                            "dependency-groups",
                            "test",
                        ]
                    ),
                    st.text(max_size=5),
                ),
                inner,
                max_size=4,
            ),
        ),
    ).filter(lambda value: isinstance(value, dict)),
    st.booleans(),
)
def test_any_pyproject_gives_a_valid_file(pyproject: Any, installable: bool) -> None:  # noqa: FBT001 - hypothesis gives it
    """Whatever pyproject.toml holds, the suggestion is a valid configuration."""
    text = suggest(pyproject, installable=installable)
    assert {"axes", "install", "test"} <= tomllib.loads(text).keys()
    assert loading.parse(text, file=FILE).axes


def test_write_makes_a_file_that_load_finds(tmp_path: Path) -> None:
    """What init writes is what plan and run read."""
    (tmp_path / "pyproject.toml").write_text('[project]\nname = "x"\nrequires-python = ">=3.12"\n', encoding="utf-8")
    assert tmp_path / "matrix.toml" == write(tmp_path)
    got = loading.load(None, cwd=tmp_path)
    assert (("3.12", "3.13", "3.14"), "wheel") == (got.axes[0].values, got.project.install.value)


@pytest.mark.parametrize(("name", "install"), [("setup.py", "wheel"), ("setup.cfg", "wheel"), ("tests.py", "none")])
def test_write_without_pyproject(tmp_path: Path, name: str, install: str) -> None:
    """A folder that holds no project gets a configuration that builds none."""
    (tmp_path / name).touch()
    write(tmp_path)
    assert install == loading.load(None, cwd=tmp_path).project.install.value


def test_write_overwrites_nothing(tmp_path: Path) -> None:
    """A configuration that is there already stays as it is, in either file."""
    (tmp_path / "matrix.toml").write_text("mine", encoding="utf-8")
    with pytest.raises(UsageError, match="is there already; nothing was written"):
        write(tmp_path)
    assert "mine" == (tmp_path / "matrix.toml").read_text(encoding="utf-8")
    (tmp_path / "matrix.toml").unlink()
    (tmp_path / "pyproject.toml").write_text("[tool.venvgrid]", encoding="utf-8")
    with pytest.raises(UsageError, match=r"has \[tool.venvgrid\] already"):
        write(tmp_path)
    assert ["pyproject.toml"] == [path.name for path in tmp_path.iterdir()]


def test_write_beside_a_broken_pyproject(tmp_path: Path) -> None:
    """A pyproject.toml that cannot be read is said, with its line, and nothing is written."""
    (tmp_path / "pyproject.toml").write_text("a = ", encoding="utf-8")
    with pytest.raises(ConfigError, match=r"pyproject\.toml:1:5: not valid TOML"):
        write(tmp_path)
    assert not (tmp_path / "matrix.toml").exists()


def test_write_where_nothing_can_be_written(tmp_path: Path) -> None:
    """A folder that is not there is named; an error of the system has the path, and no traceback."""
    with pytest.raises(UsageError, match=r"matrix\.toml: there is no folder .*nowhere; make it first"):
        scaffold.write(tmp_path / "nowhere", "")
    (tmp_path / "taken").mkdir()
    with pytest.raises(InfrastructureError, match=r"taken: cannot be written: "):
        scaffold.write(tmp_path, "", name="taken", force=True)
