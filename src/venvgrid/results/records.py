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
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from venvgrid.model import UsageError
from venvgrid.model.shard import Shard
from venvgrid.results import plan_file
from venvgrid.results.capsules import capsule
from venvgrid.storage import digests
from venvgrid.storage.atomic import write_atomic, write_whole

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from venvgrid.results.plan_file import PlanFile

FORMAT = "venvgrid-record-1"
HEADER, PLAN, RESULTS, EVENTS = "record.json", "plan.json", "results.json", "events.jsonl"
SEALED = (PLAN, RESULTS, EVENTS)
MAX_DEPTH = 3  # archives within archives: an artifact of artifacts


@dataclass(frozen=True, slots=True, kw_only=True)
class Header:
    """What a record says of itself. `attempt` counts from 1; `began` is ISO 8601 in UTC and orders equal attempts."""

    plan: str
    commit: str
    shard: Shard
    attempt: int
    began: str
    cells: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """A record that is whole. `read` returns the bytes of one of its files, b"" if there is none of that name."""

    place: str
    header: Header
    results: dict[str, Any]
    read: Callable[[str], bytes]

    def plan(self) -> PlanFile:
        """Return the plan that the record belongs to. Raises UsageError if it is damaged."""
        return plan_file.parse(self.read(PLAN).decode("utf-8"), f"{self.place}: {PLAN}")


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
    write_whole(folder / PLAN, plan.render({"strategy": {"name": plan.plan.strategy}}))
    files = {name: digest((folder / name).read_bytes()) for name in SEALED}
    data = {
        "format": FORMAT,
        "plan": header.plan,
        "commit": header.commit,
        "shard": str(header.shard),
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
    for place in places:
        if not place.exists():
            yield Unusable(str(place), "it does not exist")
        elif place.is_file():
            yield from _in_archive(str(place), place.read_bytes, MAX_DEPTH)
        else:
            yield from _in_folder(place)


def _in_folder(folder: Path) -> Iterator[Record | Unusable]:
    if (folder / HEADER).is_file():
        yield _record(str(folder), lambda name: _content(folder / name))
        return
    for path in sorted(folder.iterdir()):
        if path.is_dir() and not path.is_symlink():
            yield from _in_folder(path)
        elif path.suffix != capsule.SUFFIX and zipfile.is_zipfile(path):
            yield from _in_archive(str(path), path.read_bytes, MAX_DEPTH)
        elif path.suffix in {".zip", ".record"}:
            yield Unusable(str(path), "it is no whole archive")


def _content(path: Path) -> bytes:
    return path.read_bytes() if path.is_file() else b""


def _in_archive(place: str, content: Callable[[], bytes], depth: int) -> Iterator[Record | Unusable]:
    try:
        archive = zipfile.ZipFile(io.BytesIO(content()))
        names = archive.namelist()
    except (OSError, zipfile.BadZipFile, ValueError, EOFError) as error:
        yield Unusable(place, f"it is no whole archive: {error}")
        return

    def member(name: str) -> bytes:
        try:
            return archive.read(name) if name in known else b""
        except (OSError, zipfile.BadZipFile, ValueError, EOFError, NotImplementedError, RuntimeError):
            return b""

    def of(folder: str) -> Callable[[str], bytes]:
        return lambda name: member(folder + name)

    def content_of(name: str) -> Callable[[], bytes]:
        return lambda: member(name)

    known = frozenset(names)

    folders = sorted({name.removesuffix(HEADER) for name in names if name == HEADER or name.endswith(f"/{HEADER}")})
    for folder in folders:
        yield _record(f"{place}/{folder}".rstrip("/"), of(folder))
    inner = [name for name in names if name.endswith((".zip", ".record"))]
    for name in inner if depth else ():
        yield from _in_archive(f"{place}/{name}", content_of(name), depth - 1)
    if not folders and not inner:
        yield Unusable(place, f"there is no {HEADER} in it")


def _record(place: str, read: Callable[[str], bytes]) -> Record | Unusable:
    try:
        data = json.loads(read(HEADER))
        if data["format"] != FORMAT:
            return Unusable(place, f"its format is {data['format']!r:.40}, not {FORMAT!r}")
        if digests.of_json({name: value for name, value in data.items() if name != "checksum"}) != data["checksum"]:
            return Unusable(place, f"{HEADER} was changed after it was written")
        for name in SEALED:
            if digest(read(name)) != data["files"][name]:
                return Unusable(place, f"{name} is missing or damaged")
        header = Header(
            plan=str(data["plan"]),
            commit=str(data["commit"]),
            shard=Shard.parse(data["shard"]),
            attempt=int(data["attempt"]),
            began=str(data["began"]),
            cells=tuple(map(str, data["cells"])),
        )
        return Record(place=place, header=header, results=json.loads(read(RESULTS)), read=read)
    except (ValueError, KeyError, TypeError, AttributeError, UsageError) as error:
        return Unusable(place, f"it is damaged: {error!r:.80}")


def digest(content: bytes) -> str:
    """Return the digest by which a header names the content of a file."""
    return hashlib.sha256(content).hexdigest()
