"""Records: what one shard leaves behind, for `merge`, `gate` and `report`.

A record is the folder of a run with `record.json`, or a zip archive of it. `record.json` names the plan, the commit,
the shard and the attempt, and holds the digest of each other file that decides about verdicts.

    record.json    plan, commit, shard, attempt, when it began, cells of the shard, digests of the files
    plan.json      the plan itself
    results.json   the results of the shard's cells
    events.jsonl   its journal
    logs/CELL.log  what the tests printed
    capsules/CELL.capsule  what runs a red cell elsewhere
"""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import field
from functools import cache, partial
from typing import TYPE_CHECKING

from venvgrid.model import UsageError
from venvgrid.model.shard import Shard
from venvgrid.model.values import dataclass
from venvgrid.results import plan_file
from venvgrid.results.capsules import capsule
from venvgrid.storage import archives, digests
from venvgrid.storage.atomic import write_atomic, write_whole
from venvgrid.storage.json_items import MALFORMED

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from contextlib import AbstractContextManager
    from pathlib import Path

    from venvgrid.results.plan_file import PlanFile
    from venvgrid.storage.archives import Archive, Known, Place

    Read = Callable[[str], bytes]

FORMAT = "venvgrid-record-1"
HEADER, PLAN, RESULTS, EVENTS = "record.json", "plan.json", "results.json", "events.jsonl"
SEALED = (PLAN, RESULTS, EVENTS)
OF_RECORD = frozenset({HEADER, *SEALED, "logs", capsule.FOLDER})
ARCHIVES = frozenset({".zip", ".record"})
NO_RECORD = "it is no record; give the files of `venvgrid run --record`, or their folder"
MAX_DEPTH = 3  # archives within archives: an artifact of artifacts


@dataclass(frozen=True, slots=True, kw_only=True)
class Header:
    """What a record says of itself. `attempt` counts from 1; `began` is ISO 8601 in UTC and orders equal attempts.

    `platform` is the value of the axis of that name that means the machine, "" in records of an early version.
    """

    plan: str
    commit: str
    shard: Shard
    attempt: int
    began: str
    cells: tuple[str, ...]
    platform: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """A record that is whole: its files have the digests `files`. Its contents are read when they are needed.

    `open` gives the files: a function from a name to its bytes, b"" if there is none of that name.
    """

    place: str = field(compare=False)
    header: Header
    files: Mapping[str, str]
    open: Callable[[], AbstractContextManager[Read]] = field(compare=False)

    def read(self, name: str) -> bytes:
        """Return a file."""
        with self.open() as read:
            return read(name)

    def checked(self, name: str, content: bytes) -> bytes:
        """Return the content of a file.

        Raises:
            UsageError: it has changed since the record was found.
        """
        if digest(content) != self.files[name]:
            raise UsageError(f"{self.place}: {name} was changed while it was being read")
        return content

    def plan(self) -> PlanFile:
        """Return the plan that the record belongs to. Raises UsageError if it is damaged."""
        return plan_file.parse(self.checked(PLAN, self.read(PLAN)).decode("utf-8"), f"{self.place}: {PLAN}")


@dataclass(frozen=True, slots=True)
class Unusable:
    """A file or folder that is no record, or a damaged one, and why."""

    place: str
    why: str


def seal(folder: Path, plan: PlanFile, header: Header) -> None:
    """Write `plan.json` and `record.json` into the folder of a run that has ended.

    Raises:
        OSError: they cannot be written.
    """
    write_whole(folder / PLAN, plan.text or plan.render({"strategy": {"name": plan.plan.strategy}}))
    files = {name: digest((folder / name).read_bytes()) for name in SEALED}
    data = {
        "format": FORMAT,
        "plan": header.plan,
        "commit": header.commit,
        "shard": str(header.shard),
        "platform": header.platform,
        "attempt": header.attempt,
        "began": header.began,
        "cells": list(header.cells),
        "files": files,
    }
    write_whole(folder / HEADER, json.dumps({**data, "checksum": digests.of_json(data)}, indent=1) + "\n")


def pack(folder: Path, file: Path) -> None:
    """Write the record of a folder into one file.

    Raises:
        OSError, InfrastructureError: it cannot be written.
    """
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in (HEADER, *SEALED):
            archive.write(folder / name, name)
        for log in sorted((folder / "logs").glob("*.log")):
            archive.write(log, f"logs/{log.name}")
        for left in sorted((folder / capsule.FOLDER).glob(f"*{capsule.SUFFIX}")):
            archive.write(left, f"{capsule.FOLDER}/{left.name}")
    write_atomic(file, buffer.getvalue())


