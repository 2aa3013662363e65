"""What people are used to from other tools: completion, a schema, a check for hooks, a Python interface, help."""

from __future__ import annotations

import json
import subprocess
import sys
import tomllib
from typing import TYPE_CHECKING

import jsonschema  # type: ignore[import-untyped]
import pytest
from conftest import DEMO, Command, Write
from rig import HERE

import venvgrid as package
from venvgrid.model import ConfigError, NothingToRunError, Outcome

if TYPE_CHECKING:
    from pathlib import Path

    from venvgrid.model import Event

pytestmark = pytest.mark.e2e

MATRIX = f'[axes]\npython = ["{HERE}"]\nenv.MODE = ["a", "b"]\n'


def completions(line: str, cwd: Path) -> list[str]:
    """Ask as bash does when TAB is pressed at the end of a line."""
    import os  # noqa: PLC0415

    asked = {
        **os.environ,
        "_ARGCOMPLETE": "1",
        "_ARGCOMPLETE_IFS": "\n",
        "_ARGCOMPLETE_SHELL": "bash",
        "COMP_LINE": line,
        "COMP_POINT": str(len(line)),
        "COMP_TYPE": "9",
        "_ARGCOMPLETE_STDOUT_FILENAME": str(cwd / "answer"),
    }
    subprocess.run([sys.executable, "-m", "venvgrid"], cwd=cwd, env=asked, check=False, capture_output=True)
    return [word.strip() for word in (cwd / "answer").read_text(encoding="utf-8").split("\n")]


def test_completion(project: Write) -> None:
    """Commands, options and the ids of this project's cells are completed."""
    root = project(MATRIX, DEMO)
    assert "report" in completions("venvgrid re", root)
    assert "--failed" in completions("venvgrid run --fa", root)
    assert set(completions("venvgrid shell py", root)) == {f"py{HERE}-MODE.a", f"py{HERE}-MODE.b"}
    assert "html" in completions("venvgrid report --format h", root)


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish", "powershell"])
def test_completion_code(venvgrid: Command, tmp_path: Path, shell: str) -> None:
    """Each shell gets code that names the command."""
    ended = venvgrid("completion", shell, cwd=tmp_path)
    assert ended.status == 0, ended.err
    assert "venvgrid" in ended.out


@pytest.mark.parametrize("name", ["config", "results", "events", "plan", "record", "bisect"])
def test_schema(venvgrid: Command, tmp_path: Path, name: str) -> None:
    """What is printed is a JSON Schema."""
    ended = venvgrid("schema", name, cwd=tmp_path)
    assert ended.status == 0, ended.err
    jsonschema.Draft202012Validator.check_schema(json.loads(ended.out))


def test_schema_takes_what_venvgrid_takes(venvgrid: Command, project: Write) -> None:
    """An editor with the schema has no complaint about a right file, and one about a wrong key."""
    root = project(MATRIX, DEMO)
    schema = json.loads(venvgrid("schema", cwd=root).out)
    jsonschema.validate(tomllib.loads(MATRIX), schema)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(tomllib.loads(MATRIX + "[test]\ncomand = 1\n"), schema)


def test_plan_check_config(venvgrid: Command, project: Write) -> None:
    """The configuration alone is checked: a Python that is nowhere and an index that does not answer do not matter."""
    nowhere = {"UV_INDEX_URL": "http://127.0.0.1:9/simple", "PIP_INDEX_URL": "http://127.0.0.1:9/simple"}
    root = project('[axes]\npython = ["3.9", "3.99"]\nsix = ["1.16"]\n[grid.new.axes]\nsix = "latest-minors:2"\n')
    ended = venvgrid("plan", "--check-config", "--all-grids", cwd=root, env=nowhere)
    assert ended.status == 0, ended.err
    assert (
        ended.out
        == "matrix.toml is valid: 2 cells\nmatrix.toml is valid: grid new, the plan chooses the values of six\n"
    )
    (root / "matrix.toml").write_text('[axes]\npython = ["3.9"]\n[[exclude]]\npython = "3.8"\n', encoding="utf-8")
    assert "warning: " in venvgrid("plan", "--check-config", cwd=root, env=nowhere).err
    (root / "matrix.toml").write_text('[axes]\npython = ["3.9"]\n[tets]\n', encoding="utf-8")
    ended = venvgrid("plan", "--check-config", cwd=root, env=nowhere)
    assert (ended.status, ended.out) == (2, "")
    assert "did you mean 'test'?" in ended.err


def test_plan_check(venvgrid: Command, project: Write) -> None:
    """Without a lock, with a right one, and after a change: 1, 0, 1, each in a moment and with what to type."""
    root = project(MATRIX, DEMO)
    ended = venvgrid("plan", "--check", cwd=root)
    assert (ended.status, ended.err) == (1, "venvgrid: there is no matrix.lock; type: venvgrid lock\n")
    assert venvgrid("lock", cwd=root).status == 0
    ended = venvgrid("plan", "--check", cwd=root)
    assert (ended.status, ended.out, ended.err) == (0, "", "")
    (root / "matrix.toml").write_text(MATRIX.replace('"b"', '"c"'), encoding="utf-8")
    ended = venvgrid("plan", "--check", cwd=root)
    assert ended.status == 1
    assert "is not of this configuration" in ended.err
    assert ended.err.endswith("type: venvgrid lock\n")


