"""Mistakes of typing: each ends with one message that says what to type."""

from __future__ import annotations

import io
import shlex
from types import SimpleNamespace
from typing import TYPE_CHECKING, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from venvgrid.cli import main as cli
from venvgrid.cli import mistakes, parser
from venvgrid.cli.parser_parts import RefusedError, option_names
from venvgrid.cli.terminal import Terminal
from venvgrid.cli.tools import env
from venvgrid.model import UsageError
from venvgrid.planning import habits, selection

if TYPE_CHECKING:
    from pathlib import Path

    from venvgrid.environments.store import EnvironmentStore

MATRIX = '[axes]\npython = ["3.11", "3.12"]\n[project]\ninstall = "none"\n[grid.lowest]\n'


def told(line: str, monkeypatch: pytest.MonkeyPatch, folder: Path) -> str:
    """Return the message for a command line that is typed in a folder with a configuration."""
    (folder / "matrix.toml").write_text(MATRIX, encoding="utf-8")
    monkeypatch.chdir(folder)
    terminal = Terminal(out=io.StringIO(), err=io.StringIO(), environ={})
    with pytest.raises(UsageError) as caught:
        cli._dispatch(shlex.split(line)[1:], terminal)  # noqa: SLF001
    assert caught.value.exit_status == 2
    return str(caught.value)


