"""The programs that the tests of a cell ran: what each may have read.

A Python of the environment notes itself what it reads (see `_venvgrid_opened`). A plain tool reads the files that it is
given. What any other program reads is unknown.
"""

from __future__ import annotations

import itertools
import os
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from venvgrid.outcomes.witness import Ran

# They read what they are given, and the settings of the machine.
PLAIN = frozenset(
    [
        "cat",
        "head",
        "tail",
        "wc",
        "sort",
        "uniq",
        "cut",
        "tr",
        "tac",
        "od",
        "xxd",
        "hexdump",
        "strings",
        "file",
        "stat",
        "ls",
        "find",
        "du",
        "tree",
        "cp",
        "mv",
        "ln",
        "tar",
        "gzip",
        "gunzip",
        "zip",
        "unzip",
        "xz",
        "rm",
        "mkdir",
        "rmdir",
        "mkfifo",
        "mknod",
        "touch",
        "chmod",
        "chown",
        "mktemp",
        "readlink",
        "realpath",
        "basename",
        "dirname",
        "diff",
        "cmp",
        "comm",
        "grep",
        "egrep",
        "fgrep",
        "sed",
        "tee",
        "patch",
        "md5sum",
        "sha1sum",
        "sha256sum",
        "true",
        "false",
        "echo",
        "printf",
        "test",
        "[",
        "sleep",
        "yes",
        "seq",
        "expr",
        "exit",
        ":",
        "export",
        "set",
        "uname",
        "arch",
        "hostname",
        "id",
        "whoami",
        "groups",
        "tty",
        "stty",
        "tput",
        "locale",
        "getconf",
        "nproc",
        "lscpu",
        "ps",
        "kill",
        "pkill",
        "pgrep",
        "lsof",
        "ldconfig",
        "ldd",
        "ifconfig",
        "ip",
        "arp",
        "netstat",
        "which",
        "date",
        "gcc",
        "g++",
        "cc",
        "c++",
        "clang",
        "clang++",
        "ld",
        "ld.gold",
        "lld",
        "ar",
        "as",
        "nm",
        "objdump",
        "readelf",
        "strip",
        "sw_vers",
        "sysctl",
        "otool",
        "lsb_release",
        "xdg-settings",
        "openssl",
        "ssh-keygen",
        "stdbuf",
        "install",
    ]
)
SHELLS = frozenset(("sh", "bash", "dash", "zsh", "ash", "ksh"))
HISTORY = frozenset(("git", "hg", "svn"))
SEPARATORS = frozenset((";", "&", "&&", "||", "|", "(", ")"))
_PYTHON = re.compile(r"(python|pypy)[0-9.]*(t|d)?(\.exe)?")
_UNKNOWN = re.compile(r"[$`*?\[{]")  # in a shell's text: what it stands for is not known
GIVEN, HISTORY_OF, UNKNOWN = "g", "h", "u"


def reads(ran: Iterable[Ran], commands: str) -> Iterator[tuple[str, str]]:
    """Yield what the programs may have read.

    `commands` is the folder of the environment's programs. Each item is a path that a plain tool was given (GIVEN), the
    folder whose history a program read (HISTORY_OF), or the name of a program that may have read anything (UNKNOWN).
    """
    for item in ran:
        yield from _reads(item.cwd, item.argv, commands, lacks=item.lacks)


def _reads(cwd: str, argv: tuple[str, ...], commands: str, *, lacks: bool) -> Iterator[tuple[str, str]]:
    if not argv or not argv[0]:
        return
    name = os.path.basename(argv[0])
    if _is_of_environment(argv[0], cwd, commands):
        if lacks or _is_without_site(argv[1:]):
            yield name, UNKNOWN
    elif name in SHELLS:
        yield from _of_shell(cwd, argv, commands, lacks=lacks)
    elif name in HISTORY:
        if argv[1:] != ("--version",):
            yield _folder(cwd, argv), HISTORY_OF
    elif name in PLAIN:
        yield from ((path, GIVEN) for path in _paths(cwd, argv[1:]))
    else:
        yield name, UNKNOWN


def _is_of_environment(program: str, cwd: str, commands: str) -> bool:
    """Return whether a program is a Python of the environment, or a script of one."""
    place = os.path.join(commands, program) if os.sep not in program else os.path.join(cwd, program)
    is_inside = os.path.realpath(os.path.dirname(place)) == os.path.realpath(commands)
    if is_inside and _PYTHON.fullmatch(os.path.basename(place)):
        return True
    if os.name == "nt":
        return is_inside
    try:
        with open(place, "rb") as file:
            first = file.readline(1000).decode("utf-8", "replace")
            second = file.readline(1000).decode("utf-8", "replace")
    except OSError:
        return False
    if not first.startswith("#!"):
        return False
    if first.split()[0] == "#!/bin/sh":  # a path that is too long for the first line
        return is_inside and commands in second
    words = first[2:].split()
    if words and os.path.basename(words[0]) == "env":
        words = [os.path.join(commands, word) for word in words[1:2]]
    return bool(words) and os.path.realpath(os.path.dirname(words[0])) == os.path.realpath(commands)


def _is_without_site(arguments: tuple[str, ...]) -> bool:
    """Return whether a Python was told not to import `site`, which starts the witness."""
    for word in arguments:
        if not word.startswith("-") or word.startswith("--"):
            return False
        letters = word[1:]
        if "S" in letters.partition("c")[0].partition("m")[0]:
            return True
        if letters[:1] in {"c", "m", ""}:
            return False
    return False


def _of_shell(cwd: str, argv: tuple[str, ...], commands: str, *, lacks: bool) -> Iterator[tuple[str, str]]:
    """Yield what the commands of `sh -c TEXT` read; what the text means must be plain."""
    name = os.path.basename(argv[0])
    if len(argv) < 3 or argv[1] not in {"-c", "-ec", "-ce"} or _UNKNOWN.search(argv[2]):  # noqa: PLR2004
        yield name, UNKNOWN
        return
    import shlex  # noqa: PLC0415  (a run in which nothing changed has no shell)

    words = shlex.shlex(argv[2].replace("\n", ";"), posix=True, punctuation_chars=True)
    words.whitespace_split, words.commenters = True, ""
    try:
        found = list(words)
    except ValueError:
        found = ["?"]
    command: list[str] = []
    for word in [*found, ";"]:
        if word in SEPARATORS:
            yield from _reads(cwd, tuple(_without_variables(command)), commands, lacks=lacks)
            command = []
        elif word not in {"<", ">", ">>", "2>", ">&", "exec", "1", "2"}:
            command.append(word)


def _without_variables(command: list[str]) -> list[str]:
    while command and re.match(r"[A-Za-z_]\w*=", command[0]):
        command = command[1:]
    return command


def _folder(cwd: str, argv: tuple[str, ...]) -> str:
    for option, value in itertools.pairwise(argv):
        if option in {"-C", "-R", "--git-dir"}:
            return os.path.normpath(os.path.join(cwd, value))
    return cwd


def _paths(cwd: str, arguments: tuple[str, ...]) -> Iterator[str]:
    """Yield the existing files and folders among the arguments of a plain tool."""
    for word in arguments:
        texts = [word] if not word.startswith("-") else [word.partition("=")[2], word[2:]]
        for text in texts:
            place = os.path.normpath(os.path.join(cwd, text))
            if text and "\0" not in text and os.path.lexists(place):
                yield place
