"""What a source says is in the configuration, or its environment is not written and the output names what is missing."""
# ruff: noqa: SIM300, E501 - expected == actual; tables of whole files

from __future__ import annotations

import re
import sys
import textwrap
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from venvgrid.config import config_file, grids, loading
from venvgrid.migration import translate
from venvgrid.migration.readers import env_names
from venvgrid.model import UsageError

if TYPE_CHECKING:
    from pathlib import Path

    from venvgrid.model import Config


def carried(folder: Path, name: str, text: str) -> tuple[dict[str, Config], str]:
    """Carry a file over; return the grids, and all that is said beside them."""
    (folder / name).write_text(textwrap.dedent(text), encoding="utf-8")
    try:
        made = translate.translate(name, folder)
    except UsageError as error:
        return {}, str(error)
    found = config_file.parse(made.text, folder / "matrix.toml")
    configs = {grid: loading.build(found, grid=grid) for grid in ("", *grids.names(found.table))}
    return configs, "\n".join((*made.lost, *made.notes))


def tox(folder: Path, testenv: str, envlist: str = "py312", more: str = "") -> tuple[dict[str, Config], str]:
    """Carry over a tox.ini with a [testenv]."""
    inner = textwrap.indent(textwrap.dedent(testenv).strip("\n"), "")
    return carried(folder, "tox.ini", f"[tox]\nenvlist = {envlist}\n[testenv]\n{inner}\n{textwrap.dedent(more)}")


@pytest.mark.parametrize(
    ("testenv", "missing"),
    [
        ("sitepackages = true\ncommands = pytest", "sitepackages = true"),
        ("change_dir = .tmp/x\ncommands = pytest ../../tests", "change_dir = .tmp/x and ../../tests (write {tox_root}"),
        ("change_dir = {envsitepackagesdir}/x\ncommands = pytest", "change_dir = …/x (only its runner knows"),
        ("change_dir = {envtmpdir}\ncommands = pytest ../../tests", "change_dir = {tmp} and ../../tests (write"),
        ("package = deps-only\ncommands = pytest", "package = deps-only"),
        ("deps = https://h/x.zip\ncommands = pytest", "write its name before it: NAME @ https://h/x.zip"),
        ("deps = -r gone.txt\ncommands = pytest", "there is no file 'gone.txt'"),
        ("deps = --index-url https://h\ncommands = pytest", "--index-url https://h"),
        ("deps = ./nowhere\ncommands = pytest", "write its name before it: NAME @ file:./nowhere"),
        ("setenv = PIP_NO_BINARY=:all:\ncommands = pytest", "PIP_NO_BINARY=:all:"),
        ("setenv = SETUPTOOLS_SCM_PRETEND_VERSION=1\ncommands = pytest", "is for the build"),
        ("setenv = X={unknown}\ncommands = pytest", "the variable X=…"),
        (
            "install_command = pip install --no-deps {opts} {packages}\ncommands = pytest",
            "install_command with --no-deps",
        ),
        (
            "commands =\n  python -E -W ignore -m pip -q uninstall -y x\n  pytest",
            "uninstall -y x` changes what is installed",
        ),
        ("commands =\n  uv --quiet pip --no-color uninstall x\n  pytest", "uninstall x` changes what is installed"),
        ("commands =\n  pip uninstall -y x\n  pytest", "`pip uninstall -y x` changes what is installed"),
        ("commands =\n  conda install x\n  pytest", "`conda install x` changes what is installed"),
        ("commands = pytest {envlogdir}/x", "…/x in `pytest …/x`"),
        ("commands_pre = python {envdir}/make.py\ncommands = pytest", "python …/make.py"),
        ("setenv = X={env:HOME}/x\ncommands = pytest", "the variable X=…/x"),
        ("deps = {envtmpdir}/a.whl\ncommands = pytest", "…/a.whl (only its runner knows the value)"),
        ('commands = pytest "x', "has an open quote"),
    ],
)
def test_what_cannot_be_expressed_refuses_the_file(tmp_path: Path, testenv: str, missing: str) -> None:
    """A main environment without it could be green with another installation: nothing is written, and it is named."""
    made, said = tox(tmp_path, testenv)
    assert {} == made
    assert "nothing was written, because its main environments need" in said
    assert missing in said


def test_only_the_environment_that_needs_it_is_left_out(tmp_path: Path) -> None:
    """The others are whole; the output names the environment and the reason."""
    made, said = tox(tmp_path, "deps =\n  pytest\n  dev: https://h/x.zip\ncommands = pytest", "py312, py312-dev")
    assert [""] == list(made)
    assert ("3.12",) == made[""].axes[0].values
    assert said.startswith("py312-dev: https://h/x.zip")


