"""The first configuration of a project: from the file of another runner if there is one, else from its declarations."""

from __future__ import annotations

from typing import TYPE_CHECKING

from venvgrid.config import config_file, loading
from venvgrid.migration import declared, layout, scaffold, translate
from venvgrid.migration.translate import Translation
from venvgrid.model import ConfigError, UsageError

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path


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
    text = scaffold.suggest(known, layout.find(folder, known), available)
    try:
        loading.build(config_file.parse(text, folder / config_file.FILE_NAME))
    except ConfigError as error:
        plain = scaffold.suggest(known, layout.Layout(), available)
        return Translation(text=plain, lost=tuple(refused), notes=(f"what the tests need could not be read: {error}",))
    return Translation(text=text, lost=tuple(refused), notes=())
