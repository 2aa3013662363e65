"""The shell of a cell: the environment is activated after the user's own start-up files."""

from __future__ import annotations

from pathlib import Path

from venvgrid.cli.tools import shell

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
