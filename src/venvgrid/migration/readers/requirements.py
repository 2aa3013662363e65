"""Parses arguments of installers, and requirements files. Nothing is installed."""

from __future__ import annotations

import os
import re
import shlex
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from packaging.requirements import InvalidRequirement, Requirement

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from venvgrid.migration.model import Notes

MAX_FILE_BYTES = 1_000_000  # bytes
MAX_DEPTH = 5  # of nested requirements files
# Tools that create environments: no requirements of the tests.
TOOLS = frozenset({
    "pip", "setuptools", "wheel", "tox", "nox", "uv", "tox-uv", "tox-gh-actions", "tox-gh", "hatch", "virtualenv",
})  # fmt: skip

_LOCAL = re.compile(r"(?:\.|\./|file:\.)(?:\[(?P<extras>[^\]]*)\])?")
# Whether the file holds constraints.
_FILES = {"-r": False, "--requirement": False, "-c": True, "--constraint": True}
_WITH_VALUE = frozenset({
    "-r", "--requirement", "-c", "--constraint", "-e", "--editable", "--group", "-g", "--resolution", "--extra",
    "-i", "--index-url", "--extra-index-url", "-f", "--find-links", "--platform", "--target", "--python",
})  # fmt: skip
_HARMLESS = frozenset({
    "-U", "--upgrade", "-q", "--quiet", "--system", "--no-cache-dir", "--disable-pip-version-check", "--hash",
})  # fmt: skip


@dataclass(slots=True, kw_only=True)
class InstallArguments:
    """Parsed arguments of an installer. `project` is "wheel" or "editable" if they install the project itself."""

    requires: list[str] = field(default_factory=list)
    constraints: list[str] = field(default_factory=list)
    extras: list[str] = field(default_factory=list)
    groups: list[str] = field(default_factory=list)
    project: str = ""
    resolution: str = ""
    missing: list[str] = field(default_factory=list)  # requirements that [install] cannot express


def parse_arguments(arguments: Iterable[str], folder: Path, notes: Notes, where: str) -> InstallArguments:
    """Parse the arguments of `pip install` or a compatible command."""
    result = InstallArguments()
    words = list(arguments)
    while words:
        word = words.pop(0).strip()
        option, equals, value = _option(word)
        if option in _WITH_VALUE and not equals:
            value = words.pop(0).strip() if words else ""
        if option in _FILES:
            _file(result, value, folder, notes, where, is_constraint=_FILES[option])
        elif option in {"-e", "--editable"}:
            _local(result, value, "editable", notes, where)
        elif option.startswith("-"):
            _apply_option(result, option, value, notes, where)
        elif _LOCAL.fullmatch(word):
            _local(result, word, "wheel", notes, where)
        elif word:
            _requirement(result, word, notes, where)
    return result


def _apply_option(result: InstallArguments, option: str, value: str, notes: Notes, where: str) -> None:
    if option in {"--group", "-g"}:
        result.groups.append(value)
    elif option == "--extra":
        result.extras.append(value)
    elif option == "--resolution":
        result.resolution = value
    elif option not in _HARMLESS:
        notes.add(f"{where}: the option {option}")


def _option(word: str) -> tuple[str, bool, str]:
    """Split an option from its value: "-rFILE", "-r FILE", "--requirement=FILE", "-e."."""
    if short := re.fullmatch(r"(-[rce])\s*([^-=\s].*)", word):
        return short[1], True, short[2]
    option, equals, value = word.partition("=") if word.startswith("-") else (word, "", "")
    return option, bool(equals), value


def _split(line: str) -> list[str]:
    try:
        return shlex.split(line)
    except ValueError:  # an open quote
        return line.split()


def _local(result: InstallArguments, target: str, how: str, notes: Notes, where: str) -> None:
    if (found := _LOCAL.fullmatch(target.strip())) is None:
        notes.add(f"{where}: {target} is installed from a folder or an address")
        return
    result.project = how
    result.extras += [extra.strip() for extra in (found["extras"] or "").split(",") if extra.strip()]


def _requirement(result: InstallArguments, text: str, notes: Notes, where: str, *, is_constraint: bool = False) -> None:
    try:
        parsed = Requirement(text)
    except InvalidRequirement:
        notes.add(f"{where}: {text} is no requirement with a name")
        result.missing.append(text)
        return
    if parsed.url is not None and not parsed.url.startswith("https://"):
        notes.add(f"{where}: {text}: only addresses with https are possible")
        result.missing.append(text)
    elif parsed.name.lower() not in TOOLS:
        (result.constraints if is_constraint else result.requires).append(text)


def _file(
    result: InstallArguments, name: str, folder: Path, notes: Notes, where: str, *, is_constraint: bool, depth: int = 0
) -> None:
    path = folder / name
    text = None
    with suppress(OSError, ValueError, UnicodeDecodeError):
        if os.path.getsize(path) <= MAX_FILE_BYTES:  # noqa: PTH202  (a name may hold anything)
            text = path.read_text(encoding="utf-8-sig")
    if text is None or depth > MAX_DEPTH:
        notes.add(f"{where}: the requirements file {name} cannot be read")
        return
    for raw in text.replace("\\\n", " ").splitlines():
        line = re.split(r"(?:^|\s)#", raw, maxsplit=1)[0].strip()
        line = re.split(r"\s--hash[= ]", line, maxsplit=1)[0].strip()
        if nested := re.fullmatch(r"(?:-r|--requirement|-c|--constraint)[= ]?\s*(?P<name>\S+)", line):
            constrains = is_constraint or line.startswith(("-c", "--constraint"))
            _file(result, nested["name"], path.parent, notes, where, is_constraint=constrains, depth=depth + 1)
        elif line.startswith("-"):
            more = parse_arguments(_split(line), path.parent, notes, f"{where}, {name}")
            result.extras += more.extras
            result.project = result.project or more.project
        elif line:
            _requirement(result, line, notes, f"{where}, {name}", is_constraint=is_constraint)
