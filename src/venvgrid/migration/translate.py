"""Translates a file of another runner into a matrix.toml; chooses the reader by the file's name."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

from packaging.requirements import Requirement

from venvgrid.config import config_file, loading
from venvgrid.migration import declared, matrix_toml, variants
from venvgrid.migration.model import MAIN_NAMES, subtable
from venvgrid.model import ConfigError, UsageError
from venvgrid.model.names import normalise
from venvgrid.model.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from pathlib import Path

    from venvgrid.migration.model import ParsedSource, Variant

MAX_FILE_BYTES = 1_000_000  # bytes
MAX_LEVELS = 4  # folders above that are looked at
# Files of a runner, if its name is given instead of a file.
RUNNERS = {
    "tox": ("tox.ini", "tox.toml", "setup.cfg", "pyproject.toml"),
    "nox": ("noxfile.py",),
    "hatch": ("hatch.toml", "pyproject.toml"),
}
_MARKS = {"tox": r"^\[(?:tox:tox|testenv|tool\.tox)\b", "nox": "", "hatch": r"^\[+tool\.hatch\.envs\b"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Translation:
    """The text of a matrix.toml; what of its source is not in it (`lost`), and what differs (`notes`)."""

    text: str
    lost: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    source: str = ""  # the file that it was made from


def is_there(runner: str, folder: Path) -> bool:
    """Whether a project has environments of a runner."""
    path = next((folder / name for name in RUNNERS[runner] if (folder / name).is_file()), None)
    if path is None or path.suffix not in {".cfg", ".toml"} or path.name in {"tox.toml", "hatch.toml"}:
        return path is not None
    for name in RUNNERS[runner]:
        if (folder / name).is_file() and re.search(_MARKS[runner], _text(folder / name), re.MULTILINE):
            return True
    return False


def translate(source: str, folder: Path, available: Collection[str] = ()) -> Translation:
    """Translate another runner's file into a matrix.toml; with only Pythons of `available`, if it is given.

    `source` is a path, or the name of a runner whose files are in `folder`; `folder` has requirements files too.

    Raises:
        UsageError: there is no readable file, or it runs no tests.
        ConfigError: pyproject.toml is no TOML.
    """
    path, parsed = _read(source, folder)
    known = declared.read(folder)
    parsed = _with_own_python(_of_project(parsed, known.name))
    if available:
        parsed = _only(_spread(parsed, declared.minors(known)), available, path.name)
    elif unnamed := _without_python(parsed):
        note = f"{unnamed[0].name} names no Python: the one that runs venvgrid is taken; write others into [axes]"
        parsed = replace(parsed, notes=(*parsed.notes, note))
    made = variants.group(parsed, declared.names(known))
    if not made.has_main:
        raise UsageError(
            f"{path.name}: nothing was written, because its main environments need what a configuration cannot express:"
            + "".join(f"\n  - {line}" for line in made.lost)
            + "\nChange that there, or write matrix.toml by hand: `venvgrid init` makes a first one"
        )
    if not made.groups:
        raise UsageError(f"{path.name}: nothing in it runs tests; left out: {', '.join(parsed.skipped)}")
    text = matrix_toml.render(made.groups, made.notes, made.lost, path.name, skip_missing=parsed.skip_missing)
    try:
        loading.build(config_file.parse(text, folder / config_file.FILE_NAME))
    except ConfigError as error:
        raise UsageError(f"{path.name}: its translation is no valid configuration: {error}") from error
    return Translation(text=text, lost=tuple(made.lost), notes=tuple(made.notes), source=path.name)


def _of_project(parsed: ParsedSource, name: str) -> ParsedSource:
    """Return a source with the project itself as the project where it is listed as a requirement ("webob[testing]")."""
    own = normalise(name)

    def one(item: Variant) -> Variant:
        listed = {line: Requirement(line) for line in item.requires if not line.startswith("-")}
        mine = {
            line: found
            for line, found in listed.items()
            if normalise(found.name) == own and not (found.url or found.marker or found.specifier)
        }
        extras = (*item.extras, *(extra for found in mine.values() for extra in sorted(found.extras)))
        return replace(
            item,
            requires=tuple(line for line in item.requires if line not in mine),
            extras=tuple(dict.fromkeys(extras)),
            install="" if mine and item.install == "none" else item.install,
        )

    return replace(parsed, variants=tuple(map(one, parsed.variants))) if own else parsed


def _with_own_python(parsed: ParsedSource) -> ParsedSource:
    """Return a source whose commands begin with {python} where they name the Python of their environment.

    "python3.12" in an environment of 3.12 is what "python" is; its other Pythons have the same command then.
    """

    def named(command: tuple[str, ...], python: str) -> tuple[str, ...]:
        own = python if python.startswith("pypy") else f"python{python}"
        return ("{python}", *command[1:]) if command[:1] == (own,) else command

    def one(item: Variant) -> Variant:
        before = tuple(named(command, item.python) for command in item.before)
        return replace(item, command=named(item.command, item.python), before=before) if item.python else item

    return replace(parsed, variants=tuple(map(one, parsed.variants)))


def _spread(parsed: ParsedSource, minors: Sequence[str]) -> ParsedSource:
    """Return a source whose main environments name no Python ("py") with the Pythons that the project declares."""
    main = _without_python(parsed)
    if not minors or not main:
        return parsed
    spread = [
        replace(item, python=minor or item.python, name=f"{item.name} on {minor}" if minor else item.name)
        for item in parsed.variants
        for minor in (minors if item in main else ("",))
    ]
    note = f"{main[0].name} names no Python: those that the project declares are taken"
    return replace(parsed, variants=tuple(spread), notes=(*parsed.notes, note))


def _without_python(parsed: ParsedSource) -> list[Variant]:
    """Return the main environments, if none of them names a Python."""
    main = [item for item in parsed.variants if item.grid in {"", *MAIN_NAMES}]
    return [] if any(item.python for item in main) else main


def _only(parsed: ParsedSource, available: Collection[str], name: str) -> ParsedSource:
    """Return a source without the variants whose Python this machine does not have.

    Raises:
        UsageError: none is left.
    """
    here = tuple(item for item in parsed.variants if not item.python or item.python in available)
    gone = dict.fromkeys(item.python for item in parsed.variants if item not in here)
    if gone and not here:
        raise UsageError(f"{name}: this machine has none of its Pythons ({', '.join(gone)})")
    note = f"{', '.join(gone)}: left out, because this machine does not have them (all: venvgrid init --from {name})"
    return replace(parsed, variants=here, notes=(*parsed.notes, *((note,) if gone else ())))


def _read(source: str, folder: Path) -> tuple[Path, ParsedSource]:
    if source not in RUNNERS:
        path = folder / source
        return path, _parse(path, folder)
    problems = []
    for name in RUNNERS[source]:
        if (folder / name).is_file():
            try:
                return folder / name, _parse(folder / name, folder, source)
            except UsageError as error:
                problems.append(str(error))
    above = next((place for place in folder.parents[:MAX_LEVELS] if is_there(source, place)), None)
    hint = f". Type: cd {above} && venvgrid init --from {source}" if above else ": go to the project's folder first"
    missing = f"{source}: there is none of {', '.join(RUNNERS[source])} in {folder}"
    raise UsageError(problems[0] if problems else f"{missing}{hint}")


def _parse(path: Path, folder: Path, runner: str = "") -> ParsedSource:
    text = _text(path)
    name, suffix = path.name, path.suffix
    if suffix == ".py":
        from venvgrid.migration.readers import nox  # noqa: PLC0415  (each reader is imported when needed)

        return nox.read(text, folder, name)
    if suffix in {".yml", ".yaml"}:
        from venvgrid.migration.readers.workflow import reader  # noqa: PLC0415

        return reader.read(text, folder, name, declared.minors(declared.read(folder)))
    from venvgrid.migration.readers import tox, tox_settings  # noqa: PLC0415

    if suffix in {".ini", ".cfg"}:
        return tox.read(tox_settings.read_ini(text, name), folder, name)
    if suffix != ".toml":
        raise UsageError(f"{name}: give tox.ini, tox.toml, noxfile.py, pyproject.toml, hatch.toml or a workflow (.yml)")
    table = tox_settings.parse_toml(text, name)
    own = {
        "hatch" if name == "hatch.toml" else "tox": table
    }  # a file of its own holds what pyproject.toml has in [tool]
    tool = subtable(table, "tool") if name == config_file.PYPROJECT else own
    envs, has_tox = subtable(subtable(tool, "hatch"), "envs"), bool(subtable(tool, "tox"))
    if envs and (runner == "hatch" or not has_tox):
        from venvgrid.migration.readers import hatch  # noqa: PLC0415

        return hatch.read(envs, folder, name)
    if has_tox and runner != "hatch":
        return tox.read(tox_settings.read_toml(tool["tox"], name), folder, name)
    raise UsageError(f"{name}: it has neither [tool.tox] nor [tool.hatch.envs]")


def _text(path: Path) -> str:
    try:
        if path.is_dir():
            raise UsageError(f"{path}: is a folder; give a file of it, or a word: {', '.join(RUNNERS)}")
        if path.stat().st_size > MAX_FILE_BYTES:
            raise UsageError(f"{path}: is larger than {MAX_FILE_BYTES:,} bytes: this is no configuration")
        return path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise UsageError(f"{path}: no such file (or a word: {', '.join(RUNNERS)})") from None
    except (OSError, ValueError) as error:
        raise UsageError(f"{path}: cannot be read: {getattr(error, 'strerror', None) or error}") from None
