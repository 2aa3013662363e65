"""The arguments of an installer, and requirements files: what they ask for. Files are read, nothing is installed."""

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

    from venvgrid.migration.model import Lost

MAX_FILE_BYTES = 1_000_000  # bytes
MAX_DEPTH = 5  # files that name files
# The tools that make environments are no requirements of the tests.
TOOLS = frozenset({
    "pip", "setuptools", "wheel", "tox", "nox", "uv", "tox-uv", "tox-gh-actions", "tox-gh", "hatch", "virtualenv",
})  # fmt: skip

_LOCAL = re.compile(r"(?:\.|\./|file:\.)(?:\[(?P<extras>[^\]]*)\])?")
# Whether what is in the file constrains.
_FILES = {"-r": False, "--requirement": False, "-c": True, "--constraint": True}
_WITH_VALUE = frozenset({
    "-r", "--requirement", "-c", "--constraint", "-e", "--editable", "--group", "-g", "--resolution", "--extra",
    "-i", "--index-url", "--extra-index-url", "-f", "--find-links", "--platform", "--target", "--python",
})  # fmt: skip
_HARMLESS = frozenset({
    "-U", "--upgrade", "-q", "--quiet", "--system", "--no-cache-dir", "--disable-pip-version-check", "--hash",
})  # fmt: skip


@dataclass(slots=True, kw_only=True)
class Asked:
    """What arguments ask for. `project` is "wheel" or "editable" where they install the project itself."""

    requires: list[str] = field(default_factory=list)
    constraints: list[str] = field(default_factory=list)
    extras: list[str] = field(default_factory=list)
    groups: list[str] = field(default_factory=list)
    project: str = ""
    resolution: str = ""
    missing: list[str] = field(default_factory=list)  # what cannot be asked for in a [install]


def understand(arguments: Iterable[str], folder: Path, lost: Lost, where: str) -> Asked:
    """Understand the arguments of `pip install`, or of what speaks the same language."""
    asked = Asked()
    words = list(arguments)
    while words:
        word = words.pop(0).strip()
        option, equals, value = _option(word)
        if option in _WITH_VALUE and not equals:
            value = words.pop(0).strip() if words else ""
        if option in _FILES:
            _file(asked, value, folder, lost, where, is_constraint=_FILES[option])
        elif option in {"-e", "--editable"}:
            _local(asked, value, "editable", lost, where)
        elif option.startswith("-"):
            _take(asked, option, value, lost, where)
        elif _LOCAL.fullmatch(word):
            _local(asked, word, "wheel", lost, where)
        elif word:
            _requirement(asked, word, lost, where)
    return asked


def _take(asked: Asked, option: str, value: str, lost: Lost, where: str) -> None:
    if option in {"--group", "-g"}:
        asked.groups.append(value)
    elif option == "--extra":
        asked.extras.append(value)
    elif option == "--resolution":
        asked.resolution = value
    elif option not in _HARMLESS:
        lost.add(f"{where}: the option {option}")


def _option(word: str) -> tuple[str, bool, str]:
    """Part an option from its value: "-rFILE", "-r FILE", "--requirement=FILE", "-e."."""
    short = re.fullmatch(r"(-[rce])\s*([^-=\s].*)", word)
    if short:
        return short[1], True, short[2]
    option, equals, value = word.partition("=") if word.startswith("-") else (word, "", "")
    return option, bool(equals), value


def _split(line: str) -> list[str]:
    try:
        return shlex.split(line)
    except ValueError:  # an open quote
        return line.split()


def _local(asked: Asked, target: str, how: str, lost: Lost, where: str) -> None:
    found = _LOCAL.fullmatch(target.strip())
    if found is None:
        lost.add(f"{where}: {target} is installed from a folder or an address")
        return
    asked.project = how
    asked.extras += [extra.strip() for extra in (found["extras"] or "").split(",") if extra.strip()]


def _requirement(asked: Asked, text: str, lost: Lost, where: str, *, is_constraint: bool = False) -> None:
    try:
        parsed = Requirement(text)
    except InvalidRequirement:
        lost.add(f"{where}: {text} is no requirement with a name")
        asked.missing.append(text)
        return
    if parsed.url is not None and not parsed.url.startswith("https://"):
        lost.add(f"{where}: {text}: only addresses with https are possible")
        asked.missing.append(text)
    elif parsed.name.lower() not in TOOLS:
        (asked.constraints if is_constraint else asked.requires).append(text)


def _file(
    asked: Asked, name: str, folder: Path, lost: Lost, where: str, *, is_constraint: bool, depth: int = 0
) -> None:
    path = folder / name
    text = None
    with suppress(OSError, ValueError, UnicodeDecodeError):
        if os.path.getsize(path) <= MAX_FILE_BYTES:  # noqa: PTH202  (a name may hold anything)
            text = path.read_text(encoding="utf-8-sig")
    if text is None or depth > MAX_DEPTH:
        lost.add(f"{where}: the requirements file {name} cannot be read")
        return
    for raw in text.replace("\\\n", " ").splitlines():
        line = re.split(r"(?:^|\s)#", raw, maxsplit=1)[0].strip()
        line = re.split(r"\s--hash[= ]", line, maxsplit=1)[0].strip()
        nested = re.fullmatch(r"(?:-r|--requirement|-c|--constraint)[= ]?\s*(?P<name>\S+)", line)
        if nested:
            constrains = is_constraint or line.startswith(("-c", "--constraint"))
            _file(asked, nested["name"], path.parent, lost, where, is_constraint=constrains, depth=depth + 1)
        elif line.startswith("-"):
            more = understand(_split(line), path.parent, lost, f"{where}, {name}")
            asked.extras += more.extras
            asked.project = asked.project or more.project
        elif line:
            _requirement(asked, line, lost, f"{where}, {name}", is_constraint=is_constraint)
