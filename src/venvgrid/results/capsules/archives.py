"""Finds capsules in files, folders and archives. What is found comes from strangers: each size is bounded.

No file of an archive is written under a name of its own: members are read into memory, or copied to a name of ours.
"""

from __future__ import annotations

import io
import zipfile
import zlib
from typing import TYPE_CHECKING

from venvgrid.model import UsageError
from venvgrid.model.values import dataclass
from venvgrid.results.capsules import capsule
from venvgrid.results.capsules.capsule import MAX_READ, SUFFIX, Capsule

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

INSIDE = "capsule.json"  # the capsule in an archive with its wheels
WHEELS, PROJECT = "wheels/", "project/"
MAX_DEPTH = 3  # archives within archives: an artifact of artifacts
MAX_MEMBERS = 20_000
MAX_ARCHIVE = 300_000_000  # bytes, of an archive and of all that is unpacked of it
CHUNK = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A capsule, where it is, and the archive with its wheels if it has them."""

    capsule: Capsule
    place: str
    archive: bytes = b""


def find(path: Path) -> list[Found]:
    """Return the capsules in a file, in an archive or in a folder.

    Raises:
        UsageError: there is none, one is damaged, or a size is over its limit.
    """
    if not path.exists():
        raise UsageError(f"{path} does not exist; a run leaves capsules in .venvgrid/runs/RUN/{capsule.FOLDER}")
    if path.is_dir():
        found = [item for file in sorted(path.rglob(f"*{SUFFIX}")) if file.is_file() for item in _in_file(file)]
    else:
        found = list(_in_file(path))
    if not found:
        kept = "a run leaves one of each red cell in .venvgrid/runs/RUN/capsules"
        raise UsageError(f"there is no capsule in {path}; {kept}")
    return found


def choose(found: list[Found], cell: str) -> Found:
    """Return the capsule of a cell, or the only one.

    Raises:
        UsageError: there are several, or none of that cell.
    """
    chosen = [item for item in found if cell in {"", item.capsule.cell}]
    names = sorted({item.capsule.cell for item in found})
    if not chosen:
        raise UsageError(f"there is no capsule of {cell}; there are: {', '.join(names)}")
    if len({item.capsule.cell for item in chosen}) > 1:
        raise UsageError(f"there are {len(names)} capsules; choose one with --with CELL: {', '.join(names)}")
    return chosen[0]


def read(content: bytes, place: str) -> list[Found]:
    """Return the capsules in bytes: a capsule, or an archive of some. Raises UsageError."""
    return list(_in_bytes(content, place, MAX_DEPTH, [MAX_ARCHIVE]))


def unpack_wheels(archive: bytes, folder: Path) -> tuple[list[Path], list[Path]]:
    """Write the wheels of a complete capsule into a folder; return those of distributions, and the project's.

    Raises:
        UsageError: a name or a size is wrong.
    """
    kinds: dict[str, list[Path]] = {WHEELS: [], PROJECT: []}
    left = MAX_ARCHIVE
    with _opened(archive, "the capsule") as opened:
        for item in opened.infolist():
            kind = next((kind for kind in kinds if item.filename.startswith(kind)), "")
            name = item.filename.removeprefix(kind)
            if not kind or not name:
                continue
            if not capsule.is_inside(name) or "/" in name or not name.endswith(".whl"):
                raise UsageError(f"the capsule is refused: {item.filename!r:.80} is no name of a wheel")
            target = folder / kind / name
            target.parent.mkdir(parents=True, exist_ok=True)
            content = _member(opened, item, left, "the capsule")
            left -= len(content)
            target.write_bytes(content)
            kinds[kind].append(target)
    return kinds[WHEELS], kinds[PROJECT]


def _in_file(path: Path) -> Iterator[Found]:
    size = path.stat().st_size
    if size > MAX_ARCHIVE:
        raise UsageError(f"{path} has {size:,} bytes; a capsule has at most {MAX_ARCHIVE:,}")
    with path.open("rb") as file:
        is_archive = file.read(4) == b"PK\x03\x04"
        if not is_archive and size > MAX_READ:
            raise UsageError(f"{path} is no capsule: it has more than {MAX_READ // 1_000_000} MB")
    yield from read(path.read_bytes(), str(path))


def _in_bytes(content: bytes, place: str, depth: int, left: list[int]) -> Iterator[Found]:
    """Yield capsules; `left` is how many bytes may still be unpacked."""
    if not content.startswith(b"PK\x03\x04"):
        yield Found(capsule=capsule.parse(content, place), place=place)
        return
    with _opened(content, place) as archive:
        members = {item.filename: item for item in archive.infolist()}
        if INSIDE in members:
            inner = _member(archive, members[INSIDE], min(left[0], MAX_READ), f"{place}/{INSIDE}")
            yield Found(capsule=capsule.parse(inner, f"{place}/{INSIDE}"), place=place, archive=content)
            return
        for name, item in sorted(members.items()):
            is_capsule, is_archive = name.endswith(SUFFIX), name.endswith((".zip", ".record"))
            if not is_capsule and not (is_archive and depth):
                continue
            inner = _member(archive, item, left[0], f"{place}/{name}")
            left[0] -= len(inner)
            if is_capsule or inner.startswith(b"PK\x03\x04"):
                yield from _in_bytes(inner, f"{place}/{name}", depth - 1 if depth else 0, left)


def _opened(content: bytes, place: str) -> zipfile.ZipFile:
    try:
        archive = zipfile.ZipFile(io.BytesIO(content))
    except (zipfile.BadZipFile, ValueError, EOFError, OSError, NotImplementedError) as error:
        raise UsageError(f"{place} is no whole archive: {error}") from error
    if len(archive.infolist()) > MAX_MEMBERS:
        raise UsageError(f"{place} is refused: it has more than {MAX_MEMBERS:,} members")
    return archive


def _member(archive: zipfile.ZipFile, item: zipfile.ZipInfo, limit: int, place: str) -> bytes:
    """Return the content of a member, never more than the limit; the size that the archive tells is not believed."""
    chunks, size = [], 0
    if item.compress_type not in {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}:
        raise UsageError(f"{place} is refused: it is packed in a way that venvgrid does not use")
    try:
        with archive.open(item) as file:
            while chunk := file.read(CHUNK):
                size += len(chunk)
                if size > limit:
                    raise UsageError(f"{place} is refused: it unpacks to more than {limit:,} bytes")
                chunks.append(chunk)
    except (OSError, zipfile.BadZipFile, ValueError, EOFError, RuntimeError, zlib.error) as error:
        raise UsageError(f"{place} is damaged: {error}") from error
    return b"".join(chunks)
