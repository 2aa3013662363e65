"""JSON files of a cache: a file that is missing, damaged or of another format reads as empty.

A file holds one JSON object and its digest. The header is a part of the object, such as format="venvgrid-releases-2".
"""

from __future__ import annotations

import json
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from venvgrid.storage.atomic import read_sealed, write_sealed

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


def read(file: Path, **header: object) -> dict[str, Any]:
    """Return the object in a file, or {} if it is missing, damaged or has another header."""
    with suppress(OSError, ValueError):
        data = load(file)
        if all(data.get(key) == value for key, value in header.items()):
            return data
    return {}


def load(file: Path) -> dict[str, Any]:
    """Return the object in a file.

    Raises:
        OSError: the file cannot be read.
        ValueError: it is damaged, or holds no object.
    """
    data = json.loads(read_sealed(file))
    if not isinstance(data, dict):
        raise ValueError(f"{file} holds no object")  # noqa: TRY004  (a damaged file is no mistake of a programmer)
    return data


def write(file: Path, data: Mapping[str, object], **header: object) -> None:
    """Write an object in one step; the folder must exist.

    Raises:
        OSError: it cannot be written.
    """
    write_sealed(file, json.dumps({**header, **data}))


def save(file: Path, data: Mapping[str, object], **header: object) -> None:
    """Write an object and make its folder. A cache that cannot be written costs time only: errors are ignored."""
    with suppress(OSError):
        file.parent.mkdir(parents=True, exist_ok=True)
        write(file, data, **header)
