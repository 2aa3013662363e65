"""What other runners' files say, as a matrix.toml: cells, settings, and what is lost."""
# ruff: noqa: SIM300, E501 - expected == actual; tables of whole files

from __future__ import annotations

import itertools
import textwrap
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from venvgrid.config import config_file, grids, loading
from venvgrid.migration import translate
from venvgrid.migration.factoring import factor
from venvgrid.model import Status, UsageError
from venvgrid.planning import expansion

if TYPE_CHECKING:
    from pathlib import Path

    from venvgrid.model import Config


def translated(folder: Path, name: str, text: str, source: str = "") -> tuple[dict[str, Config], list[str]]:
    """Write a file, read it as `source`, and give the grids that come of it."""
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(textwrap.dedent(text), encoding="utf-8")
    made = translate.translate(source or name, folder)
    found = config_file.parse(made.text, folder / "matrix.toml")
    lost = [*made.lost, *made.notes]
    assert all(f"# - {note}" in made.text for note in lost)
    return {grid: loading.build(found, grid=grid) for grid in ("", *grids.names(found.table))}, lost


def cells(made: Config) -> list[str]:
    """Name the cells that run, values only."""
    planned = expansion.expand(made).cells
    return [" ".join(item.cell.axes.values()) for item in planned if item.status is Status.RUNNABLE]


TOX_INI = """
    [tox]
    env_list = py3{9,12}-dj{42,51}, py312-dj51-mysql, pypy3, lint, docs
    skip_missing_interpreters = true
    ; a comment
    [testenv]
    deps =
        dj42: Django>=4.2,<4.3  # long-term
        dj51: Django>=5.1,<5.2
        mysql: mysqlclient
        -r requirements.txt
        pytest
    extras = test
    setenv =
        PYTHONHASHSEED = 0
        mysql: DB = mysql
    passenv = DB_*, HOME
    usedevelop = true
    commands =
        pytest {posargs:tests -q} \\
            --basetemp={envtmpdir} --name {envname}
    [testenv:lint]
    skip_install = true
    commands = ruff check
    [testenv:docs]
    commands = sphinx-build {toxinidir}/docs out
    [testenv:py39-dj51]
    ignore_outcome = true
"""


def test_tox_ini(tmp_path: Path) -> None:
    """Factors become axes; what differs in more than versions becomes a grid; the rest is told."""
    (tmp_path / "requirements.txt").write_text("attrs>=21  # a comment\n-r more.txt\n\n--hash=x\n", encoding="utf-8")
    (tmp_path / "more.txt").write_text("idna==3.7 --hash=sha256:1\n", encoding="utf-8")
    made, lost = translated(tmp_path, "tox.ini", TOX_INI)
    main, mysql = made[""], made["mysql"]
    assert [
        f"{python} {django}" for python, django in itertools.product(("3.9", "3.12"), (">=4.2,<4.3", ">=5.1,<5.2"))
    ] == (cells(main))
    assert [True] == [
        item.cell.allow_failure for item in expansion.expand(main).cells if item.cell.axes["python"] == "3.9"
    ][1:]
    assert ("attrs>=21", "pytest", "idna==3.7") == main.install.requires
    assert (("test",), "editable") == (main.project.extras, main.project.install.value)
    assert ("pytest", "tests", "-q", "--name", "{cell}") == main.test.command
    assert ({"PYTHONHASHSEED": "0"}, ("DB_*", "HOME")) == (dict(main.test.env), main.test.pass_env)
    assert ["3.12"] == [name.split()[0] for name in cells(mysql)]
    assert ("mysqlclient" in mysql.install.requires, mysql.test.env["DB"]) == (True, "mysql")
    assert [
        "pypy3: name a version, such as pypy3.10",
        "py39-dj42: --basetemp={tmp} is left out (a folder or setting of its runner)",
        "left out, because they run no tests: lint, docs",
    ] == lost


