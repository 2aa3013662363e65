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

# They read what they are given, and the settings of the machine; unless told more, see `_is_told_more`.
_PLAIN = """
    cat head tail wc sort uniq cut tr tac od xxd hexdump strings file stat ls find du tree cp mv ln tar gzip gunzip zip
    unzip xz rm mkdir rmdir mkfifo mknod touch chmod chown mktemp readlink realpath basename dirname diff cmp comm grep
    egrep fgrep sed tee md5sum sha1sum sha256sum true false echo printf test [ sleep yes seq expr exit : export set
    uname arch hostname id whoami groups tty stty tput locale getconf nproc lscpu ps kill pkill pgrep lsof ldconfig ldd
    ifconfig ip arp netstat which date gcc g++ cc c++ clang clang++ ld ld.gold lld ar as nm objdump readelf strip
    sw_vers sysctl otool lsb_release xdg-settings openssl ssh-keygen install
"""
PLAIN = frozenset(_PLAIN.split())
# They take words, or ask only whether a file is there and of which size, time, mode or target it is.
_SILENT = "true false echo printf expr seq sleep yes exit : export set kill pkill pgrep basename dirname uname"
SILENT = frozenset(_SILENT.split())
_ASKING = "test [ date stat readlink realpath mkdir rmdir mkfifo mknod touch chmod chown"
ASKING = frozenset(_ASKING.split())
# Options by which a plain tool starts a program, or reads files that its command line does not name.
MORE = {
    "find": frozenset(("-exec", "-execdir", "-ok", "-okdir", "-files0-from")),
    "tar": frozenset(
        (
            *("-T", "--files-from", "-I", "--use-compress-program", "--to-command", "-F", "--info-script"),
            *("--new-volume-script", "--checkpoint-action", "--rsh-command"),
        )
    ),
    "sed": frozenset(("-f", "--file")),
    "file": frozenset(("-f", "--files-from")),
    "xz": frozenset(("--files", "--files0")),
    "zip": frozenset(("-@",)),
    "tree": frozenset(("--fromfile", "--fromtabfile")),
    "openssl": frozenset(
        "ca req ts s_client s_server s_time ocsp cmp -config -engine -provider-path -rand".split()  # noqa: SIM905
    ),
    **dict.fromkeys(("sort", "wc", "du"), frozenset(("--files0-from",))),
    **dict.fromkeys(("md5sum", "sha1sum", "sha256sum"), frozenset(("-c", "--check"))),
}
COMPILERS = frozenset(("gcc", "g++", "cc", "c++", "clang", "clang++", "as", "ld", "ld.gold", "lld"))
# They say what is in the working directory if they are given no folder.
LISTERS = frozenset(("ls", "find", "du", "tree", "grep", "egrep", "fgrep"))
SOURCE = re.compile(r"@.+|-x.*|-|.+\.([cCsSmihFfdxT]|cc|cpp|cxx|mm|hpp|f90|f95|ii|ld|lds)")  # it may include others
MAX_SCRIPT = 500  # characters that are understood
# A script of sed that prints, deletes or replaces: it reads and starts nothing.
_LINE = r"(?:\d+|\$|/[^/]*/)"
_REPLACE = r"[sy](?P<mark>[^\w\s]).*?(?P=mark).*?(?P=mark)[gpiI\d]*"
SED = re.compile(rf"\s*(?:{_LINE}?(?:,{_LINE})?\s*(?:[pdqQ=nN]|{_REPLACE})\s*(?:[;\n]|$)\s*)*")
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
# Tools that make what must not be there, and that delete what must be there: a second time they fail.
MAKING, DELETING = frozenset(("mkdir", "mkfifo", "mknod")), frozenset(("rm", "rmdir", "mv"))


