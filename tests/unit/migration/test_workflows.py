"""Workflows of GitHub: conditions hold for a row of the matrix, scripts are split as a shell splits them."""
# ruff: noqa: SIM300 - expected == actual

from __future__ import annotations

import sys
import textwrap
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from venvgrid.config import config_file, grids, loading
from venvgrid.migration import translate
from venvgrid.migration.expressions import UNKNOWN
from venvgrid.migration.readers import commands, shell
from venvgrid.migration.readers.substitution import UNAVAILABLE
from venvgrid.migration.readers.workflow import conditions
from venvgrid.model import UsageError

if TYPE_CHECKING:
    from pathlib import Path

    from venvgrid.model import Config

HERE = {"linux": "ubuntu-latest", "darwin": "macos-latest", "win32": "windows-latest"}[sys.platform]


def job(folder: Path, steps: str, matrix: str = "{python-version: ['3.11', '3.12']}") -> tuple[dict[str, Config], str]:
    """Carry over a workflow with one job; return its grids, and all that is said beside them."""
    inner = textwrap.indent(textwrap.dedent(steps), "    ")
    text = f"jobs:\n  test:\n    strategy: {{matrix: {matrix}}}\n    steps:\n{inner}"
    (folder / "ci.yml").write_text(text, encoding="utf-8")
    try:
        made = translate.translate("ci.yml", folder)
    except UsageError as error:
        return {}, str(error)
    found = config_file.parse(made.text, folder / "matrix.toml")
    configs = {grid: loading.build(found, grid=grid) for grid in ("", *grids.names(found.table))}
    return configs, "\n".join((*made.lost, *made.notes))


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("matrix.numpy == 1", True),
        ("matrix.numpy == '1.0' && !matrix.dev", True),
        ("matrix.os == 'UBUNTU-latest' || github.event_name == 'push'", True),
        ("matrix.gone || 'x'", "x"),
        ("matrix.dev && 'error' || 'default'", "default"),
        ("contains(matrix.py, 't')", True),
        ("contains(fromJSON('[\"3.13t\", \"3.14\"]'), matrix['py'])", True),
        ("startsWith(matrix.os, 'windows') || endsWith(matrix.os, '-arm')", False),
        ("env.CI == 'yes' && env.gone == 'x'", UNKNOWN),
        ("env.gone == 'x' && env.CI == 'no'", False),
        ("env.gone == 'x' || env.CI == 'yes'", True),
        ("steps.cache.outputs.cache-hit != 'true'", True),
        ("(success() && !cancelled()) && failure()", False),
        ("hashFiles('x') != ''", UNKNOWN),
        ("matrix.numpy < 2", UNKNOWN),
        ("matrix.os ==", UNKNOWN),
        ("(" * 80 + "true" + ")" * 80, UNKNOWN),
    ],
)
def test_conditions(text: str, value: Any) -> None:
    """They are evaluated as GitHub does; an operand that only GitHub knows decides nothing that others decide."""
    row = {"numpy": "1", "dev": "false", "os": "ubuntu-latest", "py": "3.13t"}
    assert value == conditions.evaluate(text, row, {"CI": "yes"})


@given(st.text(alphabet="ab'.()[]!=&|, 1<", max_size=30))
def test_any_text_is_evaluated(text: str) -> None:
    """No text raises anything."""
    conditions.evaluate(text, {"a": "b"}, {})


def test_a_step_counts_for_the_rows_of_its_condition(tmp_path: Path) -> None:
    """What is installed for some rows is a value of an axis; tests of some rows are a grid of their own."""
    steps = f"""
        - run: pip install .
        - if: matrix.numpy == 1
          run: pip install numpy
        - run: pytest -v
        - if: matrix.os == '{HERE}' && matrix.python-version == '3.12'
          run: pytest --slow
        - if: matrix.os == 'solaris'
          run: pytest --solaris
    """
    matrix = f"{{python-version: ['3.11', '3.12'], numpy: [0, 1], os: [solaris, {HERE}]}}"
    made, said = job(tmp_path, steps, matrix)
    assert ["", "tests-2"] == list(made)
    axes = {axis.name: [str(value) for value in axis.values] for axis in made[""].axes}
    assert (["absent", "latest"], ["3.11", "3.12"]) == (axes["numpy"], axes["python"])
    assert ("pytest", "--slow") == made["tests-2"].test.command
    assert "a step `if: matrix.os == 'solaris'`, which this machine is not" in said
    assert "matrix.python-version == '3.12'`" not in said, "it holds on this machine, for other rows"


