"""The programs that the tests of a cell ran: what each may have read.

A Python of the environment notes itself what it reads (see `_venvgrid_opened`). A plain tool reads the files that it is
given. What any other program reads is unknown.
"""

from __future__ import annotations

import itertools
import os
import re
from typing import TYPE_CHECKING

from venvgrid.outcomes.outside import tools

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from venvgrid.outcomes.witness import Ran

SHELLS = frozenset(("sh", "bash", "dash", "zsh", "ash", "ksh"))
HISTORY = frozenset(("git", "hg", "svn"))
SEPARATORS = frozenset((";", "&", "&&", "||", "|", "(", ")"))
_PYTHON = re.compile(r"(python|pypy)[0-9.]*(t|d)?(\.exe)?")
_UNKNOWN = re.compile(r"[$`*?{]|\[(?! )|(?<![\w/.^])~")  # in a shell's text: what it stands for is not known
# Variables by which a program starts or reads something else.
_STEERING = re.compile(r"(PATH|CDPATH|ENV|BASH_ENV|IFS|SHELL|LD_\w+|DYLD_\w+|PYTHON\w*|GIT_\w+|\w+_OPTIONS)=")
REDIRECTIONS = frozenset(("<", ">", ">>", "2>", ">&", "&>", ">|"))
# Commands of git whose answer follows from the commit, the tags and the files.
_OF_COMMIT = "describe rev-parse log tag show rev-list for-each-ref cat-file symbolic-ref status merge-base --version"
OF_COMMIT = frozenset(_OF_COMMIT.split())
LOGS = ("--walk-reflogs", "--reflog")  # options of git
OF_FILES = ("--dirty", "--broken")  # options of git describe, which looks at all files then
# Settings of version control, each of which may be missing.
SETTINGS_OF = {
    "git": ("/etc/gitconfig", "~/.gitconfig", "~/.config/git/config", "~/.config/git/ignore"),
    "hg": ("/etc/mercurial/hgrc", "~/.hgrc", "~/.config/hg/hgrc"),
    "svn": ("/etc/subversion/config", "~/.subversion/config"),
}
GIVEN, HISTORY_OF, INDEX_OF, SETTING, UNKNOWN, LISTED, ABSENT, ASKED = "g", "h", "x", "e", "u", "l", "n", "t"
DELETED, WORK_TREE_OF = "v", "b"


def reads(
    ran: Iterable[Ran], commands: str, own: Iterable[str] = (), system: tuple[str, ...] = ("/",)
) -> Iterator[tuple[str, str]]:
    """Yield what the programs may have read.

    `commands` is the folder of the environment's programs; in the folders `own`, no program is one of the system.
    `system` are the places of the machine's programs: elsewhere, a program counts by its content, and a script of that
    name may do anything. Each item is a path that a plain tool was given (GIVEN), only asked for (ASKED), or that is
    not there (ABSENT); a folder whose names it read (LISTED); the folder whose history a program read, at a commit
    (HISTORY_OF), with the files of its work tree (WORK_TREE_OF), or in any other way (INDEX_OF); a file of its settings
    (SETTING), which may be missing; or the name of a program that may have read anything (UNKNOWN).
    """
    folders = tuple(f"{folder.rstrip(os.sep)}{os.sep}" for folder in own)
    for item in ran:
        start = _Start(item, commands, folders, system)
        is_absent = item.path and start.is_absent(item.argv)
        yield from start.searched(item.argv[0]) if is_absent else start.reads(item.argv)