def test_the_page_has_the_trend_of_stored_runs(venvgrid: Command, project: Write) -> None:
    """The page of a run counts the runs before it; that of the first run has no trend."""
    root = project(MATRIX, DEMO)
    cells = len(json.loads(venvgrid("plan", "--json", cwd=root).out)["cells"])
    assert venvgrid("run", "-q", "--report", "html=first.html", cwd=root).status == 0
    assert venvgrid("run", "-q", "--report", "html=second.html", cwd=root).status == 0
    assert "<figure" not in (root / "first.html").read_text(encoding="utf-8")
    assert f"green now {cells}, before {cells}" in (root / "second.html").read_text(encoding="utf-8")
    again = venvgrid("report", "--format", "html", cwd=root)
    assert f"green now {cells}, before {cells}" in again.out


def test_python_interface(project: Write, monkeypatch: pytest.MonkeyPatch, cache_dir: Path) -> None:
    """`venvgrid.run` gives the report and every event, and prints nothing."""
    monkeypatch.setenv("VENVGRID_CACHE_DIR", str(cache_dir))
    monkeypatch.delenv("PYTEST_ADDOPTS", raising=False)
    root = project(MATRIX, DEMO)
    seen: list[Event] = []
    report = package.run(root / "matrix.toml", cells="env.MODE==a", on_event=seen.append)
    assert [(cell.axes["env.MODE"], cell.outcome) for cell in report.cells] == [("a", Outcome.PASSED)]
    assert report.exit_status == 0
    assert report.finished
    assert type(seen[0]).__name__ == "RunStarted"
    assert type(seen[-1]).__name__ == "RunFinished"
    with pytest.raises(NothingToRunError):
        package.run(root / "matrix.toml", cells="env.MODE==z")
    with pytest.raises(ConfigError):
        package.run(root / "nothing.toml")


def test_as_a_module(venvgrid: Command, tmp_path: Path) -> None:
    """`python -m venvgrid` is the same command."""
    assert venvgrid("--version", cwd=tmp_path).out == f"venvgrid {package.__version__}\n"


@pytest.mark.parametrize("command", ["run", "plan", "report", "schema", "completion"])
def test_help_has_examples(venvgrid: Command, tmp_path: Path, command: str) -> None:
    """What one would look for in a manual page stands below the options."""
    ended = venvgrid(command, "--help", cwd=tmp_path)
    assert ended.status == 0
    assert f"venvgrid {command}" in ended.out.partition("options:")[2]


def test_an_everyday_in_a_subfolder(venvgrid: Command, project: Write) -> None:
    """list, run a part, exec without `--`, report: from a folder of the tests, with the configuration above it."""
    root = project(MATRIX, DEMO)
    inner, (first, second) = root / "tests", (f"py{HERE}-MODE.a", f"py{HERE}-MODE.b")
    assert venvgrid("list", cwd=inner).out.split() == [first, second]
    assert venvgrid("run", cwd=root).status == 0
    ended = venvgrid("run", "--no-cache", "-k", "MODE.b", cwd=inner)
    assert (ended.status, f"note: the configuration is {root / 'matrix.toml'}" in ended.err) == (0, True)
    assert "1 cell: 1 passed" in ended.out
    ended = venvgrid("report", cwd=inner)
    assert "2 cells: 2 passed" in ended.out
    assert "1 of 2 cells were not in this run" in ended.out
    ended = venvgrid(
        "exec", first, "python", "-c", "import demo, os; print(demo.ANSWER, os.environ['MODE'])", cwd=inner
    )
    assert (ended.status, ended.out) == (0, "42 a\n")
    ended = venvgrid("shell", "nosuch", cwd=inner)
    assert (ended.status, "leave with" in ended.err) == (2, False)
    assert "there is no cell 'nosuch'" in ended.err


def test_why_a_cell_runs_again(venvgrid: Command, project: Write) -> None:
    """Another terminal is no reason; an edit is, and -v says it."""
    root = project(f'[axes]\npython = ["{HERE}"]\n', DEMO)
    assert venvgrid("run", "--cache", cwd=root, env={"TERM": "xterm"}).status == 0
    assert "unchanged since it passed" in venvgrid("run", "--cache", cwd=root, env={"TERM": "vt100"}).err
    (root / "tests/test_more.py").write_text("def test_more():\n    pass\n", encoding="utf-8")
    ended = venvgrid("run", "--cache", "-v", cwd=root)
    assert f"py{HERE} runs again: changed since it passed: files of the project" in ended.err