def test_an_environment_whose_requirement_has_no_name_is_left_out(tmp_path: Path) -> None:
    """It would test something else; so would a requirement that is dropped silently."""
    text = """
        [tox]
        env_list = py312-dj{51,main}
        [testenv]
        deps =
            dj51: Django>=5.1,<5.2
            djmain: https://example.org/main.tar.gz
        commands = pytest
    """
    made, lost = translated(tmp_path, "tox.ini", text)
    assert ["3.12"] == cells(made[""])
    assert ("Django<5.2,>=5.1",) == made[""].install.requires[1:]
    address = "https://example.org/main.tar.gz"
    assert f"py312-djmain: {address} (write its name before it: NAME @ {address})" in lost


def test_tox_toml_and_the_table_of_pyproject(tmp_path: Path) -> None:
    """Products of the list, replacements, and what only a factor has."""
    text = """
        env_list = [ { product = [ { prefix = "3.", start = 10, stop = 12 }, ["a", "b"] ] }, "type" ]
        [env_run_base]
        package = "wheel"
        dependency_groups = ["test"]
        deps = [ { replace = "if", condition = "factor.b", then = ["attrs==21.4.0"], else = ["attrs==25.4.0"] } ]
        set_env.A = { replace = "env", name = "A", default = "x" }
        commands = [["pytest", { replace = "posargs", default = ["-n", "auto"], extend = true }, "--basetemp", "{work_dir}/x"]]
        [env.type]
        commands = [["mypy"]]
    """
    made, lost = translated(tmp_path, "tox.toml", text)
    values = itertools.product(("3.10", "3.11", "3.12"), ("==21.4.0", "==25.4.0"))
    assert [" ".join(item) for item in values] == cells(made[""])
    assert ("pytest", "-n", "auto") == made[""].test.command
    assert (("test",), {"A": "x"}) == (made[""].project.groups, dict(made[""].test.env))
    assert "3.10-a: --basetemp …/x is left out (a folder or setting of its runner)" in lost
    with pytest.raises(UsageError, match="nothing was written"):
        translated(tmp_path, "tox.toml", text.replace("--basetemp", "-o"))
    inner = '[tool.tox]\nlegacy_tox_ini = """\n[tox]\nenvlist = py311\n[testenv]\ncommands = pytest\n"""\n'
    assert ["3.11"] == cells(translated(tmp_path, "pyproject.toml", inner)[0][""])


NOXFILE = '''
    import os, sys
    from pathlib import Path
    import nox

    os.system("touch {marker}")
    open("{marker}", "w")
    ROOT = Path(__file__).parent.resolve()
    PYTHONS = ["3.10", "3.12"] + ["pypy3.10"]
    DJANGOS = {{"4.2": ("3.10",), "5.1": ("3.10", "3.12", "pypy3.10")}}
    nox.options.sessions = ["tests"]

    def install(session, *, extras=()):
        session.install(f"-e.[{{','.join(['test', *extras])}}]")

    @nox.session(python=PYTHONS, tags=["x"])
    @nox.parametrize("django", list(DJANGOS.keys()))
    def tests(session, django):
        """Docs."""
        if session.python not in DJANGOS[django]:
            session.skip("no")
        install(session, extras=["more"])
        session.install(f"django=={{django}}.*", "pytest", "-r", str(ROOT / "requirements.txt"))
        env = {{"SEED": "0"}}
        env["MODE"] = "fast" if session.posargs else "all"
        if sys.platform == "win32":
            session.install("pywin32")
        for part in ["-v"]:
            args = ["-q", part]
        args += session.posargs or ["tests"]
        session.run("pytest", *args, f"{{ROOT}}/more", env=env)

    @nox.session(venv_backend="uv")
    def lowest(session: nox.Session) -> None:
        session.install("-e.", "--resolution=lowest-direct", "--group", "test")
        session.run("python", "-m", "pytest")

    @nox.session
    def lint(session):
        session.install("ruff")
        session.run("ruff", "check")
'''