class _Start:
    """A start of a program, by its variables; a shell starts others."""

    def __init__(self, item: Ran, commands: str, own: tuple[str, ...], system: tuple[str, ...]) -> None:
        self.cwd, self.lacks, self._commands, self._own = item.cwd, item.lacks, commands, own
        self._system = system
        self._places = item.path.split(os.pathsep) if item.path else [commands]

    def is_absent(self, argv: tuple[str, ...]) -> bool:
        """Return whether no program of this name was found: the witness tells the path of one that is there."""
        return bool(argv and argv[0]) and os.sep not in argv[0] and self._place_of(argv[0]) == argv[0]

    def searched(self, name: str) -> Iterator[tuple[str, str]]:
        """Yield the places in which a program of a name is looked for."""
        for folder in self._places:
            place = os.path.normpath(os.path.join(self.cwd, folder, name))
            yield place, ASKED if os.path.lexists(place) else ABSENT

    def reads(self, argv: tuple[str, ...]) -> Iterator[tuple[str, str]]:
        """Yield what a program with these arguments may have read."""
        if not argv or not argv[0]:
            return
        name, place = os.path.basename(argv[0]), self._place_of(argv[0])
        if self._is_of_environment(place):
            if self.lacks or _is_without_site(argv[1:]):
                yield name, UNKNOWN
        elif place.startswith(self._own):  # it may have the name of a tool
            is_tried = os.path.dirname(place) == self._commands and not os.path.lexists(place)  # by a search of PATH
            yield from () if is_tried else ((name, UNKNOWN),)
        elif self._is_of_system(place):
            yield from self._of_tool(name, argv)
        elif _first_lines(place)[0].startswith("#!"):
            yield name, UNKNOWN
        else:
            yield place, SETTING
            yield from self._of_tool(name, argv)

    def _is_of_system(self, place: str) -> bool:
        """Return whether a program is one of the machine's own, or of a shell itself."""
        return os.sep not in place or any(item.startswith(self._system) for item in (place, os.path.realpath(place)))

    def _of_tool(self, name: str, argv: tuple[str, ...]) -> Iterator[tuple[str, str]]:
        if name in SHELLS:
            yield from self._of_shell(argv)
        elif name == "which":
            for word in argv[1:]:
                yield from self.searched(word)
        elif name in HISTORY:
            if argv[1:] != ("--version",):
                yield _folder(self.cwd, argv), _history_of(argv)
                yield from ((os.path.expanduser(file), SETTING) for file in SETTINGS_OF[name])
        elif name in tools.PLAIN and not tools.is_told_more(name, argv[1:]):
            yield from _of_plain(name, self.cwd, argv[1:])
        else:
            yield name, UNKNOWN

    def _place_of(self, word: str) -> str:
        """Return the path of a program; its name alone if no folder of programs has it."""
        if os.sep in word:
            return os.path.normpath(os.path.join(self.cwd, word))
        places = (os.path.normpath(os.path.join(self.cwd, folder, word)) for folder in self._places)
        return next((place for place in places if os.path.lexists(place)), word)

    def _is_of_environment(self, place: str) -> bool:
        """Return whether a program is a Python of the environment, or a script of one."""
        commands = os.path.realpath(self._commands)
        is_inside = os.path.realpath(os.path.dirname(place)) == commands
        if is_inside and _PYTHON.fullmatch(os.path.basename(place)):
            return True
        if os.name == "nt":
            return is_inside
        first, second = _first_lines(place)
        if not first.startswith("#!"):
            return False
        if first.split()[0] == "#!/bin/sh":  # a path that is too long for the first line
            return is_inside and self._commands in second
        words = first[2:].split()
        if words and os.path.basename(words[0]) == "env":
            words = [self._place_of(word) for word in words[1:2]]
        return bool(words) and os.path.realpath(os.path.dirname(words[0])) == commands

    def _of_shell(self, argv: tuple[str, ...]) -> Iterator[tuple[str, str]]:
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
                yield from self.reads(tuple(_without_variables(command)))
                command = []
            elif _STEERING.match(word) or (word and not word.strip("();<>|&") and word not in REDIRECTIONS):
                yield name, UNKNOWN  # a variable that says what runs, or a substitution of processes
            elif word not in REDIRECTIONS and word not in {"exec", "1", "2"}:
                command.append(word)


def _of_plain(name: str, cwd: str, arguments: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    """Yield the paths among the arguments, and the working directory if the tool takes it."""
    if name in tools.SILENT:
        return
    asked = {GIVEN: ASKED} if name in tools.ASKING else {}
    if name in tools.MAKING and not any(word.startswith("-") for word in arguments):
        asked = {GIVEN: ABSENT}
    elif name in tools.DELETING and not any(re.match(r"-[a-zA-Z]*f|--f", word) for word in arguments):
        asked = {ABSENT: DELETED}
    yield from ((place, asked.get(how, how)) for place, how in _paths(cwd, arguments))
    words = [word for word in arguments if not word.startswith("-")]
    if name in tools.LISTERS:
        is_grep = name.endswith("grep")
        is_deep = any(re.match(r"-[a-zA-Z]*[rR]|--(deref|rec|dir)|-d", word) for word in arguments)
        if name == "find" and arguments[:1] and arguments[0].startswith("-"):
            words = []
        if (is_grep and is_deep and len(words) <= 1) or not (is_grep or words):
            yield cwd, LISTED if name == "ls" and not is_deep else GIVEN


def _first_lines(place: str) -> tuple[str, str]:
    """Return two lines of a file, which are empty where there are none."""
    try:
        with open(place, "rb") as file:
            return file.readline(1000).decode("utf-8", "replace"), file.readline(1000).decode("utf-8", "replace")
    except OSError:
        return "", ""


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


def _without_variables(command: list[str]) -> list[str]:
    while command and re.match(r"[A-Za-z_]\w*=", command[0]):
        command = command[1:]
    return command


def _history_of(argv: tuple[str, ...]) -> str:
    """Return by what git answers: by commits, references and files, or by its log of references, which is no input."""
    if _subcommand(argv) not in OF_COMMIT or any("@{" in word or word in {"-g", *LOGS} for word in argv):
        return INDEX_OF
    is_of_files = _subcommand(argv) == "status" or any(word.startswith(OF_FILES) for word in argv)
    return WORK_TREE_OF if is_of_files else HISTORY_OF


def _subcommand(argv: tuple[str, ...]) -> str:
    """Return the command of git: the first word that is neither an option nor the value of one."""
    before = ("", *argv[1:-1])
    return next(
        (
            word
            for word, option in zip(argv[1:], before, strict=True)
            if (word == "--version" or not word.startswith("-"))
            and option not in {"-C", "-c", "--git-dir", "--work-tree", "--namespace"}
        ),
        "",
    )


def _folder(cwd: str, argv: tuple[str, ...]) -> str:
    for option, value in itertools.pairwise(argv):
        if option in {"-C", "-R", "--git-dir"}:
            return os.path.normpath(os.path.join(cwd, value))
    return cwd


def _paths(cwd: str, arguments: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    """Yield the files and folders among the arguments of a plain tool, and the words that would be some."""
    for word in arguments:
        is_option = word.startswith("-")
        for text in [word.partition("=")[2], word[2:]] if is_option else [word]:
            place = os.path.normpath(os.path.join(cwd, text))
            if text and "\0" not in text and (os.path.lexists(place) or not is_option):
                yield place, GIVEN if os.path.lexists(place) else ABSENT
