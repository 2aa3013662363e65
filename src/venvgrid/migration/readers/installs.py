"""Recognises commands that install (pip, uv, poetry, pdm, setup.py), as arguments of pip. Nothing is run."""

from __future__ import annotations

import re
import tomllib
from contextlib import suppress
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from venvgrid.migration import declared
from venvgrid.migration.model import subtable
from venvgrid.migration.readers import requirements
from venvgrid.migration.readers.substitution import display
from venvgrid.model import ConfigError
from venvgrid.model.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from venvgrid.migration.declared import Declared
    from venvgrid.migration.model import Notes

# Options with a value, of uv, poetry and pdm; those of the second line say nothing about the requirements.
_WITH_VALUE = frozenset({
    "--group", "--only-group", "--extra", "--with", "--no-group", "--resolution", "-m", "--module", "--without",
    "--only", "--extras", "-E", "-G", "-dG",
    "--python", "-p", "--directory", "--project", "--color", "--env-file", "--link-mode",
})  # fmt: skip
_UNDERSTOOD = _WITH_VALUE | frozenset({
    "--all-extras", "--all-groups", "--no-dev", "--no-default-groups", "--no-install-project", "--no-editable",
    "--no-root", "--no-self", "--prod", "--production", "--", "--frozen", "--locked", "--no-sync", "--active",
    "--inexact", "--exact", "--quiet", "-q", "--verbose", "-v", "--no-interaction", "-n", "--no-ansi", "--sync",
    "--compile", "--no-progress", "--dev", "--isolated", "-d", "--no-lock", "--frozen-lockfile", "--no-self-update",
    "--reinstall", "--all-packages", "--managed-python", "--no-managed-python",
})  # fmt: skip
_PREFIXES = ("poetry", "pdm", "hatch", "pipenv", "rye")
_PIP = frozenset({"pip", "pip3"})
_OF_PYTHON = frozenset({"-W", "-X"})  # options with a value
_MODULE = re.compile(r"-[bBdEiIOPqsSuvx]*m")
_CHANGES = frozenset({"install", "uninstall", "add", "remove", "create", "update", "upgrade", "sync", "env", "tool"})
_OTHERS = frozenset({"pip", "pip3", "uv", "conda", "mamba", "pipenv"})