def test_a_noxfile_is_followed_and_never_executed(tmp_path: Path) -> None:
    """Parameters, conditions, loops, helpers and names of the file are known; nothing of it runs."""
    marker = tmp_path / "marker"
    (tmp_path / "requirements.txt").write_text("attrs\n", encoding="utf-8")
    made, lost = translated(tmp_path, "noxfile.py", NOXFILE.format(marker=marker))
    assert not marker.exists()
    main, lowest = made[""], made["lowest"]
    assert ["3.10 ==4.2.*", "3.10 ==5.1.*", "3.12 ==5.1.*", "pypy3.10 ==5.1.*"] == cells(main)
    assert ("pytest", "attrs") == main.install.requires
    assert (("test", "more"), "editable") == (main.project.extras, main.project.install.value)
    assert ("pytest", "-q", "-v", "tests", "./more") == main.test.command
    assert {"SEED": "0", "MODE": "all"} == dict(main.test.env)
    assert (("test",), "lowest-direct") == (lowest.project.groups, lowest.install.resolution.value)
    assert ["left out, because they run no tests: lint"] == lost


def test_pythons_that_a_noxfile_computes(tmp_path: Path) -> None:
    """Helpers of nox are known; of what cannot be known the declared Pythons stand in, and that is said."""
    (tmp_path / "pyproject.toml").write_text(
        '[project]\nname = "x"\nrequires-python = ">=3.12,<3.14"\n'
        'classifiers = ["Programming Language :: Python :: 3.11"]\n',
        encoding="utf-8",
    )
    run = 'def tests(session):\n    session.run("pytest")\n'
    known = f"import nox\nP = nox.project.load_toml()\n@nox.session(python=nox.project.python_versions(P))\n{run}"
    assert (["3.11"], []) == (cells(translated(tmp_path, "noxfile.py", known)[0][""]), [])
    unknown = f"import nox, x\n@nox.session(python=x.pythons())\n{run}"
    made, lost = translated(tmp_path, "noxfile.py", unknown)
    assert ["3.12", "3.13"] == cells(made[""])
    assert ["tests: its Pythons are computed; those that pyproject.toml declares are used"] == lost


HATCH = """
    [tool.hatch.envs.default]
    dependencies = ["pytest"]
    [tool.hatch.envs.default.scripts]
    check = "ruff check"
    test = "pytest {args:tests}"
    [tool.hatch.envs.test]
    features = ["plot"]
    extra-dependencies = ["numpy~={matrix:numpy}.0"]
    [[tool.hatch.envs.test.matrix]]
    python = ["3.11", "3.12"]
    numpy = ["1.26", "2.0"]
    [[tool.hatch.envs.test.matrix]]
    python = ["3.13"]
    numpy = ["2.0"]
    [tool.hatch.envs.test.env-vars]
    SEED = "0"
    COVERAGE_FILE = ".coverage.{matrix:python}"
    [tool.hatch.envs.test.overrides]
    matrix.numpy.features = [{ value = "new", if = ["3.0"] }]
    [tool.hatch.envs.docs]
    detached = true
    dependencies = ["sphinx"]
    scripts.build = "sphinx-build docs out"
"""


@pytest.mark.parametrize("source", ["hatch", "pyproject.toml"])
def test_hatch(tmp_path: Path, source: str) -> None:
    """Matrices, inherited scripts and dependencies, overrides."""
    made, lost = translated(tmp_path, "pyproject.toml", HATCH, source)
    main = made[""]
    assert ["3.11 ~=1.26.0", "3.11 ~=2.0.0", "3.12 ~=1.26.0", "3.12 ~=2.0.0", "3.13 ~=2.0.0"] == cells(main)
    assert (("plot",), ("pytest", "tests"), {"SEED": "0"}) == (
        main.project.extras,
        main.test.command,
        dict(main.test.env),
    )
    assert ["left out, because they run no tests: default, docs"] == lost


WORKFLOW = """
    on: [push]
    jobs:
      lint:
        runs-on: ubuntu-latest
        steps:
          - run: ruff check
      tests:
        continue-on-error: ${{ matrix.experimental || false }}
        runs-on: ${{ matrix.os }}
        strategy:
          matrix:
            os: [ubuntu-latest, windows-latest]
            python-version: ["3.9", "3.10", 3.12]
            numpy: ["1.26", "2.0"]
            exclude:
              - python-version: "3.9"
                numpy: "2.0"
            include:
              - python-version: 3.14-dev
                numpy: "2.0"
                os: ubuntu-latest
        env:
          WHICH: ${{ matrix.python-version }}
          SEED: 0
        steps:
          - uses: actions/setup-python@v5
          - name: Install
            run: |
              python -m pip install --upgrade pip
              pip install -e .[test] "numpy==${{ matrix.numpy }}.*" && echo done
          - if: runner.os == 'Windows'
            run: pip install pywin32
          - run: pytest -n auto --basetemp ${{ runner.temp }} | cat
          - run: uv run --no-sync pytest -q --junitxml ${{ github.sha }}.xml
            env: {MODE: fast}
"""