def test_a_lesser_environment_never_takes_the_place_of_the_main_one(tmp_path: Path) -> None:
    """The main one cannot be expressed: the file is refused, although another one could be written."""
    made, said = tox(
        tmp_path,
        "sitepackages = true\ncommands = pytest",
        "py312, diffcov",
        "[testenv:diffcov]\nsitepackages =\ncommands = pytest\n",
    )
    assert {} == made
    assert "py312: sitepackages" in said


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("change_dir = tests\ncommands = pytest {tox_root}/tests", ("tests", ("pytest", "{project}/tests"))),
        ("changedir = {toxinidir}/tests\ncommands = pytest .", ("tests", ("pytest", "."))),
        ("changedir = {envtmpdir}\ncommands = pytest {toxinidir}/tests", ("{tmp}", ("pytest", "{project}/tests"))),
        ("changedir = {toxworkdir}/{envname}\ncommands = pytest --pyargs x", ("{tmp}", ("pytest", "--pyargs", "x"))),
        ("changedir = .tmp/{envname}\ncommands = pytest --pyargs x", ("{tmp}", ("pytest", "--pyargs", "x"))),
        ("changedir = {toxinidir}\ncommands = pytest {toxinidir}/tests", ("", ("pytest", "./tests"))),
        ("commands = pytest {envtmpdir}/x", ("", ("pytest", "{tmp}/x"))),
    ],
)
def test_where_the_commands_run(tmp_path: Path, body: str, expected: tuple[str, tuple[str, ...]]) -> None:
    """A folder to change to is kept, the tests are still those of the project, and requirements are found."""
    (tmp_path / "tests").mkdir()
    (tmp_path / "a.txt").write_text("attrs\n", encoding="utf-8")
    made, _ = tox(tmp_path, f"deps = -r {{toxinidir}}/a.txt\n{body}")
    assert expected == (made[""].test.working_directory, made[""].test.command)
    assert "attrs" in made[""].install.requires


def test_variables_with_folders_of_an_environment(tmp_path: Path) -> None:
    """Temporary folders, the interpreter and the folder of the file are placeholders; other braces stay."""
    body = "change_dir = {envtmpdir}\nset_env =\n  HOME={envtmpdir}/home\n  A={tox_root}/a:{envpython}\n  J=\\{x\\}\n"
    made, _ = tox(tmp_path, f"{body}commands_pre = cp -r {{tox_root}}/tests {{envtmpdir}}\ncommands = pytest")
    assert {"HOME": "{tmp}/home", "A": "{project}/a:{python}", "J": "{x}"} == dict(made[""].test.env)
    assert (("cp", "-r", "{project}/tests", "{tmp}"),) == made[""].test.before


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("py3{9-10,12}", "py39 py310 py312"),
        ("py3{13-}{,-x}", "py313 py313-x py314 py314-x py315 py315-x"),
        ("py3{-12}", "py311 py312"),
        ("py3{10-9}", "py310 py39"),
        ("py312-dj{4-2}x", "py312-dj4x py312-dj3x py312-dj2x"),
    ],
)
def test_ranges_beside_other_options(text: str, expected: str) -> None:
    """Ranges in braces may stand among other options, be open, and go down: as `tox list` of tox 4.67 does it."""
    assert expected.split() == list(env_names.expand(text))


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ("py # needs pytest's old module", ("py",)),
        ("six # 'quoted' as well", ("six",)),
        ("a @ git+https://x.org/a\\#egg=a", ("a @ git+https://x.org/a#egg=a",)),
        (f"{sys.platform}: six", ("six",)),
        (f"!{sys.platform}: six", ()),
        ("amiga: six", ()),
        ("py*: six", ()),
        ("b: six", ()),
        ("py312: six", ("six",)),
        ("py{311,312}-!b: six", ("six",)),
    ],
)
def test_lines_count_as_tox_counts_them(lines: str, expected: tuple[str, ...]) -> None:
    """Compared with `tox config` of tox 4.67: comments, this system as a factor, patterns that fit no factor."""
    found = env_names.lines(env_names.uncommented(lines), env_names.of_environment("py312"))
    assert expected == tuple(found)


@pytest.mark.parametrize("options", ["{posargs: tests}", "{posargs:tests}", "-k a: tests", "--color yes tests"])
def test_a_continued_line_is_no_condition(tmp_path: Path, options: str) -> None:
    """What stands before the colon must be factors; else the whole line is a part of the command."""
    made, said = tox(tmp_path, f"deps = pytest\ncommands =\n  pytest \\\n    -q \\\n    {options}\n")
    assert ("pytest", "-q", *options.strip("{}").removeprefix("posargs:").split()) == made[""].test.command, said


def test_a_line_goes_with_the_condition_that_it_continues(tmp_path: Path) -> None:
    """A command of other factors leaves nothing behind."""
    body = "deps = pytest\ncommands =\n  b: pytest -x \\\n    --maxfail=1 \\\n    tests\n  pytest -q\n"
    made, said = tox(tmp_path, body)
    assert [("pytest", "-q"), ()] == [made[""].test.command, made[""].test.before], said


def test_a_variable_that_the_source_sets_stands_for_its_text(tmp_path: Path) -> None:
    """`{env:NAME:DEFAULT}` is the variable of set_env, by factor and through references; its own name is the shell's."""
    body = """
        setenv =
            old: _DEP=attrs==21.1
            new: _DEP={env:_NEW}
            _NEW=attrs==24.1
            A=a{env:A:}
            {[other]setenv}
        deps =
            pytest
            {env:_DEP:attrs}
            {env:_MORE:idna}
            {env:_UNKNOWN:six}
        commands = pytest
    """
    made, _ = tox(tmp_path, body, "py312-old, py312-new", "[other]\nsetenv = _MORE=wheel\n")
    found = {name: set(config.install.requires) for name, config in made.items()}
    assert [{"attrs==21.1", "wheel", "six"}, {"attrs==24.1", "wheel", "six"}] == [
        item - {"pytest"} for item in sorted(found.values(), key=sorted)
    ]
    assert {"a"} == {config.test.env["A"] for config in made.values()}


