"""What a project declares, where its tests are, and what they need: read from its files, and nothing of it is run."""
# ruff: noqa: SIM300, E501 - expected == actual; tables of files

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from packaging.specifiers import SpecifierSet
from packaging.version import Version

from venvgrid.config import config_file, loading
from venvgrid.migration import declared, initial, translate
from venvgrid.migration.declarations import poetry
from venvgrid.model import UsageError

if TYPE_CHECKING:
    from pathlib import Path

    from venvgrid.model import Config


def write(root: Path, files: dict[str, str]) -> Path:
    """Write files."""
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(textwrap.dedent(text), encoding="utf-8")
    return root


def first(root: Path, files: dict[str, str], available: tuple[str, ...] = ()) -> Config:
    """Return the first configuration of a project with these files."""
    made = initial.make(write(root, files), available)
    return loading.build(config_file.parse(made.text, root / "matrix.toml"), running="3.11")


SETUP = """
    import os, sys
    from setuptools import find_packages, setup

    open(os.path.join(os.path.dirname(__file__), "marker"), "w")
    VERSIONS = ">=3.8"
    TESTS = ["pytest", "mock>=4"]
    setup(
        name="demo",
        version=open("VERSION").read(),
        python_requires=VERSIONS + ",<3.12",
        install_requires=["attrs"] + (["x"] if sys.argv else []),
        extras_require={"testing": TESTS, "docs": []},
        packages=find_packages(),
    )
"""


def test_setup_py_is_read_and_not_run(tmp_path: Path) -> None:
    """Literals, names and sums of them are known; a value that needs execution is not, and nothing is executed."""
    found = declared.read(write(tmp_path, {"setup.py": SETUP}))
    assert ("demo", ">=3.8,<3.12", True) == (found.name, found.requires_python, found.is_installable)
    assert {"testing": ("pytest", "mock>=4"), "docs": ()} == found.extras
    assert not (tmp_path / "marker").exists()
    assert ("3.8", "3.9", "3.10", "3.11") == first(tmp_path, {}).axes[0].values


PKG_INFO = """\
Metadata-Version: 2.1
Name: demo
Version: 1
Requires-Python: >=3.9,<3.11
Provides-Extra: test
Requires-Dist: attrs
Requires-Dist: pytest; extra == 'test'
"""


def test_pkg_info_knows_what_setup_py_computes(tmp_path: Path) -> None:
    """A source distribution says of itself what its setup.py only computes."""
    files = {"setup.py": "from setuptools import setup\nsetup(**compute())\n"}
    (tmp_path / "PKG-INFO").write_text(PKG_INFO, encoding="utf-8")
    made = first(tmp_path, files)
    assert (("3.9", "3.10"), ("test",)) == (made.axes[0].values, made.project.extras)


@pytest.mark.parametrize(
    ("files", "extras", "groups", "requires"),
    [
        ({"pyproject.toml": '[project]\nname="x"\n[dependency-groups]\ntests=[]\ndev=[]'}, (), ("tests",), ("pytest",)),
        (
            {"pyproject.toml": '[project]\nname="x"\n[project.optional-dependencies]\ntest=[]\n[dependency-groups]\ndev=[]'},
            ("test",),
            (),
            ("pytest",),
        ),
        ({"setup.cfg": "[options]\ntests_require =\n  pytest\n  mock"}, (), (), ("pytest", "mock")),
        (
            {"pyproject.toml": "[tool.poetry]\nname='x'\n[tool.poetry.group.test.dependencies]\npytest='^8.1'\nmock={version='~5.1'}"},
            (),
            (),
            ("pytest>=8.1,<9", "mock>=5.1,<5.2"),
        ),
        (
            {"pyproject.toml": "[project]\nname='x'\n[tool.pdm.dev-dependencies]\ntest=['pytest','mock']"},
            (),
            (),
            ("pytest", "mock"),
        ),
        ({"setup.py": "", "requirements-dev.txt": "x", "requirements/tests.txt": "pytest<9"}, (), (), ("pytest<9",)),
        ({"setup.py": "", "test-requirements.txt": "mock\n-e .[plot]\n"}, ("plot",), (), ("pytest", "mock")),
        ({"setup.py": "", "requirements.txt": "attrs\n"}, (), (), ("pytest",)),
        ({"setup.py": "", "pytest.ini": "[pytest]\naddopts = --cov=x -n auto\nasyncio_mode = auto\n"}, (), (),
         ("pytest", "pytest-cov", "pytest-xdist", "pytest-asyncio")),
        ({"setup.py": "", "tests/test_x.py": "import os, hypothesis\nimport x, unknown\ndef test_a(mocker): ...\n"}, (), (),
         ("pytest", "hypothesis", "pytest-mock")),
    ],
)  # fmt: skip
def test_what_the_tests_need(
    tmp_path: Path, files: dict[str, str], extras: tuple[str, ...], groups: tuple[str, ...], requires: tuple[str, ...]
) -> None:
    """Groups, extras, tables of poetry and pdm, requirements files, settings of pytest, imports of the tests."""
    made = first(tmp_path, files)
    assert (extras, groups, requires) == (made.project.extras, made.project.groups, made.install.requires)


