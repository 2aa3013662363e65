"""Mistakes of typing: what was probably meant, and what to type. Pure.

Many users come from tox, nox or pytest. Their options are known here by name, so that the message can say how venvgrid
does the same.
"""

from __future__ import annotations

import difflib
import re
from typing import TYPE_CHECKING

from venvgrid.cli.habits import (
    DRY,
    EDITABLE,
    LISTS,
    OF_PYTEST,
    PARALLEL,
    RECREATES,
    SELECTS,
    STOPS,
    SYNONYMS,
    corrected,
    value_of,
)
from venvgrid.planning.habits import selection
from venvgrid.reporters.text import command as quoted

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    Options = Mapping[str, Collection[str]]  # command → its option strings

_UNKNOWN = re.compile(r"unrecognized arguments: (.*)", re.DOTALL)
_REQUIRED = re.compile(r"the following arguments are required: (.*)")
_CHOICE = re.compile(
    r"argument (\S+): invalid choice: '(.*?)'(?:, maybe you meant [^(]*)? \(choose from (.*)\)", re.DOTALL
)
_SWITCH = re.compile(r"argument (--\S+): ignored explicit argument '(.*)'")
_VALUE = re.compile(r"argument (\S+): expected (?:one|at least one) argument")


# What a command or an option needs, as an example.
EXAMPLES = {
    "merge": "venvgrid merge shard-*.record -o merged",
    "completion": 'eval "$(venvgrid completion bash)"',
    "gate": "venvgrid gate plan.json records/",
    "reproduce": "venvgrid reproduce .venvgrid/runs/RUN/capsules/CELL.capsule",
    "ci issues": "venvgrid ci issues merged",
    "worker": "venvgrid worker tls://HOST:8786 --certificates FOLDER",
    "scheduler": "venvgrid scheduler tls://0.0.0.0:8786 --certificates FOLDER",
    "-k": "-k py3.12",
    "-j": "-j 4",
    "-c": "-c matrix.toml",
    "--on": "--on tls://HOST:8786",
    "--report": "--report html=report.html",
    "--shard": "--shard 1/4",
    "--plan": "--plan plan.json",
    "--record": "--record shard-1.record",
    "--from": "--from tox",
    "--format": "--format html",
}
ALIKE = 0.7  # of 1; `--json` is not `--on`
BEGUN = 5  # characters of an option that is not whole, `--all`


def explain(message: str, argv: Sequence[str], options: Options) -> str:
    """Return one message for a command line that argparse refused with `message`; the way out is in it."""
    words, rest = list(argv), []
    if "--" in words:
        cut = words.index("--")
        words, rest = words[:cut], words[cut + 1 :]
    command = words[0] if words else ""
    if not command:
        return f"arguments after -- go to the tests, and need a command before them. Type: {_typed('run', '--', *rest)}"
    if command not in options:
        return _no_command(words, rest, options)
    if found := _UNKNOWN.fullmatch(message):
        return _unknown(command, found[1].split() or [""], words[1:], rest, options)
    if found := _REQUIRED.fullmatch(message):
        return _required(words, found[1])
    if found := _CHOICE.fullmatch(message):
        allowed = [item.strip(" '") for item in found[3].split(",")]
        if found[2] in {"remove", "rm", "clean", "clear", "purge", "delete", "del"} and "prune" in allowed:
            what = "environments" if command == "env" else "what is no longer used"
            return f"there is no action {found[2]!r}. To delete {what}, type: {_typed(command, 'prune')}"
        return (
            f"{command}: {found[1]} cannot be {found[2]!r}{_nearest(found[2], allowed)} (allowed: {', '.join(allowed)})"
        )
    if found := _VALUE.fullmatch(message):
        example = next((EXAMPLES[name] for name in found[1].split("/") if name in EXAMPLES), "")
        shown = f", for example: venvgrid {command} {example}" if example else ""
        return f"{command}: {found[1]} needs a value after it{shown}. See: {_typed(command, '--help')}"
    if found := _SWITCH.fullmatch(message):
        name = found[1].partition("/")[0]
        meant = f"--no-{name[2:]}" if found[2].lower() in {"false", "no", "0", "off"} else name
        typed = _typed(command, *(meant if word.startswith(f"{name}=") else word for word in words[1:]), *rest)
        return f"{command}: {name} takes no value. Type: {typed}"
    return f"{command}: {message.removeprefix('argument ')}. See: {_typed(command, '--help')}"