def test_variables_of_tox_toml_stand_for_their_texts(tmp_path: Path) -> None:
    """The same holds for both ways to write a reference in TOML."""
    text = """
        env_list = ["3.12"]
        [env_run_base]
        set_env.D = "attrs==24.1"
        set_env.E = { replace = "env", name = "E", default = "e" }
        deps = ["{env:D:attrs}", { replace = "env", name = "D2", default = "six" }, "idna=={env:V:3}"]
        commands = [["pytest"]]
    """
    made, _ = carried(tmp_path, "tox.toml", text)
    assert {"attrs==24.1", "six", "idna==3", "pytest"} == set(made[""].install.requires)
    assert "e" == made[""].test.env["E"]


def test_templates_of_tox_toml(tmp_path: Path) -> None:
    """[env_base.NAME] is between the base and the environment, for the names that its factors make."""
    (tmp_path / "low.txt").write_text("attrs<22\n", encoding="utf-8")
    text = """
        env_list = ["3.12", "3.13", { product = [{ prefix = "min-3.", start = 12, stop = 13 }] }]
        [env_run_base]
        deps = ["attrs"]
        uv_seed = true
        commands = [["pytest"]]
        [env_base.min]
        factors = [["3.12", "3.13", "3.14"]]
        set_env.UV_CONSTRAINT = "{tox_root}/low.txt"
        [env."min-3.13"]
        deps = ["attrs", "idna"]
    """
    made, said = carried(tmp_path, "tox.toml", text)
    assert () == made[""].install.constraints
    lower = [config for name, config in made.items() if name]
    assert [("attrs<22",)] * 2 == [config.install.constraints for config in lower]
    assert {True, False} == {"idna" in config.install.requires for config in lower}
    assert all("pip" in config.install.requires for config in made.values())
    assert "only when asked for by name: min-3.14" in said


@pytest.mark.parametrize(
    "body",
    [
        "pip_pre = true",
        "install_command = python -m pip install --pre {opts} {packages}",
        "set_env = PIP_PRE=1",
        "set_env = UV_PRERELEASE=allow",
        "commands_pre = pip install --pre x",
    ],
)
def test_pre_releases(tmp_path: Path, body: str) -> None:
    """All ways to ask for pre-releases are install.pre-releases; other grids do not get them."""
    made, _ = tox(tmp_path, "commands = pytest", "py312, py312-pre", f"[testenv:py312-pre]\n{body}\n")
    assert {"": False, "pre": True} == {name: config.install.pre_releases for name, config in made.items()}


def test_missing_interpreters_are_skipped_where_the_source_skips_them(tmp_path: Path) -> None:
    """`skip_missing_interpreters` is the plan's key, if it is set."""
    text = "[tox]\nenv_list = py312\n{}[testenv]\ncommands = pytest\n"
    kept = [
        carried(tmp_path, "tox.ini", text.format(more))[0][""].planning.skip_missing
        for more in ("skip_missing_interpreters = true\n", "skip_missing_interpreters = false\n", "")
    ]
    assert [True, False, False] == kept


@pytest.mark.parametrize(
    "command",
    [
        "pip install packaging==22.0",
        "python -m pip install packaging==22.0",
        "uv pip install -q packaging==22.0",
        "python -Im pip install packaging==22.0",
        "python -I -X utf8 -m pip --disable-pip-version-check --cache-dir x install packaging==22.0",
        "uv --no-progress pip install packaging==22.0",
    ],
)
def test_a_command_that_installs_is_a_requirement(tmp_path: Path, command: str) -> None:
    """It is resolved together with the rest, and pinned as the source says."""
    made, _ = tox(tmp_path, f"deps = pytest\ncommands =\n  {command}\n  pytest")
    assert ("pytest", "packaging==22.0") == made[""].install.requires
    assert () == made[""].test.before


def test_installers_in_the_dependencies_are_kept(tmp_path: Path) -> None:
    """Setuptools and pip are requirements as others: tests import them."""
    made, _ = tox(tmp_path, "deps =\n  pytest\n  setuptools>=70\n  pip\ncommands = pytest")
    assert ("pytest", "setuptools>=70", "pip") == made[""].install.requires


def test_files_are_named_and_not_copied(tmp_path: Path) -> None:
    """Requirements and constraints stay in their files; UV_CONSTRAINT is such a file too."""
    for name in ("r", "c", "d"):
        (tmp_path / f"{name}.txt").write_text("pytest\n" if name == "r" else "idna<4\n", encoding="utf-8")
    testenv = "deps =\n  -r r.txt\n  -cc.txt\nsetenv = UV_CONSTRAINT=d.txt\ncommands = pytest"
    made, _ = tox(tmp_path, testenv)
    text = translate.translate("tox.ini", tmp_path).text
    assert 'requires = ["-r r.txt"]' in text
    assert 'constraints = ["-c d.txt", "-c c.txt"]' in text
    assert (("pytest",), ("idna<4",), {}) == (
        made[""].install.requires,
        made[""].install.constraints,
        dict(made[""].test.env),
    )