Options = list[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Unwrapped:
    """A command as arguments of pip, and what is left of it to be run."""

    arguments: tuple[str, ...] = ()
    command: tuple[str, ...] = ()


def unwrap(command: Sequence[str], folder: Path, notes: Notes, where: str) -> Unwrapped:
    """Split a command into what it installs and what it runs besides."""
    name, verb, rest = _parts(command)
    if name in _PIP and verb == "install":
        return Unwrapped(tuple(rest))
    if name == "uv" and verb in {"sync", "run"}:
        return _uv(verb, rest, folder, notes, where)
    if name in {"poetry", "pdm"} and verb in {"install", "sync"}:
        return Unwrapped(tuple(_tool(name, rest, folder, notes, where)))
    if name in _PREFIXES and verb == "run":
        return _run(name, rest, folder, notes, where)
    if name == "ensurepip":
        return Unwrapped(("pip",))
    if (name in _OTHERS and verb in _CHANGES) or name in {"easy_install", "pip-sync"}:
        notes.lose(f"{where}: `{display(' '.join(command))[:100]}` changes what is installed")
        return Unwrapped()
    if "setup.py" in command and {"develop", "install"} & set(command):
        return Unwrapped(("-e", ".") if "develop" in command else (".",))
    return Unwrapped((), tuple(command))


def _run(tool: str, words: Sequence[str], folder: Path, notes: Notes, where: str) -> Unwrapped:
    """Read `TOOL run`: it may run a script of the project's files, and hatch installs what its environment needs."""
    script, shown = (
        next((word for word in words if not word.startswith("-")), ""),
        display(" ".join((tool, "run", *words)))[:100],
    )
    if tool == "hatch":
        notes.lose(f"{where}: `{shown}` runs in an environment of hatch: give hatch to --from, which reads it")
        return Unwrapped()
    if script in _scripts(tool, folder):
        notes.lose(f"{where}: `{shown}` runs the script {script!r} of {tool}: write what it runs in its place")
        return Unwrapped()
    return Unwrapped((), tuple(words))


def _scripts(tool: str, folder: Path) -> Mapping[str, object]:
    """Return the scripts that a tool runs by their names. Those of poetry are programs of the project."""
    if tool == "poetry":
        return {}
    if tool != "pipenv":
        return subtable(subtable(subtable(_declared(folder).pyproject, "tool"), tool), "scripts")
    with suppress(OSError, ValueError):
        return subtable(tomllib.loads((folder / "Pipfile").read_text(encoding="utf-8")), "scripts")
    return {}


def _parts(command: Sequence[str]) -> tuple[str, str, list[str]]:
    """Return the program of a command, its subcommand and the other words; `uv pip` and `python -m pip` are pip.

    Options before a subcommand are among the other words.
    """
    words = list(command)
    if re.fullmatch(r"(?:.*/)?python[\d.]*|\{python\}|py", "".join(words[:1])):
        _, left = _split_options(words[1:], _OF_PYTHON)
        words = left[1:] if _MODULE.fullmatch("".join(left[:1])) else words
    name = PurePosixPath("".join(words[:1])).name
    options, rest = _split_options(words[1:], requirements.WITH_VALUE)
    if name == "uv" and rest[:1] == ["pip"]:
        name = "pip"
        more, rest = _split_options(rest[1:], requirements.WITH_VALUE)
        options += more
    if name not in _OTHERS:
        return name, "".join(words[1:2]), words[2:]
    return name, "".join(rest[:1]), [*options, *rest[1:]]


def _split_options(words: Sequence[str], with_value: frozenset[str]) -> tuple[list[str], list[str]]:
    """Split words at the first one that is no option, or that names a module (`-m`, `-Im`)."""
    end = 0
    while end < len(words) and words[end].startswith("-") and not _MODULE.fullmatch(words[end]):
        end += 2 if words[end] in with_value else 1
    return list(words[:end]), list(words[end:])


def _declared(folder: Path) -> Declared:
    with suppress(ConfigError):
        return declared.read(folder)
    return declared.Declared()


def _options(words: Sequence[str], notes: Notes, where: str) -> tuple[Options, list[str]]:
    """Return the options before the first other word, and the words from there on."""
    found: Options = []
    left = list(words)
    while left and left[0].startswith("-"):
        option, equals, value = left.pop(0).partition("=")
        if option in _WITH_VALUE and not equals:
            value = left.pop(0) if left else ""
        if option not in _UNDERSTOOD:
            notes.lose(f"{where}: the option {option} of an installer")
        found.append((option, value))
        if option in {"--", "-m", "--module"}:
            break
    return found, left


def _values(options: Options, *names: str) -> list[str]:
    return [item for name, value in options if name in names for item in re.split(r"[,\s]+", value) if item]


def _uv(verb: str, words: Sequence[str], folder: Path, notes: Notes, where: str) -> Unwrapped:
    """Read `uv sync` and `uv run`."""
    known = _declared(folder)
    options, left = _options(words, notes, where)
    given = {name for name, _ in options}
    if modules := _values(options, "-m", "--module"):
        left = ["python", "-m", *modules, *left]
    if verb == "run" and "--no-sync" in given:
        return Unwrapped((), tuple(left))
    _locked("uv", folder, notes, where)
    groups = [*_values(options, "--group", "--only-group"), *(known.groups if "--all-groups" in given else ())]
    if not {"--no-dev", "--no-default-groups", "--only-group"} & given:
        groups += _default_groups(known)
    without = set(_values(options, "--no-group"))
    extras = [*_values(options, "--extra"), *(known.extras if "--all-extras" in given else ())]
    project = (
        [] if {"--no-install-project", "--only-group"} & given else ["."] if "--no-editable" in given else ["-e", "."]
    )
    arguments = [*project, *_values(options, "--with")]
    arguments += [word for extra in extras for word in ("--extra", extra)]
    arguments += [word for name in dict.fromkeys(groups) if name not in without for word in ("--group", name)]
    arguments += [word for name in _values(options, "--resolution") for word in ("--resolution", name)]
    return Unwrapped(tuple(arguments), tuple(left) if verb == "run" else ())


def _locked(tool: str, folder: Path, notes: Notes, where: str) -> None:
    """Note that a tool installs the versions of its lock."""
    if (folder / f"{tool}.lock").is_file():
        notes.add(
            f"{where}: {tool} installs what {tool}.lock holds; venvgrid resolves anew: `venvgrid lock` makes a lock"
        )


def _default_groups(known: Declared) -> list[str]:
    chosen = subtable(subtable(known.pyproject, "tool"), "uv").get("default-groups", ["dev"])
    names = list(known.groups) if chosen == "all" else [str(name) for name in chosen]
    return [name for name in names if name in known.groups]


def _tool(tool: str, words: Sequence[str], folder: Path, notes: Notes, where: str) -> list[str]:
    """Return what `poetry install` or `pdm install` installs."""
    known = _declared(folder)
    options, _ = _options(words, notes, where)
    _locked(tool, folder, notes, where)
    given = {name for name, _ in options}
    tables = {name.rpartition(".")[2]: listed for name, listed in known.others.items() if f".{tool}." in name}
    optional = subtable(subtable(subtable(known.pyproject, "tool"), tool), "group")
    chosen = [name for name in tables if not subtable(optional, name).get("optional")]
    chosen += list(known.groups) if tool == "pdm" else []
    asked = _values(options, "--with", "-G", "-dG", "--group")
    chosen = asked if tool == "pdm" and asked else [*chosen, *asked]
    if only := _values(options, "--only"):
        chosen = only
    if {"--no-dev", "--prod", "--production"} & given:
        chosen = asked
    without = {*_values(options, "--without"), "main"}
    is_whole = not {"--no-root", "--no-self"} & given and (not only or "main" in only)
    arguments = ["-e", "."] if is_whole else []
    extras = [*_values(options, "--extras", "-E"), *(known.extras if "--all-extras" in given else ())]
    arguments += [word for name in extras for word in ("--extra", name)]
    for name in dict.fromkeys(chosen):
        if name in without:
            continue
        if name in known.groups:
            arguments += ["--group", name]
        elif name in tables:
            arguments += tables[name]
        elif name in known.extras:
            arguments += ["--extra", name]
        else:
            notes.lose(f"{where}: the group {name} of {tool}, which pyproject.toml does not have")
    return arguments