@pytest.mark.parametrize(
    ("files", "command"),
    [
        (("tests/test_a.py", "demo/__init__.py"), ("pytest", "tests")),
        (("test/test_a.py",), ("pytest", "test")),
        (("src/demo/__init__.py", "src/demo/tests/test_a.py"), ("pytest", "--pyargs", "demo")),
        (("demo/__init__.py", "demo/tests/a_test.py"), ("pytest", "demo/tests")),
        (("demo/__init__.py", "demo/test_a.py"), ("pytest", "demo")),
        (("demo.py", "test_demo.py"), ("pytest", "test_demo.py")),
        (("demo.py", "tests/data.py"), ("pytest",)),
        (("demo/__init__.py", "demo/tests/tests.py"), ("pytest", "-o", "python_files=tests.py", "demo/tests")),
        (("src/demo/__init__.py", "src/demo/test.py"), ("pytest", "-o", "python_files=test.py", "--pyargs", "demo")),
        (("tests/a_tests.py", "tests/tests.py"), ("pytest", "-o", "python_files=*_tests.py tests.py", "tests")),
        (("tests/test_a.py", "tests/tests.py"), ("pytest", "tests")),
    ],
)
def test_where_the_tests_are(tmp_path: Path, files: tuple[str, ...], command: tuple[str, ...]) -> None:
    """Beside the package, inside of it, or a single file; names that pytest does not collect by itself are given."""
    assert command == first(tmp_path, {"setup.py": "", **dict.fromkeys(files, "")}).test.command


def test_paths_of_pytest_are_left_to_pytest(tmp_path: Path) -> None:
    """Who has testpaths needs no folder in the command."""
    files = {"setup.cfg": "[tool:pytest]\ntestpaths = tests\n", "tests/test_a.py": ""}
    assert ("pytest",) == first(tmp_path, files).test.command
    files = {"setup.cfg": "[tool:pytest]\npython_files = tests.py\n", "tests/tests.py": ""}
    (tmp_path / "tests/test_a.py").unlink()
    assert ("pytest", "tests") == first(tmp_path, files).test.command


def test_only_pythons_that_are_there_are_proposed(tmp_path: Path) -> None:
    """The others are named in the file, whether it comes from the declarations or from another runner."""
    files = {"pyproject.toml": '[project]\nname = "x"\nrequires-python = ">=3.10,<3.14"\n'}
    made = initial.make(write(tmp_path, files), ("3.10", "3.12"))
    assert 'python = ["3.10", "3.12"]' in made.text
    assert "# The project also allows 3.11, 3.13, which this machine does not have." in made.text
    write(tmp_path, {"tox.ini": "[tox]\nenvlist = py3{10,11,12}\n[testenv]\ncommands = pytest\n"})
    made = initial.make(tmp_path, ("3.10", "3.12"))
    assert ("tox.ini", True) == (made.source, 'python = ["3.10", "3.12"]' in made.text)
    assert any(note.startswith("3.11: left out, because this machine does not have them") for note in made.notes)


def test_an_environment_without_a_python_gets_those_of_the_project(tmp_path: Path) -> None:
    """`envlist = py` says nothing of Pythons; a first grid has those that are declared and there. --from keeps to it."""
    files = {
        "setup.cfg": "[options]\npython_requires = >=3.10,<3.13\n",
        "tox.ini": "[tox]\nenvlist = py\n[testenv]\ncommands = pytest\n",
    }
    made = initial.make(write(tmp_path, files), ("3.10", "3.12"))
    assert 'python = ["3.10", "3.12"]' in made.text
    assert "python" not in translate.translate("tox", tmp_path).text.partition("[test]")[0].partition("[axes]")[2]


