"""The first configuration of a project: from the file of another runner if there is one, else from its declarations.

`wrong_folder` says why a folder is probably not that of the project.
"""

from __future__ import annotations

import os
from itertools import islice
from typing import TYPE_CHECKING

from venvgrid.config import config_file, loading
from venvgrid.migration import declared, layout, scaffold, translate
from venvgrid.migration.translate import Translation
from venvgrid.model import ConfigError, UsageError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator
    from pathlib import Path

MAX_LEVELS = 4  # folders above that are looked at
MAX_NAMED = 4  # projects that a message names
_PROJECT_FILES = ("pyproject.toml", "setup.py", "setup.cfg")


def make(folder: Path, available: Collection[str] = ()) -> Translation:
    """Return the first configuration of the project in `folder`; its Pythons are those of `available`.

    Raises:
        ConfigError: pyproject.toml is no valid TOML.
    """
    known = declared.read(folder)
    refused: list[str] = []
    for runner in translate.RUNNERS:
        if not translate.is_there(runner, folder):
            continue
        try:
            made = translate.translate(runner, folder, available)
        except UsageError as error:
            refused.append(f"{runner} is not carried over: {error}")
            continue
        return Translation(text=made.text, lost=(*refused, *made.lost), notes=made.notes, source=made.source)
    found = layout.find(folder, known)
    text = scaffold.suggest(known, found, available)
    try:
        loading.build(config_file.parse(text, folder / config_file.FILE_NAME))
    except ConfigError as error:
        plain = scaffold.suggest(known, layout.Layout(), available)
        return Translation(text=plain, lost=tuple(refused), notes=(f"what the tests need could not be read: {error}",))
    untested = () if found.has_tests else ("no tests were found here: say in [test] how they are run",)
    return Translation(text=text, lost=tuple(refused), notes=untested)


def wrong_folder(folder: Path) -> str:
    """Return why a folder is probably not that of a project, with what to type, or "".

    Raises:
        ConfigError: pyproject.toml is no valid TOML.
    """
    known = declared.read(folder)
    if known.is_installable or any(translate.is_there(runner, folder) for runner in translate.RUNNERS):
        return ""
    anyway = "To write a configuration even so, type: venvgrid init --force"
    above = next(filter(_is_project, islice(folder.parents, MAX_LEVELS)), None)
    if above is not None:
        place = os.path.relpath(above, folder)
        return f"{folder} belongs to the project in {above}. Type: cd {place} && venvgrid init. {anyway}"
    found = layout.find(folder, known)
    if found.has_tests or found.requires:
        return ""
    if below := list(islice(_projects_below(folder), MAX_NAMED + 1)):
        named = ", ".join(below[:MAX_NAMED]) + (", …" if len(below) > MAX_NAMED else "")
        return f"{folder} holds projects, and is none: {named}. Type: cd {below[0]} && venvgrid init. {anyway}"
    return f"{folder} holds no project, no tests and no requirements: go to the folder of your project first. {anyway}"


def _is_project(folder: Path) -> bool:
    return any((folder / name).is_file() for name in _PROJECT_FILES) and declared.is_project(folder)


def _projects_below(folder: Path) -> Iterator[str]:
    """Yield the folders of projects in a folder and in its folders."""
    for pattern in ("*", "*/*"):
        for place in sorted(folder.glob(pattern)):
            hidden = any(part.startswith((".", "_")) for part in place.relative_to(folder).parts)
            if not hidden and place.is_dir() and _is_project(place):
                yield place.relative_to(folder).as_posix()
