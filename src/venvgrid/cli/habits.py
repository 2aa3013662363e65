"""Words that users of tox, nox and pytest type out of habit, and what they are here. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from venvgrid.planning.habits import selection

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

SYNONYMS = {
    **dict.fromkeys(("test", "tests", "tox", "nox", "pytest", "start", "exec-all", "r", "p", "run-parallel"), "run"),
    **dict.fromkeys(("ls", "l", "cells", "envs", "listenvs", "sessions"), "list"),
    **dict.fromkeys(("pythons", "interpreters", "versions"), "python"),
    **dict.fromkeys(("resolve", "dry-run", "check"), "plan"),
    **dict.fromkeys(("quickstart", "migrate", "new"), "init"),
    **dict.fromkeys(("results", "last", "html"), "report"),
    **dict.fromkeys(("devenv", "d", "activate"), "shell"),
    "help": "--help",
    "version": "--version",
}
SELECTS = (
    "-e",
    "--env",
    "--envlist",
    "-s",
    "--session",
    "--sessions",
    "-f",
    "--testenv",
    "--cell",
    "--cells",
    "--select",
)
PARALLEL = ("-p", "--parallel", "-P", "--parallel-no-spinner", "-n", "--numprocesses", "--workers", "--jobs")
LISTS = ("-l", "--list", "--listenvs", "-a", "--listenvs-all", "--list-sessions")
RECREATES = ("-r", "--recreate", "-R", "--force-recreate", "--reuse-existing-virtualenvs", "--clean")
STOPS = ("-x", "--exitfirst", "--exit-first")
DRY = ("--notest", "--install-only", "--dry-run", "--collect-only", "--co")
EDITABLE = ("--develop", "--editable", "--skip-pkg-install")
OF_PYTEST = ("-m", "--lf", "--last-failed", "--ff", "--pdb", "--maxfail", "--tb", "--durations", "--cov", "--sw")


def corrected(words: Sequence[str]) -> Iterator[str]:
    """Yield the words of a line with what they are here in place of options of others; what is not known stays."""
    taken = False
    for number, word in enumerate(words):
        if taken:
            taken = False
            continue
        name = word.partition("=")[0]
        name = name if name.startswith("--") else name[:2]
        value = value_of(word, words[number:])
        if name in SELECTS:
            yield from ("-k", selection(value.split(",")) or value or "EXPR")
        elif name in PARALLEL:
            yield from ("-j", value if value.isdigit() else "4")
        elif name in RECREATES or name in STOPS:
            yield "--fresh" if name in RECREATES else "--fail-fast"
        else:
            yield word
        taken = name in (*SELECTS, *PARALLEL) and bool(value) and word == name


def value_of(option: str, words: Sequence[str]) -> str:
    """Return the value of an option that no parser knows: "-e X", "-eX", "-e=X"."""
    name, equals, value = option.partition("=")
    if equals:
        return value
    if not name.startswith("--") and len(name) > 2:  # noqa: PLR2004  (a dash and a letter)
        return name[2:]
    following = words[words.index(option) + 1 :] if option in words else ()
    return following[0] if following and not following[0].startswith("-") else ""
