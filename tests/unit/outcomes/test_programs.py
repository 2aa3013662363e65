"""What programs that tests run may have read."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from venvgrid.outcomes.outside import programs
from venvgrid.outcomes.outside.programs import (
    ABSENT,
    ASKED,
    DELETED,
    GIVEN,
    HISTORY_OF,
    INDEX_OF,
    LISTED,
    SETTING,
    UNKNOWN,
    WORK_TREE_OF,
)
from venvgrid.outcomes.witness import Ran

if TYPE_CHECKING:
    from pathlib import Path


def reads(tmp_path: Path, *argv: str, lacks: bool = False) -> list[tuple[str, str]]:
    """Return what one program may have read; the names of files are relative."""
    commands = tmp_path / "env" / "bin"
    commands.mkdir(parents=True)
    (commands / "pytest").write_text(f"#!{commands}/python\n", encoding="utf-8")
    (commands / "long").write_text(f"#!/bin/sh\n'''exec' {commands}/python \"$0\" \"$@\"\n", encoding="utf-8")
    (commands / "native").write_bytes(b"\x7fELF")
    (commands / "python").touch()
    (tmp_path / "tool.py").write_text("#!/usr/bin/env python\n", encoding="utf-8")
    (tmp_path / "other.sh").write_text("#!/bin/sh\n", encoding="utf-8")
    for name in ("data", "more"):
        (tmp_path / name).touch()
    argv = tuple(word.replace("BIN", str(commands)) for word in argv)
    found = programs.reads([Ran(cwd=str(tmp_path), argv=argv, lacks=lacks)], str(commands))
    return [(os.path.relpath(path, tmp_path) if how != UNKNOWN else path, how) for path, how in found if how != SETTING]


@pytest.mark.parametrize(
    ("argv", "expected"),
    [
        (("BIN/python", "-c", "open('data')"), []),
        (("BIN/python3.11", "-m", "Sample"), []),
        (("python", "tool.py"), []),
        (("pytest", "-q"), []),
        (("BIN/long",), []),
        (("./tool.py",), []),
        (("BIN/python", "-S", "-c", ""), [("python", UNKNOWN)]),
        (("BIN/python", "-IS", "x.py"), [("python", UNKNOWN)]),
        (("/usr/bin/python3", "-c", ""), [("python3", UNKNOWN)]),
        (("native",), [("native", UNKNOWN)]),
        (("./other.sh",), [("other.sh", UNKNOWN)]),
        (("make",), [("make", UNKNOWN)]),
        (("openssl", "s_client", "-connect", "localhost:1"), [("openssl", UNKNOWN)]),
        (("cat", "data", "nothing"), [("data", GIVEN), ("nothing", ABSENT)]),
        (("/bin/ls",), [(".", LISTED)]),
        (("ls", "-R"), [(".", GIVEN)]),
        (("ls", "env"), [("env", GIVEN)]),
        (("find", "-name", "data"), [("data", GIVEN), (".", GIVEN)]),
        (("find", "env", "-exec", "./other.sh", ";"), [("find", UNKNOWN)]),
        (("grep", "-rn", "word"), [("word", ABSENT), (".", GIVEN)]),
        (("grep", "-rn", "word", "env"), [("word", ABSENT), ("env", GIVEN)]),
        (("grep", "word", "data"), [("word", ABSENT), ("data", GIVEN)]),
        (("test", "-f", "flag"), [("flag", ABSENT)]),
        (("test", "-d", "env"), [("env", ASKED)]),
        (("echo", "data", "nothing"), []),
        (("md5sum", "data"), [("data", GIVEN)]),
        (("md5sum", "--status", "-c", "data"), [("md5sum", UNKNOWN)]),
        (("sort", "--files0=data"), [("sort", UNKNOWN)]),
        (("tar", "cf", "x.tar", "env"), [("cf", ABSENT), ("x.tar", ABSENT), ("env", GIVEN)]),
        (("tar", "cTf", "data", "x.tar"), [("tar", UNKNOWN)]),
        (("tar", "-xf", "data", "--to-command=sh"), [("tar", UNKNOWN)]),
        (("sed", "-n", "1,/x/p;s|a|b|g", "data"), [("1,/x/p;s|a|b|g", ABSENT), ("data", GIVEN)]),
        (("sed", "r more", "data"), [("sed", UNKNOWN)]),
        (("sed", "-e", "s/a/b/e", "data"), [("sed", UNKNOWN)]),
        (("sed", "-f", "more", "data"), [("sed", UNKNOWN)]),
        (("stdbuf", "-o0", "./other.sh"), [("stdbuf", UNKNOWN)]),
        (("patch", "-i", "data"), [("patch", UNKNOWN)]),
        (("openssl", "version"), [("version", ABSENT)]),
        (("openssl", "req", "-config", "data"), [("openssl", UNKNOWN)]),
        (("ssh-keygen", "-f", "data"), [("data", GIVEN)]),
        (("ssh-keygen", "-l"), [("ssh-keygen", UNKNOWN)]),
        (("gcc", "-L.", "-lm", "-o", "out"), [(".", GIVEN), ("out", ABSENT)]),
        (("gcc", "-I.", "x.c"), [("gcc", UNKNOWN)]),
        (("cc", "@data"), [("cc", UNKNOWN)]),
        (("git", "describe"), [(".", HISTORY_OF)]),
        (("git", "describe", "--dirty=-x"), [(".", WORK_TREE_OF)]),
        (("git", "status", "--porcelain"), [(".", WORK_TREE_OF)]),
        (("git", "rev-parse", "HEAD@{1}"), [(".", INDEX_OF)]),
        (("git", "log", "-g"), [(".", INDEX_OF)]),
        (("date", "-r", "data"), [("data", ASKED)]),
        (("mkdir", "data"), [("data", ABSENT)]),
        (("mkdir", "-p", "data"), [("data", ASKED)]),
        (("rm", "gone"), [("gone", DELETED)]),
        (("rm", "-f", "gone"), [("gone", ABSENT)]),
        (("mv", "gone", "data"), [("gone", DELETED), ("data", GIVEN)]),
        (("git", "-C", "sub", "log"), [("sub", HISTORY_OF)]),
        (("git", "--version"), []),
        (("git", "-c", "a=b", "ls-files"), [(".", INDEX_OF)]),
        (("git", "commit", "-m", "log"), [(".", INDEX_OF)]),
        (("sh", "-c", "A=1 cat data | wc -l && make"), [("data", GIVEN), ("make", UNKNOWN)]),
        (("sh", "-c", "cat < data > out; pytest"), [("data", GIVEN), ("out", ABSENT)]),
        (("sh", "-c", "[ -f data ] && echo a~1"), [("data", ASKED), ("]", ABSENT)]),
        (("sh", "-c", "cat ~/data"), [("sh", UNKNOWN)]),
        (("sh", "-c", "cat data* more"), [("sh", UNKNOWN)]),
        (("bash", "-c", "cat <(./other.sh)"), [("bash", UNKNOWN), ("other.sh", GIVEN)]),
        (("sh", "-c", "cat $FILE"), [("sh", UNKNOWN)]),
        (("sh", "-c", "cat 'data"), [("?", UNKNOWN)]),
        (("bash", "other.sh"), [("bash", UNKNOWN)]),
        (("",), []),
    ],
)
def test_what_a_program_reads(tmp_path: Path, argv: tuple[str, ...], expected: list[tuple[str, str]]) -> None:
    """A Python of the environment notes itself; a plain tool reads what it is given; others are unknown."""
    assert reads(tmp_path, *argv) == expected


def test_a_python_without_the_witness_is_unknown(tmp_path: Path) -> None:
    """Its variables do not name the witness, and the system does not tell those of its parents."""
    assert reads(tmp_path, "BIN/python", "x.py", lacks=True) == [("python", UNKNOWN)]


def test_a_name_is_what_its_variables_say(tmp_path: Path) -> None:
    """Without the environment's folder in PATH, `python` is another one; a script of the project may be called cat."""
    reads(tmp_path)
    (tmp_path / "bin").mkdir()
    for name in ("bin/python", "bin/cat"):
        (tmp_path / name).write_text("#!/bin/sh\n", encoding="utf-8")
    own, commands = str(tmp_path / "bin"), str(tmp_path / "env" / "bin")

    def told(path: str, *argv: str) -> list[str]:
        item = Ran(cwd=str(tmp_path), argv=argv, path=path)
        return [how for _, how in programs.reads([item], commands, [own])]

    for argv in (("./tool.py",), ("sh", "-c", "python -c 1"), ("sh", "-c", "./tool.py")):
        assert told(f"{commands}:/bin", *argv) == []
        assert told(f"{own}:{commands}:/bin", *argv) == told("bin:/bin", *argv) == [UNKNOWN]
    assert (told("/bin", "sh", "-c", "cat data"), told(f"{own}:/bin", "sh", "-c", "cat data")) == ([GIVEN], [UNKNOWN])
    assert told("/bin", "./bin/cat", "data") == [UNKNOWN]
    assert UNKNOWN in told(f"{commands}:/bin", "sh", "-c", "PATH=/usr/bin python x")
    assert list(programs.reads([Ran(cwd="/", argv=(f"{commands}/cat", "x"))], commands, [str(tmp_path)])) == []


