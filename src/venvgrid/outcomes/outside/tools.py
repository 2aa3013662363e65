"""Plain tools: what each reads follows from its command line, unless that tells it to read or to start more."""

from __future__ import annotations

import itertools
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

# They read what they are given, and the settings of the machine; unless told more, see `is_told_more`.
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
# Tools that make what must not be there, and that delete what must be there: a second time they fail.
MAKING, DELETING = frozenset(("mkdir", "mkfifo", "mknod")), frozenset(("rm", "rmdir", "mv"))


def is_told_more(name: str, arguments: tuple[str, ...]) -> bool:
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