@pytest.mark.parametrize(
    ("typed", "right"),
    [
        ("venvgrid runn", "venvgrid run"),
        ("venvgrid runn -k py3.11 -- -x", "venvgrid run -k py3.11 -- -x"),
        ("venvgrid pyhton", "venvgrid python"),
        ("venvgrid test", "venvgrid run"),
        ("venvgrid ls", "venvgrid list"),
        ("venvgrid tets", "venvgrid run"),
        ("venvgrid lst", "venvgrid list"),
        ("venvgrid reslove", "venvgrid plan"),
        ("venvgrid -e py311", "venvgrid run -k py3.11"),
        ("venvgrid -epy311", "venvgrid run -k py3.11"),
        ("venvgrid run -e py311", "venvgrid run -k py3.11"),
        ("venvgrid run -e py3.11,pypy310 -- -x", "venvgrid run -k 'py3.11 or pypy3.10' -- -x"),
        ("venvgrid run -e py311-django42,py27", "venvgrid run -k '(py3.11 and django4.2) or py2.7'"),
        ("venvgrid run -e py313t-numpy2", "venvgrid run -k 'py3.13t and numpy2'"),
        ("venvgrid run -e lint", "venvgrid run -k lint"),
        ("venvgrid run py311", "venvgrid run -k py3.11"),
        ("venvgrid run 3.11", "venvgrid run -k py3.11"),
        ("venvgrid plan py3.11-six1.16", "venvgrid plan -k 'py3.11 and six1.16'"),
        ("venvgrid run py3.11-packaging23", "venvgrid run -k 'py3.11 and packaging23'"),
        ("venvgrid py3.12-numpy210", "venvgrid run -k 'py3.12 and numpy210'"),
        ("venvgrid run --fresh -e py312", "Type: venvgrid run --fresh -k py3.12"),
        ("venvgrid run -r -e py312 -- -q", "type: venvgrid run --fresh -k py3.12 -- -q"),
        ("venvgrid plan -j 2 -epy312 lowest", "Type: venvgrid plan -j 2 -k py3.12 lowest"),
        ("venvgrid -x -e py312", "type: venvgrid run --fail-fast -k py3.12; to stop"),
        ("venvgrid run -p 3 -e py312", "type: venvgrid run -j 3 -k py3.12"),
        ("venvgrid run --skip-missing-interpreters=true", "Type: venvgrid run --skip-missing-interpreters"),
        ("venvgrid run --skip-missing-interpreters=false -q", "Type: venvgrid run --no-skip-missing-interpreters -q"),
        ("venvgrid cache clear", "To delete what is no longer used, type: venvgrid cache prune"),
        ("venvgrid env clean", "To delete environments, type: venvgrid env prune"),
        ("venvgrid completion", 'For example: eval "$(venvgrid completion bash)"'),
        ("venvgrid r", "venvgrid run"),
        ("venvgrid p", "venvgrid run"),
        ("venvgrid l", "venvgrid list"),
        ("venvgrid devenv", "venvgrid shell"),
        ("venvgrid init -f", "venvgrid init --force"),
        ("venvgrid exec python -c 1", "exec CELL python"),
        ("venvgrid exec pytest tests", "venvgrid exec CELL pytest tests. The cells: venvgrid list"),
        ("venvgrid watch py311", "venvgrid watch -k py3.11"),
        ("venvgrid watch matrix.toml", "venvgrid run -- matrix.toml"),
        ("venvgrid plan --grid lowest", "venvgrid plan lowest"),
        ("venvgrid run -q --faild", "venvgrid run -q --failed"),
        ("venvgrid run --k py3.11", "venvgrid run -k py3.11"),
        ("venvgrid run -K py3.11", "venvgrid run -k py3.11"),
        ("venvgrid list --json", "venvgrid plan --json"),
        ("venvgrid help run", "venvgrid run --help"),
        ("venvgrid help", "venvgrid --help"),
        ("venvgrid version", "venvgrid --version"),
        ("venvgrid -C .. run", "venvgrid run -c ../matrix.toml"),
        ("venvgrid bisect six --cell py311", "venvgrid bisect six -k py3.11"),
        ("venvgrid ci github --ouput x", "venvgrid ci github --output x"),
        ("venvgrid bisect", "venvgrid bisect numpy"),
        ("venvgrid merge", "venvgrid merge shard-*.record -o merged"),
        ("venvgrid merge a.record", "merge needs -o/--output. For example: venvgrid merge"),
        ("venvgrid gate", "venvgrid gate plan.json records/"),
        ("venvgrid reproduce", "venvgrid reproduce .venvgrid/runs/"),
        ("venvgrid run --report hmtl=x.html", "did you mean 'html'"),
        ("venvgrid run --on", "venvgrid run --on tls://HOST:8786"),
        ("venvgrid py311", "venvgrid run -k py3.11"),
        ("venvgrid bisect numpy --pre 1.26 2.1 3", "venvgrid bisect numpy --pre 1.26 2.1"),
        ("venvgrid bisect -q numpy==2.1", "venvgrid bisect numpy GOOD 2.1"),
        ("venvgrid bisect HEAD~3", "venvgrid bisect --commits HEAD~3"),
        ("venvgrid -- -k x", "venvgrid run -- -k x"),
        ("venvgrid --recreate", "venvgrid run --fresh"),
        ("venvgrid run -r", "venvgrid run --fresh"),
        ("venvgrid run -p", "venvgrid run -j 4"),
        ("venvgrid run --python 3.11", "venvgrid run -k py3.11"),
        ("venvgrid plan --python=py311", "venvgrid plan -k py3.11"),
        ("venvgrid env remove", "venvgrid env prune"),
        ("venvgrid report html", "venvgrid report --format html"),
        ("venvgrid report html -o page.html", "venvgrid report --format html -o page.html"),
        ("venvgrid run --report html", "venvgrid run --report html=report.html"),
        ("venvgrid run --report junit=", "venvgrid run --report junit=report.xml"),
        ("venvgrid python install 3.9", "uv python install 3.9"),
        ("venvgrid run -p 8", "venvgrid run -j 8"),
        ("venvgrid --parallel=auto", "venvgrid run -j 4"),
        ("venvgrid -x", "venvgrid run --fail-fast"),
        ("venvgrid run -x", "venvgrid run -- -x"),
        ("venvgrid run --maxfail=3", "venvgrid run -- --maxfail=3"),
        ("venvgrid run -m slow", "venvgrid run -- -m slow"),
        ("venvgrid run --cov src", "venvgrid run -- --cov src"),
        ("venvgrid run --my-own-option", "venvgrid run -- --my-own-option"),
        ("venvgrid run tests/x.py", "venvgrid run -- tests/x.py"),
        ("venvgrid run tests/x.py::test_y -- -x", "venvgrid run -- tests/x.py::test_y -x"),
        ("venvgrid tests/x.py", "venvgrid run -- tests/x.py"),
        ("venvgrid -l", "venvgrid list"),
        ("venvgrid run -s true", "venvgrid run --skip-missing-interpreters"),
        ("venvgrid run --skip-missing-interpreters true", "venvgrid run --skip-missing-interpreters"),
        ("venvgrid run --skip-missing-interpreters false", "venvgrid run --no-skip-missing-interpreters"),
        ("venvgrid run --notest", "venvgrid plan"),
        ("venvgrid -c x.toml run -q", "venvgrid run -c x.toml -q"),
        ("venvgrid -k py3.11", "venvgrid run -k py3.11"),
        ("venvgrid run --faild", "venvgrid run --failed"),
        ("venvgrid --versoin", "'--version'"),
        ("venvgrid run lowst", "'lowest'"),
        ("venvgrid run nosuch", "venvgrid run -k nosuch"),
        ("venvgrid run --json", "venvgrid run --help"),
        ("venvgrid plan -- -x", "`venvgrid run`"),
        ("venvgrid shell", "venvgrid list"),
        ("venvgrid env path", "venvgrid env path CELL"),
        ("venvgrid exec", "venvgrid exec CELL"),
        ("venvgrid report --format htm", "'html'"),
        ("venvgrid run -k", "venvgrid run -k py3.12. See: venvgrid run --help"),
        ("venvgrid run -j many", "venvgrid run --help"),
    ],
)
def test_a_mistake_is_told_with_what_to_type(
    typed: str, right: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """One line, exit status 2, and the command that was meant."""
    message = told(typed, monkeypatch, tmp_path)
    assert right in message
    assert "\n" not in message


@given(st.lists(st.sampled_from(["py311", "py3.12", "py27", "pypy310", "3.9", "py39-django42-x"]), min_size=1))
def test_what_is_proposed_for_environments_of_tox_is_an_expression(names: list[str]) -> None:
    """For all lists of environments: -k understands it."""
    selection.compile(habits.selection(names), ["python"])


@given(st.lists(st.sampled_from(["run", "exec", "--", "-c", "-x", "--fresh", "py311", "a/b.py", "x", ""]), max_size=6))
def test_every_command_line_parses_or_is_explained(argv: list[str]) -> None:
    """For all lines of these words: never the usage of argparse, never an exception of another kind."""
    arguments, rest = parser.split(argv)
    assert argv in ([*arguments, *(rest or ())], [*arguments, "--", *(rest or ())])
    built, refused = parser.build(), ""
    try:
        built.parse_args(arguments)
    except RefusedError as error:
        refused = str(error)
    assert not refused or mistakes.explain(refused, argv, option_names(built))


@pytest.mark.parametrize(
    ("typed", "ours", "theirs"),
    [
        ("exec C python -c 1", "exec C", "python -c 1"),
        ("exec C -- python -c 1", "exec C", "python -c 1"),
        ("exec -c x.toml C python -c 1 -- 2", "exec -c x.toml C", "python -c 1 -- 2"),
        ("exec C --offline python --offline", "exec C --offline", "python --offline"),
        ("exec --config=x C pip list", "exec --config=x C", "pip list"),
        ("run -k exec -- -x", "run -k exec", "-x"),
        ("run a b c", "run a b c", None),
        ("exec C", "exec C", None),
    ],
)
def test_where_the_command_of_exec_begins(typed: str, ours: str, theirs: str | None) -> None:
    """After the cell, with or without `--`; options of venvgrid stand before it."""
    expected = (ours.split(), tuple(theirs.split()) if theirs is not None else None)
    assert parser.split(typed.split()) == expected


def test_later_pythons_word_it_otherwise() -> None:
    """Python 3.14 drops the quotes of choices, 3.15 adds a proposal of its own; ours is told once."""
    message = "argument --format: invalid choice: 'htm', maybe you meant 'html'? (choose from table, html)"
    told = mistakes.explain(message, ["report", "--format", "htm"], {"report": ("--format",)})
    assert told == "report: --format cannot be 'htm'; did you mean 'html'? (allowed: table, html)"


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("venvgrid gate nosuch.json", "write one with: venvgrid plan -o plan.json"),
        ("venvgrid gate matrix.toml", "matrix.toml is no plan; write one with: venvgrid plan -o plan.json"),
        ("venvgrid run --plan nosuch.json", "write one with: venvgrid plan -o plan.json"),
        ("venvgrid merge matrix.toml -o out", "give the files of `venvgrid run --record`, or their folder"),
        ("venvgrid report matrix.toml", "If it is a record, type: venvgrid merge matrix.toml -o merged"),
        (
            "venvgrid reproduce nosuch.capsule",
            "nosuch.capsule does not exist; a run leaves capsules in .venvgrid/runs/",
        ),
        ("venvgrid reproduce matrix.toml", "give CELL.capsule of a red cell, or a record that has one"),
    ],
)
def test_a_file_of_another_kind_or_none(typed: str, said: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Commands that read files of other commands say which one makes what they need."""
    assert said in told(typed, monkeypatch, tmp_path)


@pytest.mark.parametrize("name", ["run", "plan"])
def test_a_command_that_is_built_alone_is_the_same(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Its help and its mistakes are those of the parser of all commands."""
    shown = []
    for only in (name, ""):
        built = parser.build(only)
        assert ("merge" in option_names(built)) != bool(only)
        with pytest.raises(SystemExit):
            built.parse_args([name, "--help"])
        with pytest.raises(RefusedError) as refused:
            built.parse_args([name, "--no-such-option"])
        shown.append((capsys.readouterr().out, str(refused.value), option_names(built)[name]))
    assert shown[0] == shown[1]


def test_a_name_of_tox_after_k_is_told_as_an_expression(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """`-k py311` matches no cell; the message has what does."""
    (tmp_path / "matrix.toml").write_text(MATRIX, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    assert cli.main(["list", "-k", "py311"]) == 4
    assert "-k 'py311' matches no cell; write: -k py3.11" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("py3.13", "-k 'py3.13' matches no cell; the python axis has 3.11, 3.12; "),
        ("py311-django42", "-k 'py311-django42' matches no cell; see all cells with: venvgrid list"),
        ("py3.11-lib23", "-k 'py3.11-lib23' matches no cell; write: -k 'py3.11 and lib2.3'"),
    ],
)
def test_what_is_proposed_for_an_expression_matches_a_cell(
    typed: str, said: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """No expression is proposed that matches nothing either; a Python that the grid does not have is told."""
    (tmp_path / "matrix.toml").write_text(MATRIX.replace("[project]", 'lib = ["2.3"]\n[project]'), encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    assert cli.main(["list", "-k", typed]) == 4
    assert said in capsys.readouterr().err


def test_a_shell_of_a_python_names_the_cells_of_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """An environment of tox in place of an id: the cells that it may be."""
    (tmp_path / "matrix.toml").write_text(MATRIX.replace("[project]", 'lib = ["2", "3"]\n[project]'), encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    assert cli.main(["shell", "py312"]) == 2
    assert "did you mean py3.12-lib2 or py3.12-lib3?" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("cell", "said"),
    [("py311", "did you mean py3.11?"), ("py3.12", "make it with: venvgrid run -k py3.12")],
)
def test_an_environment_that_is_not_there(cell: str, said: str) -> None:
    """A name of tox is told as the id that has one; what to type is no expression that matches nothing."""
    store = cast("EnvironmentStore", SimpleNamespace(linked=lambda: {"py3.11": "0123456789abcdef"}))
    with pytest.raises(UsageError) as caught:
        env.built(store, cell)
    assert str(caught.value).endswith(said)


def test_init_into_a_folder_that_is_not_there(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The folder is named: an error of the system alone names the file, which is no mistake."""
    (tmp_path / "tox.ini").write_text("[testenv]\ncommands = pytest\n", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    assert cli.main(["init", "-o", "out/x.toml"]) == 2
    assert f"there is no folder {tmp_path / 'out'}" in capsys.readouterr().err


def test_what_init_tells_to_type_is_a_command(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Options stand after the command, also for a configuration of another name; a file that is there stays."""
    (tmp_path / "tox.ini").write_text("[testenv]\ncommands = pytest\n", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    assert cli.main(["init", "--from", "tox", "-o", "other.toml"]) == 0
    assert "then type: venvgrid run -c other.toml\n" in capsys.readouterr().err
    assert cli.main(["init", "-o", "other.toml"]) == 2
    assert "venvgrid init -o other.toml --force" in capsys.readouterr().err