def no_grid(
    word: str, grids: Collection[str], rest: Sequence[str] = (), command: str = "run", *, is_path: bool = False
) -> str:
    """Return the message for a word after a command that names no grid; `is_path`: a file or folder has this name."""
    after = ("--", *rest) if rest else ()
    close = difflib.get_close_matches(word, grids, n=1)
    if word in {"true", "false", "config"} and not close:  # tox's values of --skip-missing-interpreters
        switch = "--no-skip-missing-interpreters" if word == "false" else "--skip-missing-interpreters"
        return f"{word!r} is no grid, and no option takes it. Type: {_typed('run', switch, *after)}"
    if close:
        return f"no grid is named {word!r}; did you mean {close[0]!r}? The grids are: {', '.join(grids)}"
    if _is_test(word) or is_path:
        return f"{word!r} is no grid. To pass it to the tests, type: {_typed('run', '--', word, *rest)}"
    if selected := selection([word]):
        return f"{word!r} is no grid. To choose cells, type: {_typed(command, '-k', selected, *after)}"
    there = f"The grids are: {', '.join(grids)}." if grids else "The configuration has no [grid.NAME]."
    return (
        f"no grid is named {word!r}. {there} To choose cells by a part of their ids, "
        f"type: {_typed(command, '-k', word)}"
    )


def _no_command(words: list[str], rest: list[str], options: Options) -> str:
    """Return the message for a line that does not begin with a command."""
    first, after = words[0], (["--", *rest] if rest else [])
    if first.startswith("-"):
        return _early_option(words, after, options)
    if first == "help" and words[1:2] and words[1] in options:
        return f"there is no command 'help'. Type: {_typed(words[1], '--help')}"
    if first in SYNONYMS:
        return f"there is no command {first!r}. Type: {_typed(SYNONYMS[first])}"
    if _is_test(first):
        return f"{first!r} is no command. To pass it to the tests, type: {_typed('run', '--', first, *rest)}"
    if selected := selection(first.split(",")):
        return f"{first!r} is no command. To run these cells, type: {_typed('run', '-k', selected, *after)}"
    close = difflib.get_close_matches(first, [*options, *SYNONYMS], n=1)
    if close and close[0] in SYNONYMS:  # a slip in the word of another tool
        return f"there is no command {first!r}. Type: {_typed(SYNONYMS[close[0]])}"
    if close:
        return f"there is no command {first!r}; did you mean {close[0]!r}? Type: {_typed(close[0], *words[1:], *after)}"
    return f"there is no command {first!r}. The commands are: {', '.join(options)}"


def _early_option(words: list[str], after: list[str], options: Options) -> str:
    """Return the message for a line that begins with an option."""
    first = words[0]
    later = next((number for number, word in enumerate(words) if word in options), None)
    if habit := _habit([word for word in words if word not in options], first, after, "run", options["run"]):
        return habit
    if later is not None and not _is_unknown(first, words[later], options):
        moved = [words[later], *words[:later], *words[later + 1 :]]
        return f"options stand after the command. Type: {_typed(*moved, *after)}"
    if not _is_unknown(first, "run", options):
        return f"an option needs a command before it. Type: {_typed('run', *words, *after)}"
    known = ("--version", "--help", *options["run"])
    if first in {"-C", "--directory", "--chdir"}:
        return f"there is no option {first}: venvgrid works in this folder. Go there first, or type: " + _typed(
            "run", "-c", f"{value_of(first, words) or 'FOLDER'}/matrix.toml"
        )
    return f"there is no option {first}{_nearest(first, known) or '.'} See: {_typed('--help')}"


def _unknown(command: str, unknown: list[str], words: list[str], rest: list[str], options: Options) -> str:
    """Return the message for arguments that a command does not know."""
    first = next((word for word in unknown if word.startswith("-")), unknown[0])
    after = ["--", *rest] if rest else []
    if command == "python" and first in {"install", "find", "pin", "download"}:
        by_hand = f"uv python {' '.join(unknown)}"
        return f"{command} only lists. venvgrid run downloads with uv what is missing; by hand, type: {by_hand}"
    if not first.startswith("-"):
        return _extra_word(command, unknown, words)
    name = first.partition("=")[0]
    if name in {"--grid", "--grids"} and "--all-grids" in options[command]:
        named = value_of(first, words)
        return f"a grid is named without an option. Type: {_typed(command, named or 'GRID', *after)}"
    known = options[command]
    if habit := _initial(command, name, known) or _habit(words, first, after, command, known):
        return habit
    if meant := _alike(name, options[command]):
        typed = _typed(command, *(word.replace(name, meant, 1) if word == first else word for word in words), *after)
        return f"{command} has no option {name}; did you mean {meant}? Type: {typed}"
    others = [other for other, names in options.items() if name in names]
    if others:
        if command == "list" and "plan" in others:
            return f"list only names the cells. Type: {_typed('plan', *words, *after)}"
        listed = f"{', '.join(others[:-1])} and {others[-1]} have" if others[1:] else f"{others[0]} has"
        has = f"{listed} it"
        return f"{command} has no option {name} ({has}). See: {_typed(command, '--help')}"
    if name in {"--python", "--py"} and command in {"run", "plan", "list", "lock"}:
        chosen = selection([value_of(first, words)]) or "py3.12"
        return f"venvgrid chooses cells with -k. Type: {_typed(command, '-k', chosen, *after)}"
    if command == "run":
        of_tests = [word for word in words if word not in options["run"]]
        return f"run has no option {name}. If it is for the tests, type: {_typed('run', '--', *of_tests, *rest)}"
    has = ", ".join(item for item in options[command] if item.startswith("--") and item != "--help")
    return f"{command} has no option {name}{f' (it has {has})' if has else ''}. See: {_typed(command, '--help')}"