SCRIPT = r"""
# pip install no
FOO=1 pytest -v "a b" $PWD/x '$HOME'
export A=b
pytest ${ARGS} -k 'a; b' && echo done  # pytest c
if [ "$X" = 1 ]; then
  pip install y
fi
(cd sub && make)
for i in 1 2; do pytest $i; done; pytest $(ls)
echo "K=v w" >> $GITHUB_ENV
source .venv/bin/activate; pip install x 2>&1 | tee log
pytest || true
cat <<END > x.cfg
pip install z
END
run() {
  pytest
}
pytest \
  -q
"""


def test_a_script_is_split_as_a_shell_splits_it() -> None:
    """Variables go with their commands; blocks, redirections and alternatives stay with the shell."""
    kept: dict[str, str] = {}
    found = list(shell.lines(SCRIPT, {"ARGS": "-x -y"}, kept))
    assert [
        ("env", "FOO=1", "pytest", "-v", "a b", "./x", "$HOME"),
        ("env", "A=b", "pytest", "-x", "-y", "-k", "a; b"),
        ("env", "A=b", "echo", "done"),
        ("env", "A=b", "pytest", UNAVAILABLE),
        ("env", "A=b", "pip", "install", "x"),
        ("env", "A=b", "pytest", "-q"),
    ] == [line.argv for line in found if line.argv]
    opaque = [line.text for line in found if not line.argv]
    assert ["installs", "", "tests", "tests", "installs", "tests"] == [shell.needs_a_shell(text) for text in opaque]
    assert 'if [ "$X" = 1 ]; then\n  pip install y\nfi' == opaque[0]
    assert {"K": "v w"} == kept


@given(st.text(alphabet="a'\"`$(){};&|<>#=\\\n ifdonecas", max_size=60))
def test_any_script_is_split(script: str) -> None:
    """No script raises anything, and no word is invented."""
    for line in shell.lines(script, {}):
        assert line.text
        assert not (set("".join(line.argv)) - set(script) - set("env" + UNAVAILABLE + "."))


@pytest.mark.parametrize(
    ("command", "kind"),
    [
        ("env A=1 pytest", "pytest"),
        ("xvfb-run -a pytest", "pytest"),
        ("timeout 60 python -m pytest", "pytest"),
        ("env", "env"),
        ("bash scripts/run_tests.sh", "run_tests.sh"),
        ("bash -c x", "bash -c"),
    ],
)
def test_programs_that_run_another_one(command: str, kind: str) -> None:
    """What counts is the program that runs in the end."""
    assert kind == commands.kind(command.split())


def test_variables_of_a_command(tmp_path: Path) -> None:
    """They are those of its grid: in front of the command, of its step, and those that a step before it kept."""
    steps = """
        - run: |
            echo "KEPT=1" >> $GITHUB_ENV
            pip install -e .
        - run: pytest
        - run: PURE=1 pytest
          env: {MODE: fast}
    """
    made, _ = job(tmp_path, steps)
    assert {"KEPT": "1"} == dict(made[""].test.env)
    assert {"KEPT": "1", "MODE": "fast", "PURE": "1"} == dict(made["tests-2"].test.env)


@pytest.mark.parametrize(
    ("steps", "missing"),
    [
        ("- run: pip install .\n- run: pytest || true", "`pytest || true`, which only a shell understands"),
        ("- run: |\n    for x in a b; do\n      pip install $x\n    done\n- run: pytest", "only a shell understands"),
        ("- run: make cython\n- run: pip install .\n- run: pytest", "`make cython` comes before the project is"),
        ("- uses: mamba-org/setup-micromamba@v2\n- run: pytest", "the action mamba-org/setup-micromamba does"),
        ("- run: pytest $UNKNOWN_ARGUMENTS", "only its runner knows the value"),
        ("- run: X=$(date) pytest", "the variable X="),
    ],
)
def test_steps_that_only_github_can_run(tmp_path: Path, steps: str, missing: str) -> None:
    """Nothing is written, and the step is named."""
    made, said = job(tmp_path, steps)
    assert {} == made
    assert missing in said


@pytest.mark.parametrize(
    ("command", "missing"),
    [
        ("hatch run cov:test", "give hatch to --from"),
        ("hatch run pytest", "give hatch to --from"),
        ("pdm run -v test", "`pdm run -v test` runs the script 'test' of pdm"),
        ("pipenv run test -q", "`pipenv run test -q` runs the script 'test' of pipenv"),
    ],
)
def test_scripts_of_other_tools_are_no_commands(tmp_path: Path, command: str, missing: str) -> None:
    """`test -q` is a program of every system, and ends well: the grid would be green without a test."""
    (tmp_path / "pyproject.toml").write_text("[tool.pdm.scripts]\ntest = 'pytest tests'\n", encoding="utf-8")
    (tmp_path / "Pipfile").write_text("[scripts]\ntest = 'pytest tests'\n", encoding="utf-8")
    for tests in ("", "- run: pytest"):
        made, said = job(tmp_path, f"- run: pip install .\n- run: {command}\n{tests}")
        assert {} == made
        assert missing in said
    assert {} != job(tmp_path, "- run: pdm install\n- run: pdm run pytest")[0]