def reads(ran: Iterable[Ran], commands: str, own: Iterable[str] = ()) -> Iterator[tuple[str, str]]:
    """Yield what the programs may have read.

    `commands` is the folder of the environment's programs; in the folders `own`, no program is one of the system. Each
    item is a path that a plain tool was given (GIVEN), only asked for (ASKED), or that is not there (ABSENT); a folder
    whose names it read (LISTED); the folder whose history a program read, at a commit (HISTORY_OF), with the files of
    its work tree (WORK_TREE_OF), or in any other way (INDEX_OF); a file of its settings (SETTING), which may be
    missing; or the name of a program that may have read anything (UNKNOWN).
    """
    folders = tuple(f"{folder.rstrip(os.sep)}{os.sep}" for folder in own)
    for item in ran:
        yield from _Start(item, commands, folders).reads(item.argv)


class _Start:
    """A start of a program, by its variables; a shell starts others."""

    def __init__(self, item: Ran, commands: str, own: tuple[str, ...]) -> None:
        self.cwd, self.lacks, self._commands, self._own = item.cwd, item.lacks, commands, own
        self._places = item.path.split(os.pathsep) if item.path else [commands]

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
        elif name in SHELLS:
            yield from self._of_shell(argv)
        elif name in HISTORY:
            if argv[1:] != ("--version",):
                yield _folder(self.cwd, argv), _history_of(argv)
                yield from ((os.path.expanduser(file), SETTING) for file in SETTINGS_OF[name])
        elif name in PLAIN and not _is_told_more(name, argv[1:]):
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
        try:
            with open(place, "rb") as file:
                first = file.readline(1000).decode("utf-8", "replace")
                second = file.readline(1000).decode("utf-8", "replace")
        except OSError:
            return False
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


def _is_told_more(name: str, arguments: tuple[str, ...]) -> bool:
    """Return whether a plain tool is told to start a program, or to read files that its command line does not name."""
    if name in COMPILERS:
        return any(SOURCE.fullmatch(word) for word in arguments)
    if name == "ssh-keygen":  # it takes a file of the user's
        return "-f" not in arguments
    options = MORE.get(name, frozenset())
    if name == "sed" and not _is_plain_script(arguments):
        return True
    letters = {option[1] for option in options if len(option) == 2}  # noqa: PLR2004
    for index, word in enumerate(arguments):
        is_long = word.startswith("--") or name == "find"
        if word in options or (is_long and len(word) > 3 and _is_short_for(word, options)):  # noqa: PLR2004
            return True
        is_bundle = word.startswith("-") or (name == "tar" and index == 0)
        if is_bundle and not is_long and not letters.isdisjoint(word):
            return True
    return False


def _is_short_for(word: str, options: Iterable[str]) -> bool:
    start = word.partition("=")[0]
    return any(option.startswith(start) for option in options if option.startswith("--"))


def _is_plain_script(arguments: tuple[str, ...]) -> bool:
    given = [value for option, value in itertools.pairwise(arguments) if option in {"-e", "--expression"}]
    words = [word for word in arguments if not word.startswith("-")]
    joined = any(word.startswith("--e") or (word[:2] == "-e" and len(word) > 2) for word in arguments)  # noqa: PLR2004
    return not joined and all(len(script) < MAX_SCRIPT and SED.fullmatch(script) for script in given or words[:1])


def _of_plain(name: str, cwd: str, arguments: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    """Yield the paths among the arguments, and the working directory if the tool takes it."""
    if name in SILENT:
        return
    asked = {GIVEN: ASKED} if name in ASKING else {}
    if name in MAKING and not any(word.startswith("-") for word in arguments):
        asked = {GIVEN: ABSENT}
    elif name in DELETING and not any(re.match(r"-[a-zA-Z]*f|--f", word) for word in arguments):
        asked = {ABSENT: DELETED}
    yield from ((place, asked.get(how, how)) for place, how in _paths(cwd, arguments))
    words = [word for word in arguments if not word.startswith("-")]
    if name in LISTERS:
        is_grep = name.endswith("grep")
        is_deep = any(re.match(r"-[a-zA-Z]*[rR]|--(deref|rec|dir)|-d", word) for word in arguments)
        if name == "find" and arguments[:1] and arguments[0].startswith("-"):
            words = []
        if (is_grep and is_deep and len(words) <= 1) or not (is_grep or words):
            yield cwd, LISTED if name == "ls" and not is_deep else GIVEN


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