def test_another_file_is_another_grid(tmp_path: Path) -> None:
    """Flask's tests-min: its pins are in a file of its own, and its cells are not those of the main grid."""
    for name in ("tests", "min"):
        (tmp_path / f"{name}.txt").write_text("pytest\n" if name == "tests" else "click==8.0\n", encoding="utf-8")
    made, _ = tox(tmp_path, "deps =\n  -r tests.txt\n  min: -r min.txt\ncommands = pytest", "py3{11,12}, py312-min")
    assert ["", "min"] == list(made)
    assert ("pytest", "click==8.0") == made["min"].install.requires
    assert ("pytest",) == made[""].install.requires


def test_the_project_with_extras_in_the_dependencies(tmp_path: Path) -> None:
    """`-e .[d]` is an editable installation with an extra."""
    made, _ = tox(tmp_path, "skip_install = true\ndeps =\n  pytest\n  -e .[d,e]\ncommands = pytest")
    assert (("d", "e"), "editable") == (made[""].project.extras, made[""].project.install.value)


def test_markers_are_kept(tmp_path: Path) -> None:
    """Two requirements of one name with different markers are two requirements."""
    lines = ("pytest>=8; python_version>='3.9'", "pytest<8; python_version<'3.9'")
    made, _ = tox(tmp_path, f"deps =\n  {lines[0]}\n  {lines[1]}\ncommands = pytest", "py3{8,12}")
    assert set(lines) == set(made[""].install.requires)


@pytest.mark.parametrize(
    ("commands", "command"),
    [
        ("pytest \\\n    {posargs}", ("pytest",)),
        ("pytest \\\n    {posargs}\n  echo done", ("pytest",)),
        ("pytest \\\n    -q \\\n    {posargs:tests}", ("pytest", "-q", "tests")),
        ("{envbindir}/pytest x", ("pytest", "x")),
        ("{env_bin_dir}{/}pytest x", ("pytest", "x")),
        ("{envdir}/bin/pytest", ("pytest",)),
        ("pytest {envsitepackagesdir}/demo/tests", ("pytest", "--pyargs", "demo.tests")),
        ("pytest --cov={envsitepackagesdir}/demo", ("pytest", "--cov=demo")),
        ("pytest --junitxml={envtmpdir}/x.xml -q", ("pytest", "-q")),
        ("py.test", ("pytest",)),
    ],
)
def test_commands_are_read_as_tox_reads_them(tmp_path: Path, commands: str, command: tuple[str, ...]) -> None:
    """Continued lines, programs of the environment, folders of packages, reports."""
    made, said = tox(tmp_path, f"commands =\n  {commands}")
    assert command == made[""].test.command, said


def test_commands_before_the_tests_and_more_than_one_test(tmp_path: Path) -> None:
    """What prepares the tests runs before them; each further test command is a grid; linters are named."""
    testenv = "commands_pre = make data\ncommands =\n  flake8\n  coverage erase\n  pytest a\n  python make.py\n  pytest b\n  rm x"
    made, said = tox(tmp_path, testenv)
    first, second = made[""].test, made["tests-2"].test
    assert ((("make", "data"),), ("pytest", "a")) == (first.before, first.command)
    assert ((("make", "data"), ("python", "make.py")), ("pytest", "b")) == (second.before, second.command)
    assert "`flake8` runs no tests" in said
    assert "`rm x` comes after the tests" in said


def test_commands_of_a_shell(tmp_path: Path) -> None:
    """A plain `bash -c` is read as its commands; one that needs a shell refuses the file."""
    made, _ = tox(tmp_path, "commands = bash -c 'pip install x==1 && pytest -q'")
    assert (("pytest", "x==1"), ("pytest", "-q")) == (made[""].install.requires, made[""].test.command)
    made, said = tox(tmp_path, "commands = bash -c 'pytest > log'")
    assert ({}, True) == (made, "`pytest > log`, which only a shell understands" in said)


def test_other_programs_that_run_tests(tmp_path: Path) -> None:
    """`python -m unittest` beside pytest is a grid of its own, counted by its exit status."""
    made, _ = tox(tmp_path, "commands =\n  pytest\n  python -m unittest discover")
    second = made["tests-2"].test
    assert (("python", "-m", "unittest", "discover"), "exit-status") == (second.command, second.reports)


def test_addresses_with_an_egg(tmp_path: Path) -> None:
    """The old way to name a repository; its folder is kept."""
    made, _ = tox(tmp_path, "deps = -e git+https://h/z@v1#egg=z[x]&subdirectory=s\ncommands = pytest")
    assert ("z[x] @ git+https://h/z@v1#subdirectory=s",) == made[""].install.requires[1:]


def test_an_unknown_python_is_left_out_alone(tmp_path: Path) -> None:
    """One py33 among others refuses nothing."""
    made, said = tox(tmp_path, "commands = pytest", "py33, py311, py312")
    assert ("3.11", "3.12") == made[""].axes[0].values
    assert "py33: venvgrid knows Python 2.7, 3.6 and newer, not 3.3" in said


def test_without_a_list_tox_runs_the_base(tmp_path: Path) -> None:
    """[testenv] is the main grid; sections that are only asked for by name are named."""
    made, said = carried(
        tmp_path, "tox.ini", "[testenv]\ndeps = pytest\ncommands = pytest -q\n[testenv:cov]\ncommands = pytest --cov\n"
    )
    assert ([""], ("pytest", "-q")) == (list(made), made[""].test.command)
    assert "run only when asked for by name: cov" in said


