"""What of a capsule is used on this machine: arguments that choose tests, and variables that can do no harm. Pure."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from venvgrid.processes import variables

if TYPE_CHECKING:
    from collections.abc import Mapping

    from venvgrid.model import Config
    from venvgrid.results.capsules.capsule import Capsule

# Arguments of the run that are used again: they choose and show tests. All others could do something else.
HARMLESS = re.compile(
    r"-x|-s|-q+|-v+|-l|--exitfirst|--strict-markers|--strict-config|--tb=\w+|--maxfail=\d+|--durations=\d+|-n=?\w+"
    r"|-pno:\w+|--run-?\w+|--color=\w+"
)
# Old pytests evaluate expressions: no calls in them.
WITH_VALUE = {"-k": re.compile(r"(?:(?<!\w)\(|(?!__)[\w .:\[\])-])*"), "-m": re.compile(r"(?:(?<!\w)\(|(?!__)[\w )])*")}
WITH_VALUE |= {"-n": re.compile(r"\w+"), "-p": re.compile(r"no:\w+")}
# Variables of the capsule that are set here, by their values: locale, time zone, seed, and words for `pass-env`.
LOCALE = re.compile(r"LANG|LANGUAGE|LC_[A-Z]+|TZ")
LOCALE_VALUE = re.compile(r"[A-Za-z][\w.@:+-]*(?:/[A-Za-z_+-]+)*")
VALUE = re.compile(r"[A-Za-z0-9][A-Za-z0-9.!+_-]*")  # of an axis with a policy
WORD = re.compile(r"[\w.,:=+-]{0,100}")
OF_LOADERS = re.compile(r"LD_|DYLD_|PYTHON|_?VENVGRID_|PYTEST_", re.IGNORECASE)  # they choose the code that runs


def harmless(arguments: tuple[str, ...]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the arguments that only choose or show tests, and the others."""
    kept: list[str] = []
    left_out: list[str] = []
    words = list(arguments)
    while words:
        word = words.pop(0)
        if word in WITH_VALUE and words and WITH_VALUE[word].fullmatch(words[0]):
            kept += [word, words.pop(0)]
        elif HARMLESS.fullmatch(word):
            kept.append(word)
        else:
            left_out.append(word)
            if word.startswith("-") and "=" not in word and words and not words[0].startswith("-"):
                left_out.append(words.pop(0))  # it may be its value
    return tuple(kept), tuple(left_out)


def without_locale(made: Capsule, environ: Mapping[str, str]) -> dict[str, str]:
    """Return the user's variables without those of locale and time zone that the tests of the capsule did not have."""
    return {name: value for name, value in environ.items() if not LOCALE.fullmatch(name) or name in made.passed}


def taken(made: Capsule, config: Config) -> dict[str, str]:
    """Return the variables of the capsule that its tests get here: those that can do no harm, by name and value."""
    return {name: value for name, value in made.passed.items() if _is_taken(name, value, config)}


def _is_taken(name: str, value: str, config: Config) -> bool:
    if LOCALE.fullmatch(name):
        return LOCALE_VALUE.fullmatch(value) is not None and ".." not in value

    def is_passed(patterns: tuple[str, ...]) -> bool:
        found = variables.child_environment({name: value}, pass_env=patterns, extra={}, prefix=Path())
        return name in found and name not in {"PATH", "VIRTUAL_ENV"}

    if name == "PYTHONHASHSEED":
        return is_passed(config.test.pass_env) and value.isdigit() and value.isascii()
    is_asked_for = is_passed(config.test.pass_env) and not is_passed(())
    return is_asked_for and not OF_LOADERS.match(name) and WORD.fullmatch(value) is not None
