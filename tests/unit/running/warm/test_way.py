"""How a command starts pytest: what a fork can do as well."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from venvgrid.model import SuiteOptions
from venvgrid.processes.command import Command
from venvgrid.running.warm import way
from venvgrid.running.warm.preview import Cold
from venvgrid.running.warm.way import Way

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def environment(tmp_path: Path) -> Path:
    """Return an environment with Python and the script of pytest."""
    folder = tmp_path / "env" / "bin"
    folder.mkdir(parents=True)
    for name in ("python", "python3", "pytest", "tox"):
        (folder / name).write_text(f"#!{folder}/python3\n", encoding="utf-8")
        (folder / name).chmod(0o755)
    return folder.parent


def of(environment: Path, *argv: str, **variables: str) -> Way | Cold:
    """Return the way of a command."""
    env = {"PATH": f"{environment}/bin", **variables}
    filled = tuple(item.replace("ENV", str(environment)) for item in argv)
    return way.of_command(Command(argv=filled, cwd=environment, env=env), environment)


@pytest.mark.parametrize(
    ("argv", "python"),
    [
        (("python", "-m", "pytest", "-q"), ("python",)),
        (("ENV/bin/python3", "-m", "pytest"), ("ENV/bin/python3",)),
        (
            ("python", "-b", "-W", "error", "-Xdev", "-Wignore", "-m", "pytest", "-m", "slow"),
            ("python", "-b", "-W", "error", "-Xdev", "-Wignore"),
        ),
    ],
)
def test_python_with_a_module(environment: Path, argv: tuple[str, ...], python: tuple[str, ...]) -> None:
    """Options of Python before -m are those of the server."""
    assert Way(python=tuple(item.replace("ENV", str(environment)) for item in python)) == of(environment, *argv)


@pytest.mark.parametrize(
    "text",
    [
        "#!{python}\nimport sys\n",
        "#!/bin/sh\n'''exec' {python} \"$0\" \"$@\"\n' '''\nimport sys\n",
        "#!/bin/sh\n'''exec' \"{python}\" \"$0\" \"$@\"\n' '''\nimport sys\n",
    ],
)
def test_the_script(environment: Path, text: str) -> None:
    """The script starts the interpreter that its first lines name, in either form."""
    python, script = f"{environment}/bin/python3", environment / "bin/pytest"
    script.write_text(text.format(python=python), encoding="utf-8")
    assert Way(python=(python,), script=str(script)) == of(environment, "pytest", "-q")


@pytest.mark.parametrize(
    ("argv", "reason"),
    [
        (("python", "-m", "unittest"), "the command starts Python otherwise than with -m pytest"),
        (("python", "-c", "import pytest"), "the command starts Python otherwise than with -m pytest"),
        (("python", "-I", "-m", "pytest"), "the command starts Python otherwise than with -m pytest"),
        (
            ("python", "-m", "coverage", "run", "-m", "pytest"),
            "the command starts Python otherwise than with -m pytest",
        ),
        (("python", "-W"), "the command starts Python otherwise than with -m pytest"),
        (("tox",), "the command is tox, not pytest"),
        (("/bin/sh", "-c", "pytest"), "/bin/sh is not of the environment"),
        (("gone",), "gone was not found"),
    ],
)
def test_others_are_cold(environment: Path, argv: tuple[str, ...], reason: str) -> None:
    """Any other command runs as usual."""
    assert Cold(reason=reason) == of(environment, *argv)


def test_a_script_of_another_python_is_cold(environment: Path) -> None:
    """A script that starts another interpreter says nothing of the environment."""
    (environment / "bin/pytest").write_text("#!/usr/bin/python3\n", encoding="utf-8")
    reason = "the script pytest does not start the Python of the environment"
    assert Cold(reason=reason) == of(environment, "pytest")


def test_every_python_that_measures_is_cold(environment: Path) -> None:
    """A server whose own start is measured would hand that on."""
    found = of(environment, "pytest", COVERAGE_PROCESS_START="x")
    assert Cold(reason="COVERAGE_PROCESS_START is set") == found


@pytest.mark.parametrize(
    ("suite", "reason"),
    [
        (SuiteOptions(command=("pytest",)), ""),
        (SuiteOptions(command=("pytest",), reports="exit-status"), 'test.reports is "exit-status"'),
        (SuiteOptions(command=("pytest",), before=(("make",),)), "test.before prepares each run"),
        (SuiteOptions(command=("pytest",), coverage=True), "coverage is measured"),
    ],
)
def test_settings(suite: SuiteOptions, reason: str) -> None:
    """Settings that a fork does not follow make a cell cold."""
    assert reason == way.objection(suite)