def test_a_script_that_prepares_stays_a_script(tmp_path: Path) -> None:
    """What neither installs nor tests runs before the tests as it is written, and other actions are named."""
    steps = """
        - uses: some/service@v1
        - uses: actions/cache@v4
        - run: pip install .
        - run: (cd tests && gcc ext.c)
        - run: make lint
        - run: pytest
    """
    made, said = job(tmp_path, steps)
    assert (("bash", "-c", "(cd tests && gcc ext.c)"),) == made[""].test.before
    assert "the action some/service: do before what it does" in said
    assert "`make lint` runs no tests: it is left out" in said
    assert "actions/cache" not in said


def test_what_is_installed_after_the_tests_does_not_count(tmp_path: Path) -> None:
    """Tests run without it; a new enough pip is no requirement either."""
    steps = """
        - run: python -m pip install "pip >= 25"
        - run: pip install . idna
        - run: pytest
        - run: pip install uv black
        - run: uv run black .
    """
    made, _ = job(tmp_path, steps)
    assert (("pytest", "idna"), "wheel") == (made[""].install.requires, made[""].project.install.value)


def test_the_python_that_a_job_sets_up(tmp_path: Path) -> None:
    """It is the key of the matrix that the action gets, whatever its name; else the one that it names."""
    set_up = "- uses: actions/setup-python@v5\n  with: {python-version: '${{ matrix.version }}'}\n- run: pytest\n"
    made, _ = job(tmp_path, set_up, "{version: ['3.11', '3.12']}")
    assert ["3.11", "3.12"] == [str(value) for value in made[""].axes[0].values]
    made, _ = job(tmp_path, set_up.replace("${{ matrix.version }}", "3.13"), "{os: [ubuntu-latest]}")
    assert ["3.13"] == [str(value) for value in made[""].axes[0].values]


def test_a_linter_that_names_tests_is_not_the_tests(tmp_path: Path) -> None:
    """`pycodestyle test.py` runs no tests; `coverage run test.py` does."""
    made, _ = job(tmp_path, "- run: pycodestyle --ignore=E1 test.py\n- run: coverage run --source=x test.py\n")
    assert ("coverage", "run", "--source=x", "test.py") == made[""].test.command


def test_the_lock_of_another_tool_is_named(tmp_path: Path) -> None:
    """`uv sync` installs the versions of uv.lock, which venvgrid does not."""
    (tmp_path / "pyproject.toml").write_text('[project]\nname="x"\nversion="1"\n', encoding="utf-8")
    (tmp_path / "uv.lock").write_text("", encoding="utf-8")
    _, said = job(tmp_path, "- run: uv sync\n- run: uv run pytest")
    assert "uv installs what uv.lock holds" in said


TEMPLATE = """
    - run: |
        python -m pip install --upgrade pip
        if [ -f requirements.txt ]; then pip install -r requirements.txt; fi
        if [ -f gone.txt ]; then pip install -r gone.txt; fi
    - run: python manage.py test
"""


def test_a_file_that_is_there_decides(tmp_path: Path) -> None:
    """GitHub's own template installs requirements.txt if it is there; a project that no step installs is not."""
    (tmp_path / "requirements.txt").write_text("idna\n", encoding="utf-8")
    made, _ = job(tmp_path, TEMPLATE)
    assert ("none", ("idna",)) == (made[""].project.install.value, made[""].install.requires)
    assert ("python", "manage.py", "test") == made[""].test.command


JOBS = """
jobs:
  test:
    strategy: {matrix: {python: ['3.11', '3.12']}}
    steps: [{run: pip install .}, {run: pytest}]
  again:
    steps: [{uses: actions/setup-python@v5, with: {python-version: '3.12'}}, {run: pip install .}, {run: pytest}]
  lowest:
    steps: [{uses: actions/setup-python@v5, with: {python-version: '3.11'}}, {run: pip install . six<1}, {run: pytest}]
"""


def test_a_job_that_runs_a_cell_of_the_matrix_again(tmp_path: Path) -> None:
    """A job for coverage, with the same settings, is a part of the main grid; one with others is a grid."""
    (tmp_path / "ci.yml").write_text(JOBS, encoding="utf-8")
    made = translate.translate("ci.yml", tmp_path).text
    assert "[grid.lowest.install]" in made
    assert "again" not in made


def test_a_command_before_an_editable_installation(tmp_path: Path) -> None:
    """What it makes in the checkout is seen all the same."""
    made, _ = job(tmp_path, "- run: make generated\n- run: pip install -e .\n- run: pytest\n")
    assert (("make", "generated"),) == made[""].test.before