def test_unlike_environments_are_not_made_alike(tmp_path: Path) -> None:
    """An environment with settings of its own is a grid of its own, whatever its name is."""
    made, _ = tox(
        tmp_path,
        "deps = pytest\ncommands = pytest",
        "py3{10,11,12}",
        "[testenv:py310]\ndeps =\n  pytest\n  mock\ncommands = pytest -x\n",
    )
    assert ["", "py310"] == list(made)
    assert (("pytest", "mock"), ("pytest", "-x")) == (made["py310"].install.requires, made["py310"].test.command)
    assert ("3.10",) == made["py310"].axes[0].values


HATCH = """
    [envs.test]
    dependencies = ["pytest"]
    scripts.run = "pytest{env:HATCH_TEST_ARGS:} {args:tests}"
    extra-args = ["-x"]
    [[envs.test.matrix]]
    version = ["old", "new"]
    [envs.test.overrides]
    matrix.version.python = [{ value = "3.9", if = ["old"] }, { value = "3.13", if = ["new"] }]
    [envs.gpu]
    template = "test"
    dependencies = ["pytest", "cupy"]
    [[envs.gpu.matrix]]
    python = ["3.10", "3.11", "3.12", "3.13"]
"""


def test_hatch(tmp_path: Path) -> None:
    """Overridden Pythons and extra arguments are kept, and the grid named "test" is the main one, however small."""
    made, _ = carried(tmp_path, "hatch.toml", HATCH)
    assert ["", "gpu"] == list(made)
    assert {"3.9", "3.13"} == set(made[""].axes[0].values)
    assert ("pytest-x", "tests") == made[""].test.command or ("pytest", "-x", "tests") == made[""].test.command


def test_examples_in_documents_are_not_the_main_grid(tmp_path: Path) -> None:
    """The first of several commands may be doctest: `venvgrid run` runs the suite."""
    text = """
        [tox]
        envlist = py{311,312}
        [testenv]
        deps = pytest
        commands =
            {envpython} -m doctest docs/intro.rst
            pytest README.rst
            pytest -ra
    """
    made, _ = carried(tmp_path, "tox.ini", textwrap.dedent(text))
    assert made[""].test.command == ("pytest", "-ra")
    assert sorted(made) == ["", "tests-1", "tests-2"]


def test_default_requirements_of_hatch_test(tmp_path: Path) -> None:
    """An override adds to them: the arguments and the tests rely on pytest-xdist and the others."""
    text = """
        [tool.hatch.envs.hatch-test]
        extra-args = ["-n", "2"]
        [[tool.hatch.envs.hatch-test.matrix]]
        python = ["3.10", "3.12"]
        [tool.hatch.envs.hatch-test.overrides]
        matrix.python.dependencies = [{ value = "tomli", if = ["3.10"] }]
    """
    made, said = carried(tmp_path, "pyproject.toml", textwrap.dedent(text))
    assert "hatch-test: dependencies are the defaults of hatch 1.18.2" in said
    requires = [" ".join(config.install.requires) for config in made.values()]
    assert sorted("tomli" in line for line in requires) == [False, True]
    assert all("pytest-xdist" in line and "pytest-mock" in line for line in requires)


def test_default_matrix_of_hatch_test(tmp_path: Path) -> None:
    """Without a matrix of its own it has that of hatch."""
    made, said = carried(tmp_path, "hatch.toml", "[envs.hatch-test]\nextra-dependencies = ['idna']\n")
    assert {"3.10", "3.14t"} <= {str(value) for value in made[""].axes[0].values}
    assert "hatch-test: dependencies and matrix are the defaults of hatch" in said


@pytest.mark.parametrize(
    ("setting", "missing"),
    [
        ('pre-install-commands = ["make x"]', "`make x` of pre-install-commands"),
        ('pip-args = ["--pre"]', ": pip-args"),
        ("system-packages = true", ": system-packages"),
        ('env-vars = { PIP_NO_BINARY = "x" }', "PIP_NO_BINARY=x"),
        ('overrides.matrix.version.pip-args = ["--pre"]', "overrides.matrix.version.pip-args"),
    ],
)
def test_hatch_settings_that_cannot_be_expressed(tmp_path: Path, setting: str, missing: str) -> None:
    """As with tox: nothing is written, and the setting is named."""
    text = f'[envs.test]\ndependencies = ["pytest"]\nscripts.test = "pytest"\n{setting}\n[[envs.test.matrix]]\nversion = ["a"]\npython = ["3.12"]\n'
    made, said = carried(tmp_path, "hatch.toml", text)
    assert {} == made
    assert missing in said


NOX = """
    import nox, shutil
    from helpers import prepare
    @nox.session(python="3.12")
    def tests(session):
        session.install("pytest")
        {statement}
        session.run("pytest")
"""