def test_a_workflow(tmp_path: Path) -> None:
    """The matrix as GitHub expands it, without machines; 3.10 stays 3.10; steps are read as far as they are plain."""
    made, lost = translated(tmp_path, ".github/workflows/ci.yml", WORKFLOW)
    main = made[""]
    assert [
        "3.9 ==1.26.*", "3.10 ==1.26.*", "3.10 ==2.0.*", "3.12 ==1.26.*", "3.12 ==2.0.*", "3.14 ==2.0.*",
    ] == cells(main)  # fmt: skip
    assert (("test",), "editable") == (main.project.extras, main.project.install.value)
    assert [("pytest", "-n", "auto"), ("pytest", "-q")] == [made[grid].test.command for grid in ("", "tests-2")]
    assert {"SEED": "0"} == dict(main.test.env)
    assert {"SEED": "0", "MODE": "fast"} == dict(made["tests-2"].test.env), "a step's own, for its command alone"
    assert "job tests: os (venvgrid tests where it runs: keep them in the workflow)" in lost
    assert "job tests: a step `if: runner.os == 'Windows'`, which this machine is not" in lost
    assert "left out, because they run no tests: lint" in lost


def test_a_matrix_that_is_computed(tmp_path: Path) -> None:
    """The declared Pythons stand in for it, and that is said."""
    (tmp_path / "setup.cfg").write_text("[options]\npython_requires = >=3.12,<3.14\n", encoding="utf-8")
    text = """
        jobs:
          test:
            strategy: {matrix: {python: "${{ fromJson(needs.x.outputs.y) }}"}}
            steps: [{run: pytest}]
    """
    made, lost = translated(tmp_path, "ci.yaml", text)
    assert ["3.12", "3.13"] == cells(made[""])
    assert ["job test: the values of python are computed; those that pyproject.toml declares are used"] == lost


@pytest.mark.parametrize(
    ("name", "text", "problem"),
    [
        ("tox.ini", "[tox\n", "tox.ini: no INI file that can be read: "),
        ("tox.ini", "[tox]\n", "tox.ini: it has no [tox], no [testenv] and no [testenv:NAME]"),
        ("tox.ini", "[tox]\nenvlist=docs\n[testenv]\ncommands=make html\n", "tox.ini: nothing in it runs tests; left out: docs"),
        ("tox.toml", "env_list = 1", "tox.toml: it has no env_run_base and no [env.NAME]"),
        ("tox.toml", "x = [", "tox.toml: not valid TOML: "),
        ("noxfile.py", "def x(:", "noxfile.py: no Python that can be read: "),
        ("noxfile.py", "x = 1", "noxfile.py: it has no function with @nox.session"),
        ("hatch.toml", "x = 1", "hatch.toml: it has neither [tool.tox] nor [tool.hatch.envs]"),
        ("ci.yml", "a: [", "ci.yml: no YAML that can be read: "),
        ("ci.yml", "- a", "ci.yml: it has no jobs; give a file of .github/workflows"),
        ("ci.yml", "jobs: {a: {steps: [{run: tox}], strategy: {matrix: {python: ['3.9']}}}}", "ci.yml: job a calls tox: give tox.ini or tox.toml to --from, which says more"),
        ("ci.yml", "jobs: {a: {uses: ./.github/workflows/x.yml}}", "ci.yml: job a runs the workflow ./.github/workflows/x.yml: give that file to --from"),
        ("ci.yml", "jobs: {a: {steps: [{run: pytest}]}}", "ci.yml: no job runs tests over a matrix of Pythons"),
        ("x.txt", "", "x.txt: give tox.ini, tox.toml, noxfile.py, pyproject.toml, hatch.toml or a workflow (.yml)"),
    ],
)  # fmt: skip
def test_what_cannot_be_read_says_why(tmp_path: Path, name: str, text: str, problem: str) -> None:
    """And what to give instead."""
    with pytest.raises(UsageError) as caught:
        translated(tmp_path, name, text)
    assert str(caught.value).startswith(problem)


