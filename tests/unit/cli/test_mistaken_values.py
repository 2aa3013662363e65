"""Values of options that cannot be meant: each ends before anything runs, with what to type."""

from __future__ import annotations

import io
import shlex
from types import SimpleNamespace
from typing import TYPE_CHECKING, cast

import pytest

from venvgrid.cli import main as cli
from venvgrid.cli.terminal import Terminal
from venvgrid.cli.tools import env
from venvgrid.model import UsageError

if TYPE_CHECKING:
    from pathlib import Path

    from venvgrid.environments.store import EnvironmentStore

MATRIX = '[axes]\npython = ["3.11", "3.12"]\nlib = ["2.3", "3.0"]\n[project]\ninstall = "none"\n'


def typed(line: str, monkeypatch: pytest.MonkeyPatch, folder: Path, matrix: str = MATRIX) -> tuple[int, str]:
    """Return the exit status of a command line and its messages, in a folder with a configuration."""
    (folder / "matrix.toml").write_text(matrix, encoding="utf-8")
    (folder / "empty").mkdir()
    monkeypatch.chdir(folder)
    terminal = Terminal(out=io.StringIO(), err=io.StringIO(), environ={})
    try:
        return cli._dispatch(shlex.split(line)[1:], terminal), ""  # noqa: SLF001
    except UsageError as error:
        return error.exit_status, str(error)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("venvgrid run -j auto", "without -j it is the usable CPUs"),
        ("venvgrid run --report html=empty", "is a folder. Type: venvgrid run --report html=empty/report.html"),
        ("venvgrid run --report junit=.", "Type: venvgrid run --report junit=./report.xml"),
        ("venvgrid run --machines 3", "--machines is for a run on other machines: add --on tls://HOST:8786"),
        ("venvgrid run --certificates x", "--certificates is for a run on other machines"),
        ("venvgrid merge empty -o out", "there is no record to merge: none is in empty; a record is made by: venvgrid"),
        ("venvgrid reproduce empty", "a run leaves one of each red cell in .venvgrid/runs/RUN/capsules"),
        ("venvgrid ci github -o ../nosuch/x.yml", "nosuch/x.yml: there is no folder "),
        ("venvgrid ci issues", "For example: venvgrid ci issues merged"),
        ("venvgrid worker", "For example: venvgrid worker tls://HOST:8786 --certificates FOLDER"),
        ("venvgrid scheduler", "For example: venvgrid scheduler tls://0.0.0.0:8786 --certificates FOLDER"),
        ("venvgrid env prune --all", "env has no option --all (it has --config). See"),
        ("venvgrid lock --check", "(plan, ci and bounds have it)"),
        ("venvgrid list --all", "did you mean --all-grids? Type: venvgrid list --all-grids"),
        ("venvgrid init -o empty", "is a folder. Type: venvgrid init -o empty/matrix.toml"),
        ("venvgrid init -o empty --force", "is a folder. Type: venvgrid init -o empty/matrix.toml"),
        ("venvgrid reproduce", "capsules/CELL.capsule"),
    ],
)
def test_a_value_that_cannot_be_meant(line: str, said: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Exit status 2, and what to type in its place; nothing is written."""
    status, message = typed(line, monkeypatch, tmp_path)
    assert status == 2
    assert said in message
    assert sorted(path.name for path in tmp_path.iterdir()) == ["empty", "matrix.toml"]


def test_a_folder_for_a_pipeline_is_made_in_the_repository(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It is told: it may be a slip. Outside of the repository none is made."""
    (tmp_path / "matrix.toml").write_text(MATRIX, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    assert cli.main(["ci", "gitlab", "-o", ".gitlab/venvgrid.yml"]) == 0
    assert "note: the folder .gitlab was not there: it is made" in capsys.readouterr().err
    assert (tmp_path / ".gitlab/venvgrid.yml").is_file()
    assert cli.main(["ci", "gitlab", "-o", ".gitlab/venvgrid.yml"]) == 0
    assert "was not there" not in capsys.readouterr().err


@pytest.mark.parametrize("option", ["--strategy t=9", "--strategy budget=0", "--optimise fast"])
def test_the_option_with_the_wrong_value_is_named(option: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The one that is wrong, and no strategy in place of t=9 that is as far from it as another."""
    status, message = typed(f"venvgrid plan {option}", monkeypatch, tmp_path)
    assert status == 2
    assert message.startswith(f"{option.partition(' ')[0]}: ")
    assert "did you mean" not in message


@pytest.mark.parametrize(
    ("expression", "said"),
    [
        ("lib==2.4", "the lib axis has 2.3, 3.0; "),
        ("python>3.12 and lib==3.0", "the python axis has 3.11, 3.12; "),
        ("lib>=4", "the lib axis has 2.3, 3.0; "),
    ],
)
def test_a_comparison_that_no_cell_fits(
    expression: str, said: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The values of the axis are in the message."""
    (tmp_path / "matrix.toml").write_text(MATRIX, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    assert cli.main(["list", "-k", expression]) == 4
    assert said in capsys.readouterr().err


@pytest.mark.parametrize("selected", ["", " -k 'lib==3.0'"])
def test_excluded_cells_name_what_excludes_them(
    selected: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """No cell is left: the tables are named; it was the plan itself that sent to `venvgrid plan`."""
    (tmp_path / "matrix.toml").write_text(f'{MATRIX}[[exclude]]\npython = ">=3"\n', encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    assert cli.main(["list", *shlex.split(selected)]) == 4
    said = capsys.readouterr().err
    assert " is excluded by exclude[0] (python >=3); remove that, or name fewer cells in it" in said
    assert ("-k 'lib==3.0' chooses" in said) == bool(selected)


@pytest.mark.parametrize(
    ("named", "said"),
    [("matirx.toml", "Did you mean 'matrix.toml'?"), ("nosuch.toml", "matrix.toml is used without -c")],
)
def test_a_configuration_that_is_not_there(
    named: str, said: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The file that is there is named; `venvgrid init` would refuse."""
    (tmp_path / "matrix.toml").write_text(MATRIX, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    assert cli.main(["list", "-c", named]) == 2
    assert f"no such file. {said}" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("cell", "said"),
    [
        ("py311", "did you mean py3.11-lib2 or py3.11-lib3?"),
        ("lib3", "did you mean py3.11-lib3?"),
        ("nosuch", "all cells: venvgrid list; make it with: venvgrid run -k nosuch"),
    ],
)
def test_a_part_of_an_id_in_place_of_an_environment(cell: str, said: str) -> None:
    """The environments that it may be are proposed."""
    store = cast("EnvironmentStore", SimpleNamespace(linked=lambda: {"py3.11-lib2": "0", "py3.11-lib3": "1"}))
    with pytest.raises(UsageError) as caught:
        env.built(store, cell)
    assert str(caught.value).endswith(said)
