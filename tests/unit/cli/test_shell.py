"""What starts in a cell: its shell, with the environment activated after the user's own files, and its commands."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from venvgrid.cli.tools import exec as execute
from venvgrid.cli.tools import shell
from venvgrid.environments import venv_layout

PLACE = Path("/work shop/.venvgrid/envs/py3.12")


def test_bash_reads_the_users_file_first(tmp_path: Path) -> None:
    """The start-up file sources ~/.bashrc, then activates; its path may hold spaces."""
    assert shell.prepare("/bin/bash", PLACE, tmp_path) == ("/bin/bash", "--rcfile", str(tmp_path / "bashrc"), "-i")
    first, second = (tmp_path / "bashrc").read_text(encoding="utf-8").splitlines()
    assert first == "[ -f ~/.bashrc ] && . ~/.bashrc"
    assert second == ". '/work shop/.venvgrid/envs/py3.12/bin/activate'"


def test_zsh_and_fish_activate_too(tmp_path: Path) -> None:
    """Zsh by a folder of start-up files, fish by a command."""
    assert shell.prepare("zsh", PLACE, tmp_path)[1] == f"ZDOTDIR={tmp_path}"
    assert (tmp_path / ".zshrc").read_text(encoding="utf-8").endswith("bin/activate'\n")
    assert shell.prepare("fish", PLACE, tmp_path)[2] == "source '/work shop/.venvgrid/envs/py3.12/bin/activate.fish'"


def test_another_shell_gets_the_variables_only(tmp_path: Path) -> None:
    """What is not known is started as it is."""
    assert shell.prepare("/bin/dash", PLACE, tmp_path) == ("/bin/dash",)


def placed(folder: Path, *names: str) -> str:
    """Make programs in a folder, and return it."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        program = folder / (f"{name}.exe" if os.name == "nt" else name)
        program.write_bytes(b"")
        program.chmod(0o755)
    return str(folder)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["python", "-V"], ""),
        (["sh"], ""),
        (["pip", "list"], "the environment of py3.12 has no pip. To see what is installed, type: venvgrid env freeze "),
        (["pip3.12"], 'add "pip" to install.requires'),
        (["pyhton", "-V"], "did you mean python? Type: venvgrid exec py3.12 python -V"),
        (["nosuch"], "no command 'nosuch' in the environment of py3.12, and none on PATH (it has pytest)"),
    ],
)
def test_a_command_that_the_environment_does_not_have(tmp_path: Path, words: list[str], said: str) -> None:
    """Programs of PATH start, but no pip of another Python, which would show the packages of that one."""
    placed(venv_layout.python_of(tmp_path / "env").parent, "python", "pytest")
    path = placed(tmp_path / "bin", "pip", "pip3.12", "sh")
    found = execute.missing("py3.12", words, tmp_path / "env", path)
    assert said in found
    assert bool(said) is bool(found)


def test_a_pip_that_was_asked_for_starts(tmp_path: Path) -> None:
    """With pip in install.requires, it is that of the environment."""
    placed(venv_layout.python_of(tmp_path).parent, "python", "pip")
    assert execute.missing("py3.12", ["pip", "list"], tmp_path, "") == ""