@pytest.mark.parametrize(
    ("statement", "missing"),
    [
        ("session.install(name())", "…(name())"),
        ("session.install('--no-cache-bin', 'x')", "the option --no-cache-bin"),
        ("session.install('x', env={'UV_PRERELEASE': 'explicit'})", "UV_PRERELEASE=explicit"),
        ("prepare(session)", "what prepare does, which is not in the file"),
        ("session.chdir('x')", "it runs in the folder x, which is not in the project"),
        ("session.chdir(y())", "it runs in the folder …(y()), which is not in the project"),
        ("session.chdir('sub'); session.install('-e', '.')", "`session.install('-e', '.')` in the folder sub"),
        ("session.run('python', 'make.py'); session.chdir('sub')", "`python make.py` in . and `pytest` in sub: write"),
        ("session.conda_install('x')", "session.conda_install('x')"),
        ("[session.install(x) for x in y()]", "installs or runs something"),
        ("while y():\n            session.install('x')", "installs or runs something"),
        ("if y():\n            session.install('x')", "what it does `if y()`"),
        ("for x in y():\n            session.install(x)", "what it does for each of y()"),
        ("session.env['A'] = y()", "the variable in `session.env['A'] = y()`"),
        ("session.run('scripts/run', y())", "…(y()) in `scripts/run"),
    ],
)
def test_nox_statements_that_cannot_be_known(tmp_path: Path, statement: str, missing: str) -> None:
    """What only execution would show is not left out: nothing is written, and the statement is named."""
    made, said = carried(tmp_path, "noxfile.py", textwrap.dedent(NOX).replace("{statement}", statement))
    assert {} == made
    assert missing in said


@pytest.mark.parametrize(
    ("statement", "folder"),
    [
        ("session.chdir('sub')", "sub"),
        ("session.cd('sub/../sub/inner')", "sub/inner"),
        ("session.chdir('sub'); session.chdir('inner')", "sub/inner"),
        ("session.chdir('sub'); session.install('x'); session.chdir('..')", ""),
        ("with session.chdir('sub'):\n            session.run('echo', 'here')", ""),
        ("session.run('ruff', 'check'); session.chdir('sub'); session.run('python', 'make.py')", "sub"),
    ],
)
def test_a_nox_session_that_goes_elsewhere(tmp_path: Path, statement: str, folder: str) -> None:
    """Its tests run where they ran."""
    (tmp_path / "sub/inner").mkdir(parents=True)
    made, said = carried(tmp_path, "noxfile.py", textwrap.dedent(NOX).replace("{statement}", statement))
    assert made[""].test.working_directory == folder, said


@pytest.mark.parametrize(
    ("job", "folder"),
    [
        ("steps: [{run: pytest, working-directory: sub}]", "sub"),
        ("steps: [{run: pytest, working-directory: ./sub/}]", "sub"),
        ("defaults: {run: {working-directory: sub}}, steps: [{run: pytest}]", "sub"),
        ("defaults: {run: {working-directory: gone}}, steps: [{run: pytest, working-directory: sub}]", "sub"),
        ("steps: [{run: pip install x}, {run: cd sub && pytest}]", "sub"),
        ("steps: [{run: cd sub}, {run: pytest}]", ""),
    ],
)
def test_a_step_that_runs_elsewhere(tmp_path: Path, job: str, folder: str) -> None:
    """Its tests run where they ran; each step begins in the folder that is usual in its job."""
    (tmp_path / "sub").mkdir()
    text = f"jobs: {{test: {{strategy: {{matrix: {{python-version: ['3.12']}}}}, {job}}}}}\n"
    made, said = carried(tmp_path, "ci.yml", text)
    assert made[""].test.working_directory == folder, said


@pytest.mark.parametrize(
    ("statement", "requires", "env"),
    [
        ("session.run('pip', 'install', 'x==1')", ("pytest", "x==1"), {}),
        ("session.run_install('uv', 'pip', 'install', 'x==1')", ("pytest", "x==1"), {}),
        ("session.env['A'] = 'b'", ("pytest",), {"A": "b"}),
        ("session.env.update({'A': 'b'}, C='d')", ("pytest",), {"A": "b", "C": "d"}),
        ("if shutil.sys and False:\n            session.install('x')", ("pytest",), {}),
    ],
)
def test_nox_statements(tmp_path: Path, statement: str, requires: tuple[str, ...], env: dict[str, str]) -> None:
    """Commands that install are requirements; variables of the session are those of the tests."""
    made, said = carried(tmp_path, "noxfile.py", textwrap.dedent(NOX).replace("{statement}", statement))
    if made:
        assert (requires, env) == (made[""].install.requires, dict(made[""].test.env)), said
    else:
        assert "what it does `if" in said


def test_uv_sync_installs_groups_and_extras(tmp_path: Path) -> None:
    """`uv sync` brings the default group and those that it names."""
    pyproject = '[project]\nname="x"\nversion="1"\n[project.optional-dependencies]\nplot=[]\n[dependency-groups]\ndev=[]\ntest=[]\ndocs=[]\n'
    (tmp_path / "pyproject.toml").write_text(pyproject, encoding="utf-8")
    statement = "session.run_install('uv', 'sync', '--group=test', '--extra', 'plot', '--frozen')"
    made, _ = carried(tmp_path, "noxfile.py", textwrap.dedent(NOX).replace("{statement}", statement))
    project = made[""].project
    assert ({"dev", "test"}, ("plot",), "editable") == (set(project.groups), project.extras, project.install.value)