def test_a_file_that_cannot_be_carried_over_is_named_and_the_declarations_are_taken(tmp_path: Path) -> None:
    """Init goes on with what the project declares, and says why it does."""
    files = {"setup.py": "", "tox.ini": "[testenv]\nsitepackages = true\ncommands = pytest\n", "tests/test_a.py": ""}
    made = initial.make(write(tmp_path, files))
    assert ("", 'command = ["pytest", "tests"]' in made.text) == (made.source, True)
    assert any("sitepackages" in line for line in made.lost)


def test_sources_of_uv(tmp_path: Path) -> None:
    """Wanted siblings and repositories become requirements with an address, those of siblings as well."""
    files = {
        "pyproject.toml": """
            [project]
            name = "a"
            dependencies = ["b", "r"]
            [tool.uv.sources]
            b = { workspace = true }
            r = { git = "https://h/r", tag = "v1", subdirectory = "p" }
            unused = { path = "unused" }
            [tool.uv.workspace]
            members = ["packages/*"]
        """,
        "packages/b/pyproject.toml": """
            [project]
            name = "b"
            dependencies = ["c"]
            [tool.uv.sources]
            c = { path = "../c" }
        """,
        "packages/c/pyproject.toml": '[project]\nname = "c"\n',
    }
    assert (
        "pytest",
        "b @ file:./packages/b",
        "r @ git+https://h/r@v1#subdirectory=p",
        "c @ file:./packages/c",
    ) == first(tmp_path, files).install.requires


@pytest.mark.parametrize(
    ("constraint", "specifier"),
    [
        ("^1.2.3", ">=1.2.3,<2"), ("^0.2.3", ">=0.2.3,<0.3"), ("^0.0.3", ">=0.0.3,<0.0.4"), ("^1", ">=1,<2"), ("~1.2.3", ">=1.2.3,<1.3"),
        ("~1", ">=1,<2"), ("1.*", "==1.*"), ("*", ""), (">=1,<2", ">=1,<2"), (">= 1.2 , != 1.3", ">=1.2,!=1.3"), ("1.2.3", "==1.2.3"),
        ("^2.7 || ^3.6", ">=2.7"),
    ],
)  # fmt: skip
def test_constraints_of_poetry(constraint: str, specifier: str) -> None:
    """The table of poetry's documentation."""
    assert specifier == poetry.specifier(constraint)


@given(st.lists(st.integers(0, 30), min_size=1, max_size=3), st.lists(st.integers(0, 40), min_size=3, max_size=3))
def test_a_caret_keeps_the_leftmost_number(base: list[int], other: list[int]) -> None:
    """Law: a caret allows exactly the later versions with the same numbers up to the first that is not zero."""
    bound, version = ".".join(map(str, base)), Version(".".join(map(str, other)))
    place = next((index for index, number in enumerate(base) if number), len(base) - 1)
    expected = version >= Version(bound) and other[: place + 1] == base[: place + 1]
    assert expected == (version in SpecifierSet(poetry.specifier(f"^{bound}")))


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.sampled_from(["setup.py", "setup.cfg", "PKG-INFO", "requirements.txt", "tests/test_a.py"]), st.text(max_size=200)
)
def test_any_file_can_be_read(tmp_path: Path, name: str, text: str) -> None:
    """Whatever a file holds: a valid configuration, never a crash."""
    assert first(tmp_path, {"setup.cfg": "", name: text}).axes


PROJECT = '[project]\nname = "x"\nversion = "1"\n'


@pytest.mark.parametrize(
    ("files", "folder", "why"),
    [
        ({"notes.txt": ""}, ".", "holds no project, no tests and no requirements: go to the folder of your project"),
        (
            {"packages/b/pyproject.toml": PROJECT, "packages/a/setup.py": ""},
            ".",
            "packages/a, packages/b. Type: cd pack",
        ),
        ({"pyproject.toml": PROJECT, "tests/test_a.py": ""}, "tests", "Type: cd .. && venvgrid init"),
        ({"pyproject.toml": PROJECT}, ".", ""),
        (
            {"pyproject.toml": "[tool.uv.workspace]\n", "a/pyproject.toml": PROJECT},
            ".",
            "holds projects, and is none: a.",
        ),
        ({"requirements.txt": "idna\n"}, ".", ""),
        ({"test_a.py": ""}, ".", ""),
        ({"tox.ini": "[tox]\n"}, ".", ""),
    ],
)
def test_a_folder_that_is_not_that_of_a_project(tmp_path: Path, files: dict[str, str], folder: str, why: str) -> None:
    """The message says which folder is; one with tests, requirements or a runner is taken as it is."""
    inner = write(tmp_path, files) / folder
    said = initial.wrong_folder(inner)
    assert why in said
    assert bool(why) is bool(said)
    assert not said or said.endswith("venvgrid init --force")


