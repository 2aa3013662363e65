"""The command of a cell."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

import pytest

from venvgrid import testing
from venvgrid.config import loading, placeholders
from venvgrid.model import Cell, Environment, LockEntry
from venvgrid.processes.redaction import Redactor
from venvgrid.running.cell_command import CellCommands, fill
from venvgrid.running.tasks import TestTask

if TYPE_CHECKING:
    from pathlib import Path


def test_fill_replaces_once() -> None:
    """Placeholders are replaced, doubled braces are literal, and what is put in is not looked at again."""
    cell = Cell(id="the-id", axes=MappingProxyType({"python": "3.9", "env.X": "{python}"}))
    command = ("a{cell}b", "{python}", "{axis:env.X}", "{{cell}}", "{{{cell}}}", '{{"a": 1}}', "}")
    values = placeholders.of_cell(cell, python="/p", project="/src", tmp="/t")
    assert fill(command, values) == ("athe-idb", "/p", "{python}", "{cell}", "{the-id}", '{"a": 1}', "}")


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("{tmp}/data", "/t/data"),
        ("{project}:{cell}", "/src:the-id"),
        ("{axis:python}/{python}", "3.9//p"),
        ('{"a": {"tmp": 1}}', '{"a": {"tmp": 1}}'),
        ("{{tmp}} {HOME} {", "{tmp} {HOME} {"),
        ("{{{tmp}}}", "{{tmp}}"),
        ("{axis:gone}", "{axis:gone}"),
    ],
)
def test_variables_keep_their_braces(value: str, expected: str) -> None:
    """Only placeholders are replaced in the value of a variable: JSON and templates stay as they are."""
    cell = Cell(id="the-id", axes=MappingProxyType({"python": "3.9"}))
    values = placeholders.of_cell(cell, python="/p", project="/src", tmp="/t")
    assert placeholders.fill_variable(value, values) == expected


def commands(root: Path, text: str) -> CellCommands:
    return CellCommands(
        config=loading.parse(text, file=root / "matrix.toml"),
        root=root / ".venvgrid",
        folder=root / "run",
        arguments=("-x",),
        environ={},
        redactor=Redactor.from_environ({}),
    )


def task_of(root: Path) -> TestTask:
    cell = Cell(id="py3.9", axes=MappingProxyType({"python": "3.9", "env.WHERE": "{tmp}/b"}))
    python = testing.interpreter("3.9")
    environment = Environment(
        key="", path=root / "e", python=root / "e/python", site=root / "e/site", interpreter=python, detail="built"
    )
    entry = LockEntry(key="", interpreter=python, distributions=())
    return TestTask(cell=cell, entry=entry, environment=environment, project=None)


def test_where_commands_run(tmp_path: Path) -> None:
    """Commands run in the project, in a folder relative to the configuration, or in a new one of the cell."""
    (tmp_path / "pkg/tests").mkdir(parents=True)
    scratch, task = tmp_path / "scratch", task_of(tmp_path)
    project = '[project]\npath = "pkg"\n[test]\ncommand = ["pytest", "{project}/tests"]\n'
    ran = [
        commands(tmp_path, project + more).tests(task, {}, scratch)
        for more in ("", 'working-directory = "pkg/tests"', 'working-directory = "{tmp}"')
    ]
    assert [command.cwd for command in ran] == [tmp_path / "pkg", tmp_path / "pkg/tests", scratch / "t0"]
    assert {command.argv for command in ran} == {("pytest", str(tmp_path / "pkg/tests"), "-x")}
    assert (scratch / "t0").is_dir()


def test_a_report_is_looked_for_where_the_command_runs(tmp_path: Path) -> None:
    """The file of `junit:` is relative to the working directory."""
    made = commands(tmp_path, '[test]\nreports = "junit:a.xml"\nworking-directory = "{tmp}/x"\n')
    assert made.report_file(task_of(tmp_path), tmp_path / "s") == tmp_path / "s/t0/x/a.xml"


def test_commands_of_a_cell_share_a_temporary_folder(tmp_path: Path) -> None:
    """{tmp} is the same folder in `before` and in each attempt, in test.env and in axes; TMPDIR is not."""
    made = commands(tmp_path, '[axes]\nenv.WHERE = ["{tmp}/b"]\n[test]\nenv = { DATA = "{tmp}/a" }\n')
    seen = [made.variables(task_of(tmp_path), tmp_path / "s", attempt) for attempt in (0, 1, 2)]
    assert {(item["DATA"], item["WHERE"]) for item in seen} == {(f"{tmp_path}/s/t0/a", f"{tmp_path}/s/t0/b")}
    assert len({item["TMPDIR"] for item in seen}) == len(seen)
    assert (tmp_path / "s/t0").is_dir()