@pytest.mark.parametrize(
    ("extra", "missing"),
    [
        ("steps: [{run: scripts/install}, {run: pytest}]", "`scripts/install` (it may install: write what it installs"),
        ("steps: [{run: make install-deps}, {run: pytest}]", "`make install-deps` (it may install"),
        ("steps: [{uses: ./.github/actions/prepare}, {run: pytest}]", "what the action ./.github/actions/prepare does"),
        (
            "steps: [{run: 'if x; then pip install y; fi'}, {run: pytest}]",
            "`if x; then pip install y; fi`, which only a shell understands",
        ),
        ("steps: [{run: pip install --dry-run x}, {run: pytest}]", "the option --dry-run"),
        ("steps: [{run: pytest, working-directory: gone}]", "it runs in the folder gone, which is not in the project"),
        ("steps: [{run: cd ../other && pytest}]", "it runs in the folder ../other, which is not in the project"),
        (
            "steps: [{run: pip install -r r.txt, working-directory: sub}, {run: pytest}]",
            "`pip install -r r.txt` in the",
        ),
        ("{defaults: {run: {working-directory: sub}}, steps: [{run: pytest}]}", "it runs in the folder sub, which"),
        ("{env: {PIP_NO_BINARY: x}, steps: [{run: pytest}]}", "PIP_NO_BINARY=x"),
        ("steps: [{run: pip install x, if: hashFiles('y')}, {run: pytest}]", "a step that installs or tests only `if:"),
    ],
)
def test_steps_of_a_workflow_that_cannot_be_known(tmp_path: Path, extra: str, missing: str) -> None:
    """What a step may install is unknown: nothing is written, and the step is named."""
    inner = extra.strip("{}") if extra.startswith("{") else extra
    text = f"jobs: {{test: {{strategy: {{matrix: {{python-version: ['3.12']}}}}, {inner}}}}}\n"
    made, said = carried(tmp_path, "ci.yml", text.replace("{defaults", "defaults").replace("{env: {", "env: {"))
    assert {} == made
    assert missing in said


def test_variables_of_a_whole_workflow(tmp_path: Path) -> None:
    """They are those of its jobs too."""
    text = "env: {SEED: 1, UV_CONSTRAINT: c.txt}\njobs: {test: {strategy: {matrix: {python: ['3.12']}}, steps: [{run: pytest}]}}\n"
    (tmp_path / "c.txt").write_text("idna<4\n", encoding="utf-8")
    made, _ = carried(tmp_path, "ci.yml", text)
    assert ({"SEED": "1"}, ("idna<4",)) == (dict(made[""].test.env), made[""].install.constraints)


ITEMS = st.sampled_from([
    "alpha", "beta>=1", "gamma[x]==2", "delta; python_version<'4'", "eps @ https://h/eps.zip", "-r known.txt", "-c limits.txt",
    "-r gone.txt", "git+https://h/zeta", "https://h/eta.zip", "--pre", "./theta", "pip", "setuptools<80", "-e .[iota]",
])  # fmt: skip


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(ITEMS, max_size=6, unique=True),
    st.lists(st.sampled_from(["kappa==1", "lambda"]), max_size=2, unique=True),
    st.sampled_from(["tox", "nox"]),
)
def test_no_requirement_is_lost(tmp_path: Path, deps: list[str], installed: list[str], runner: str) -> None:
    """Law: each requirement of a source is in the configuration, or among what is said to be missing."""
    (tmp_path / "known.txt").write_text("known-one\n", encoding="utf-8")
    (tmp_path / "limits.txt").write_text("known-two<3\n", encoding="utf-8")
    if runner == "tox":
        lines = "".join(f"\n  {line}" for line in deps)
        commands = "".join(f"\n  pip install {name}" for name in installed)
        _, said = tox(tmp_path, f"deps ={lines}\ncommands ={commands}\n  pytest")
        source = "tox.ini"
    else:
        words = [word for line in deps for word in (line.split(None, 1) if line.startswith("-") else [line])]
        text = (
            f"import nox\n@nox.session(python='3.12')\ndef tests(session):\n    session.install(*{words!r}, 'pytest')\n"
        )
        text += (
            "".join(f"    session.run('pip', 'install', {name!r})\n" for name in installed)
            + "    session.run('pytest')\n"
        )
        _, said = carried(tmp_path, "noxfile.py", text)
        source = "noxfile.py"
    try:
        written = translate.translate(source, tmp_path).text
    except UsageError:
        written = ""
    impossible = {"-r gone.txt", "git+https://h/zeta", "https://h/eta.zip", "./theta"}.intersection(deps)
    assert bool(written) is not bool(impossible)
    for item in impossible or (*deps, *installed):
        word = re.sub(r"^-[rce] |^\./", "", item).split(";")[0].strip()
        word = "iota" if "iota" in word else word.replace("--pre", "pre-releases = true")
        assert word.replace(" ", "") in (written + said).replace(" ", ""), (item, written, said)


@pytest.mark.parametrize(
    ("commands", "command"),
    [
        ("python -mpytest \\\n pypy39: --no-cov \\\n   {posargs:-q}", ("python", "-mpytest", "-q")),
        ("python -Im pytest", ("python", "-Im", "pytest")),
        ("python \\\n  # why\n  -m pytest", ("python", "-m", "pytest")),
        ("env COLOR=1 pytest -q", ("pytest", "-q")),
        ("xvfb-run -a pytest", ("xvfb-run", "-a", "pytest")),
        ("pytest\n  sphinx-build -b doctest -d {envdir}/x docs {envdir}/y", ("pytest",)),
        ("pycodestyle tests\n  pytest", ("pytest",)),
    ],
)
def test_commands_as_tox_joins_and_ends_them(tmp_path: Path, commands: str, command: tuple[str, ...]) -> None:
    """Factors count for each line before lines are joined; what comes after the tests is never what is missing."""
    made, _ = tox(tmp_path, f"commands =\n  {commands}\n")
    assert command == made[""].test.command
    assert "pytest" == made[""].test.reports