def find(places: Iterable[Path]) -> Iterator[Record | Unusable]:
    """Yield the records in files and folders, folders searched to the bottom, archives within archives too."""
    known: Known = {}
    for place in places:
        if not place.exists():
            yield Unusable(str(place), "it does not exist")
        elif place.is_file():
            yield from _in_archive(place, (), known)
        else:
            yield from _in_folder(place, known)


def _in_folder(folder: Path, known: Known) -> Iterator[Record | Unusable]:
    own: frozenset[str] = frozenset()
    if (folder / HEADER).is_file():

        def read(name: str) -> bytes:
            return (folder / name).read_bytes() if (folder / name).is_file() else b""

        yield _record(str(folder), read, lambda name: digest(read(name)), lambda: nullcontext(read))
        own = OF_RECORD
    for path in sorted(path for path in folder.iterdir() if path.name not in own):
        if path.is_dir() and not path.is_symlink():
            yield from _in_folder(path, known)
        elif path.suffix != capsule.SUFFIX and path.is_file() and zipfile.is_zipfile(path):
            yield from _in_archive(path, (), known)
        elif path.suffix in ARCHIVES:
            yield Unusable(str(path), "it is no whole archive")


def _in_archive(path: Path, inside: tuple[str, ...], known: Known) -> Iterator[Record | Unusable]:
    """Yield the records of an archive; `inside` names the archives that lead to it, in `path`."""
    place = "/".join([str(path), *inside])
    try:
        with archives.opened(path, inside) as archive:
            names = archive.names
            folders = sorted({name.removesuffix(HEADER) for name in names if f"/{name}".endswith(f"/{HEADER}")})
            found = [
                _record(
                    f"{place}/{folder}".rstrip("/"),
                    partial(archive.read, folder),
                    partial(archive.digest, folder, known=known, digest=digest),
                    partial(_reader, path, inside, folder, _places(archive, folder) if not inside else {}),
                )
                for folder in folders
            ]
    except archives.DAMAGED as error:
        is_other = not inside and path.suffix not in ARCHIVES and not zipfile.is_zipfile(path)
        yield Unusable(place, NO_RECORD if is_other else f"it is no whole archive: {error}")
        return
    yield from found
    inner = [name for name in names if name.endswith((".zip", ".record"))]
    for name in inner:
        if len(inside) < MAX_DEPTH:
            yield from _in_archive(path, (*inside, name), known)
        else:
            yield Unusable(f"{place}/{name}", f"it is in more than {MAX_DEPTH} archives; unpack the outer one")
    if not folders and not inner:
        yield Unusable(place, f"there is no {HEADER} in it")


def _places(archive: Archive, folder: str) -> Mapping[str, Place]:
    """Return where the sealed files of a record are."""
    return {name: place for name in SEALED if (place := archive.place(folder, name))}


@contextmanager
def _reader(path: Path, inside: tuple[str, ...], folder: str, places: Mapping[str, Place]) -> Iterator[Read]:
    """Open a record. The directory of its archive is read again only for a file whose place is not known."""
    with ExitStack() as stack:

        @cache
        def opened() -> Archive:
            return stack.enter_context(archives.opened(path, inside))

        yield lambda name: places[name].read(path) if name in places else opened().read(folder, name)


def _record(
    place: str, read: Read, digest_of: Callable[[str], str], opened: Callable[[], AbstractContextManager[Read]]
) -> Record | Unusable:
    try:
        data = json.loads(read(HEADER))
        if data["format"] != FORMAT:
            return Unusable(place, f"its format is {data['format']!r:.40}, not {FORMAT!r}")
        if digests.of_json({name: value for name, value in data.items() if name != "checksum"}) != data["checksum"]:
            return Unusable(place, f"{HEADER} was changed after it was written")
        for name in SEALED:
            if digest_of(name) != data["files"][name]:
                return Unusable(place, f"{name} is missing or damaged")
        header = Header(
            plan=str(data["plan"]),
            commit=str(data["commit"]),
            shard=Shard.parse(data["shard"]),
            attempt=_attempt(data["attempt"]),
            began=_text(data["began"]),
            cells=_cells(data["cells"]),
            platform=str(data.get("platform", "")),
        )
        files = {str(name): str(value) for name, value in data["files"].items()}
        return Record(place=place, header=header, files=files, open=opened)
    except (*MALFORMED, UsageError) as error:
        return Unusable(place, f"it is damaged: {error!r:.80}")


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError(f"{value!r:.40} is no text")  # noqa: TRY004  (a damaged record, no wrong type)
    return value


def _attempt(value: object) -> int:
    if type(value) is not int or value < 1:
        raise ValueError(f"{value!r:.20} is no number of an attempt")
    return value


def _cells(value: object) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise ValueError(f"{value!r:.40} is no list of cells")
    return tuple(value)


def digest(content: bytes) -> str:
    """Return the digest by which a header names the content of a file."""
    return hashlib.sha256(content).hexdigest()