def test_an_application_needs_its_requirements(tmp_path: Path) -> None:
    """What is no project has its own requirements in requirements.txt, whatever file its tests have."""
    files = {"requirements.txt": "idna\n", "requirements-test.txt": "six\n", "test_a.py": ""}
    assert ("pytest", "idna", "six") == first(tmp_path, files).install.requires


def test_a_project_without_tests_is_told(tmp_path: Path) -> None:
    """On the terminal too, before it is run."""
    made = initial.make(write(tmp_path, {"pyproject.toml": PROJECT}))
    assert ("no tests were found here: say in [test] how they are run",) == made.notes


def test_a_runner_that_is_not_in_this_folder(tmp_path: Path) -> None:
    """The message names the folder above that has it; a folder is no file."""
    write(tmp_path, {"tox.ini": "[testenv]\ncommands = pytest\n", "tests/test_a.py": ""})
    with pytest.raises(UsageError, match=r"Type: cd .* && venvgrid init --from tox"):
        translate.translate("tox", tmp_path / "tests")
    with pytest.raises(UsageError, match="is a folder; give a file of it, or a word: tox, nox, hatch"):
        translate.translate(".", tmp_path)


def test_an_extra_that_has_what_the_tests_import(tmp_path: Path) -> None:
    """Tests of optional parts need their extras: the smallest that has the module, beside those for tests."""
    setup = "from setuptools import setup\nsetup(name='x', extras_require={extras})\n"
    extras = "{'signed': ['PyJWT>=2', 'cryptography'], 'all': ['PyJWT', 'cryptography', 'blinker', 'foo-bar'], 'b': ['blinker']}"
    tests = "import jwt, blinker, foo_bar, unknown\n"
    made = first(tmp_path, {"setup.py": setup.replace("{extras}", extras), "tests/test_a.py": tests})
    assert ({"signed", "b", "all"}, ("pytest",)) == (set(made.project.extras), made.install.requires)
    own = extras.replace("'b'", "'tests'")
    made = first(tmp_path, {"setup.py": setup.replace("{extras}", own), "tests/test_a.py": tests})
    assert {"signed", "tests", "all"} == set(made.project.extras)


def test_an_extra_that_modules_of_the_project_need(tmp_path: Path) -> None:
    """Tests import a module of the project whose own imports are optional; those in a `try` are not needed."""
    files = {
        "pyproject.toml": '[project]\nname = "x"\n[project.optional-dependencies]\na = ["msgpack"]\nb = ["cbor2"]\n'
        'c = ["PyYAML"]\nd = ["tomlkit"]\n[dependency-groups]\ntest = ["pytest"]\n',
        "src/x/__init__.py": "",
        "src/x/one.py": "import msgpack\nfrom . import two\nfrom .two import f\n",
        "src/x/two.py": "import yaml\ntry:\n    import cbor2\nexcept ImportError:\n    pass\n",
        "src/x/three.py": "import tomlkit\n",
        "tests/test_a.py": "import x\nfrom x.one import f\n",
    }
    assert {"a", "c"} == set(first(tmp_path, files).project.extras)


def test_a_group_for_tests_and_extras_for_what_they_import(tmp_path: Path) -> None:
    """A group holds no extras: tests of optional parts need both. What the group has needs no extra."""
    project = (
        '[project]\nname = "x"\n[project.optional-dependencies]\nbson = ["pymongo"]\nmsgspec = ["msgspec; os_name != \'x\'"]\n'
        'toml = ["tomli"]\nyaml = ["PyYAML"]\n[dependency-groups]\ntest = ["pytest", "PyYAML"]\n'
    )
    tests = "from bson import ObjectId\nimport msgspec\nimport yaml\ntry:\n    import tomli\nexcept ImportError:\n    pass\n"
    made = first(tmp_path, {"pyproject.toml": project, "tests/test_a.py": tests})
    assert (("test",), {"bson", "msgspec"}) == (made.project.groups, set(made.project.extras))
    assert ("pytest",) == made.install.requires