def test_variables_in_front_of_a_command(tmp_path: Path) -> None:
    """`env A=1 pytest` sets a variable of the tests, `env PIP_PRE=1 pip install` of the installation."""
    made, _ = tox(tmp_path, "commands =\n  env PIP_PRE=1 pip install idna\n  env A=1 pytest\n")
    assert ({"A": "1"}, True) == (dict(made[""].test.env), made[""].install.pre_releases)


def test_an_environment_that_runs_unittest_is_a_grid_without_a_python_in_its_name(tmp_path: Path) -> None:
    """It is not said to run no tests; documents are not tests."""
    more = "[testenv:coverage]\ncommands = coverage run -m unittest\n[testenv:docs]\ncommands = make -C doc doctest\n"
    made, said = tox(tmp_path, "commands = python -m unittest", "py312, coverage, docs", more)
    assert ["", "coverage"] == list(made)
    assert "left out, because they run no tests: docs" in said


def test_the_project_in_a_list_of_requirements_is_the_project(tmp_path: Path) -> None:
    """`pip install webob[testing]` means the extra of the checkout; a file that lists the project installs it."""
    (tmp_path / "setup.cfg").write_text("[metadata]\nname = webob\n", encoding="utf-8")
    (tmp_path / "r.txt").write_text("webob @ file:.\nidna\n", encoding="utf-8")
    made, _ = tox(tmp_path, "commands =\n  pip install webob[testing]\n  pytest")
    assert (("testing",), ("pytest",)) == (made[""].project.extras, made[""].install.requires)
    statement = "session.install('-r', 'r.txt')"
    made, _ = carried(tmp_path, "noxfile.py", textwrap.dedent(NOX).replace("{statement}", statement))
    assert "wheel" == made[""].project.install.value


def test_options_of_the_python_that_installs(tmp_path: Path) -> None:
    """Those before `-m pip` do not change what is installed."""
    made, _ = tox(
        tmp_path, "install_command = {envpython} -bb -E -s -m pip install {opts} {packages}\ncommands = pytest"
    )
    assert ("pytest",) == made[""].test.command


def test_an_environment_that_names_no_python_says_so(tmp_path: Path) -> None:
    """--from takes the Python that runs, as tox does, and tells it."""
    _, said = tox(tmp_path, "commands = pytest", "py")
    assert "py names no Python: the one that runs venvgrid is taken" in said


def test_constraints_at_an_address(tmp_path: Path) -> None:
    """They are no file of the project: the message says what to do."""
    made, said = tox(tmp_path, "deps = -chttps://h/upper.txt\ncommands = pytest")
    assert {} == made
    assert "-c https://h/upper.txt is an address: download it, and name the file" in said


@pytest.mark.parametrize(
    ("script", "missing"),
    [
        ('"cd sub && pytest"', "`cd sub && pytest`: write its folder as working-directory"),
        ('["pytest -q || true"]', "`pytest -q || true`, which only a shell understands"),
        ('"pytest $ARGS"', "only its runner knows the value"),
    ],
)
def test_scripts_of_hatch_that_only_a_shell_understands(tmp_path: Path, script: str, missing: str) -> None:
    """Hatch gives its scripts to a shell; venvgrid has none."""
    made, said = carried(tmp_path, "hatch.toml", f"[envs.test.scripts]\ntest = {script}\nlint = 'x || y'\n")
    assert {} == made
    assert missing in said
    assert "x || y" not in said


def test_scripts_of_hatch_with_variables_and_several_commands(tmp_path: Path) -> None:
    """They are split as a shell does; another type of environment is lost."""
    made, said = carried(tmp_path, "hatch.toml", "[envs.test.scripts]\ntest = 'A=1 pytest -q && echo done | tee x'\n")
    assert (("pytest", "-q"), {"A": "1"}) == (made[""].test.command, dict(made[""].test.env))
    made, said = carried(tmp_path, "hatch.toml", "[envs.test]\ntype = 'conda'\n[envs.test.scripts]\ntest = 'pytest'\n")
    assert ({}, True) == (made, "type = conda" in said)


@pytest.mark.parametrize(
    ("noxfile", "missing"),
    [
        (NOX.replace("    @nox", '    nox.options.default_venv_backend = "conda"\n    @nox'), "venv_backend='conda'"),
        (NOX.replace('python="3.12"', "python=False"), "python=False (it runs in the environment of nox)"),
    ],
)
def test_sessions_in_other_environments(tmp_path: Path, noxfile: str, missing: str) -> None:
    """A session that nox runs elsewhere than in a virtual environment is named."""
    made, said = carried(tmp_path, "noxfile.py", noxfile.replace("{statement}", "pass"))
    assert {} == made
    assert missing in said


def test_reports_that_are_named_after_the_python(tmp_path: Path) -> None:
    """They do not make a grid for each Python."""
    text = NOX.replace('"3.12"', '["3.11", "3.12"]').replace("{statement}", "pass")
    text = text.replace('session.run("pytest")', 'session.run("pytest", f"--junitxml=x-{session.python}.xml")')
    made, _ = carried(tmp_path, "noxfile.py", text)
    assert [""] == list(made)
    assert ("pytest", "--junitxml=x-{cell}.xml") == made[""].test.command