def test_a_source_that_is_not_there(tmp_path: Path) -> None:
    """A word names the files that are looked for."""
    with pytest.raises(UsageError, match=r"none of tox\.ini, tox\.toml, setup\.cfg, pyproject\.toml in"):
        translate.translate("tox", tmp_path)
    with pytest.raises(UsageError, match="no such file"):
        translate.translate("nox.py", tmp_path)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("tox.ini", "[tox]\nenvlist=py312\n[testenv]\nx={[testenv]x}{[testenv]x}{[testenv]x}\ncommands=pytest {[testenv]x}"),
        ("tox.ini", "[tox]\nenvlist=" + "{a,b}" * 40 + "\n[testenv]\ncommands=pytest"),
        ("noxfile.py", "import nox\nx = 'a' * 10\n@nox.session\ndef t(session):\n" + "    x = x + x\n" * 200 + "    session.run('pytest', x)"),
        ("noxfile.py", "import nox\ndef f(session):\n    f(session)\n    f(session)\n@nox.session\ndef t(session):\n    f(session)\n    session.run('pytest')"),
        ("noxfile.py", "import nox\n@nox.session\ndef t(session):\n    for a in [1] * 2:\n        pass\n    session.run('pytest')\n    ().__class__.__bases__"),
        ("noxfile.py", "x = " + "(" * 150 + ")" * 150),
        ("ci.yml", "a: &a [x, x]\nb: &b [*a, *a, *a]\njobs: *b"),
        ("hatch.toml", "[envs.a]\ntemplate='b'\n[envs.b]\ntemplate='a'\nscripts.test='pytest'\n[[envs.a.matrix]]\n" + "\n".join(f"k{n}=['1','2']" for n in range(40))),
    ],
)  # fmt: skip
def test_hostile_files_end_soon(tmp_path: Path, name: str, text: str) -> None:
    """References in a circle, products without end, doubling texts: a result or a message, never a crash."""
    (tmp_path / name).write_text(text, encoding="utf-8")
    try:
        made = translate.translate(name, tmp_path)
    except UsageError:
        return
    assert len(made.text) < 1_000_000


@settings(max_examples=200, deadline=None)
@given(
    st.lists(
        st.fixed_dictionaries({name: st.sampled_from(["1", "2", "3"]) for name in ("python", "a", "b")}),
        min_size=1,
        max_size=20,
    )
)
def test_factoring_gives_the_same_cells(listed: list[dict[str, str]]) -> None:
    """Law: the product of the axes, without what an exclude matches, is exactly the cells."""
    found = factor(listed)
    wanted = {tuple(cell[name] for name in found.axes) for cell in listed}
    got = {
        values
        for values in itertools.product(*found.axes.values())
        if not any(
            all(dict(zip(found.axes, values, strict=True))[name] in allowed for name, allowed in rule.items())
            for rule in found.excludes
        )
    }
    assert wanted == got


def test_a_command_that_names_the_python_of_its_environment(tmp_path: Path) -> None:
    """Sessions that differ in this name alone are one grid; another Python stays what it is."""
    text = """
        import nox
        @nox.session(python=["3.10", "3.11", "3.12"])
        def tests(session):
            session.install(".", "pytest")
            session.run(f"python{session.python}", "-Im", "pytest", "-vv")
        @nox.session(python=["3.12"])
        def lowest(session):
            session.install(".", "pytest")
            session.run("python3.11", "-m", "pytest")
    """
    found, _ = translated(tmp_path, "noxfile.py", text)
    assert ["3.10", "3.11", "3.12"] == cells(found[""])
    assert ("{python}", "-Im", "pytest", "-vv") == found[""].test.command
    assert ("python3.11", "-m", "pytest") == found["lowest"].test.command