def _extra_word(command: str, unknown: list[str], words: list[str]) -> str:
    """Return the message for a word that a command has no place for."""
    if command == "init":
        return f"init takes files and runners after --from. Type: {_typed('init', '--from', *unknown)}"
    without = [word for word in words if word not in unknown]
    return f"{command} does not take {unknown[0]!r}. Without it: {_typed(command, *without)}"


def _initial(command: str, name: str, options: Collection[str]) -> str:
    """Return the message for a letter in place of a long option, or ""."""
    is_letter = len(name) == 2 and "-k" not in options  # noqa: PLR2004  (else it is a habit, or of the tests)
    meant = [item for item in options if is_letter and item.startswith(f"-{name}")]
    ways = "; or: ".join(_typed(command, item) for item in reversed(meant))
    return f"{command} has no option {name}. Type: {ways}" if meant else ""


def _alike(name: str, options: Collection[str]) -> str:
    """Return the option that was probably meant, or ""."""
    if len(short := f"-{name.lstrip('-').lower()}") == 2 and short in options:  # noqa: PLR2004  (a dash and a letter)
        return short
    known = [item.removeprefix("--") for item in options if item.startswith("--") and name.startswith("--")]
    close = difflib.get_close_matches(name.removeprefix("--"), known, n=1, cutoff=ALIKE)
    begun = [item for item in known if len(name) >= BEGUN and item.startswith(name.removeprefix("--"))]
    close = close or (begun if len(begun) == 1 else [])
    return f"--{close[0]}" if close else ""


def _habit(words: Sequence[str], option: str, after: list[str], command: str, known: Collection[str]) -> str:
    """Return the message for an option of tox, nox or pytest, or "".

    `words` stand after the command; `after` is `--` and the arguments of the tests.
    """
    name, value = option.partition("=")[0], value_of(option, words)
    name = name if name.startswith("--") else name[:2]
    if "-k" not in known:  # another command, which takes none of its options
        command, words = "run", [option, *([value] if value in words else [])]
    line = [command, *corrected(words)]
    if name in SELECTS and value.lower() in {"true", "false", "config"}:  # tox -s true
        return f"there is no option {name}. Type: {_typed('run', '--skip-missing-interpreters', *after)}"
    if name in SELECTS:
        more = "" if selection(value.split(",")) else f" (the cells: {_typed('list')})"
        return f"venvgrid chooses cells with -k, not with {name}. Type: {_typed(*line, *after)}{more}"
    if name in OF_PYTEST or name.startswith("--cov"):
        given = [option, *([value] if value and option == name else [])]
        return f"{name} is an option of pytest. Type: {_typed('run', '--', *given, *after[1:])}"
    told = {
        PARALLEL: f"cells always run in parallel. To say how many, type: {_typed(*line, *after)}",
        RECREATES: "venvgrid builds an environment again when what it holds changes. "
        f"To build all anew, type: {_typed(*line, *after)}",
        LISTS: f"to list the cells, type: {_typed('list')}",
        STOPS: f"to stop at the first red cell, type: {_typed(*line, *after)}; "
        f"to stop each cell at its first red test: {_typed('run', '--', '-x', *after[1:])}",
        DRY: f"to see what would run, and which versions cannot be together, type: {_typed('plan')}",
        EDITABLE: 'write it into the configuration: [project] install = "editable"',
    }
    return next((f"there is no option {name}: {text}" for names, text in told.items() if name in names), "")


def _required(words: list[str], names: str) -> str:
    actions = {"env", "cache", "ci"}  # their second word is one
    command = " ".join(words[: 2 if words[0] in actions and words[1:2] and not words[1].startswith("-") else 1])
    if command in EXAMPLES:
        return f"{command} needs {names}. For example: {EXAMPLES[command]}"
    if "CELL" in names:
        return f"{command} needs the id of a cell: venvgrid {command} CELL. The cells: {_typed('list')}"
    return f"{command} needs {names}. See: venvgrid {command} --help"


def _is_unknown(option: str, command: str, options: Options) -> bool:
    return option.partition("=")[0] not in options[command]


def _is_test(word: str) -> bool:
    return "/" in word or "\\" in word or "::" in word or word.endswith(".py")


def _nearest(word: str, known: Iterable[str]) -> str:
    close = difflib.get_close_matches(word, list(known), n=1)
    return f"; did you mean {close[0]!r}?" if close else ""


def _typed(*words: str) -> str:
    return quoted("venvgrid", *words)