def test_the_settings_of_version_control_count(tmp_path: Path) -> None:
    """The first branch of a new repository, and whether a commit is signed, follow from files of the user."""
    found = programs.reads([Ran(cwd=str(tmp_path), argv=("git", "init"))], "")
    assert (os.path.expanduser("~/.gitconfig"), SETTING) in found  # noqa: PTH111


def test_a_tool_is_known_by_its_place_and_not_by_its_name(tmp_path: Path) -> None:
    """Elsewhere than in the system's folders, a script of a tool's name may do anything, and a program counts."""
    script, program = tmp_path / "hostname", tmp_path / "bin" / "cat"
    program.parent.mkdir()
    script.write_text("#!/bin/sh\ncat /etc/other\n", encoding="utf-8")
    program.write_bytes(b"\x7fELF")

    def read(*argv: str) -> list[tuple[str, str]]:
        item = Ran(cwd=str(tmp_path), argv=argv, path=os.pathsep.join((str(tmp_path), str(program.parent))))
        return list(programs.reads([item], "/nowhere", (), ("/usr/bin/", "/bin/")))

    assert read("hostname") == [("hostname", programs.UNKNOWN)]
    assert read("cat") == [(str(program), programs.SETTING)]
    assert read("/bin/hostname") == []


def test_a_program_that_is_not_there_was_only_looked_for(tmp_path: Path) -> None:
    """Of a program that no folder has, and of one that `which` looks for, it counts where it would be."""
    (tmp_path / "there").touch()
    for argv in (("absent", "--version"), ("which", "absent")):
        item = Ran(cwd=str(tmp_path), argv=argv, path=f"/usr/bin{os.pathsep}{tmp_path}")
        found = dict(programs.reads([item], "/nowhere", (), ("/usr/bin/",)))
        assert found == {"/usr/bin/absent": programs.ABSENT, str(tmp_path / "absent"): programs.ABSENT}
    item = Ran(cwd=str(tmp_path), argv=("/usr/bin/which", "there"), path=str(tmp_path))
    assert dict(programs.reads([item], "/nowhere"))[str(tmp_path / "there")] == programs.ASKED
