"""Ways to damage the record of a shard: each returns or is a function that changes the record in a folder."""

from __future__ import annotations

import json
import shutil
import zipfile
from typing import TYPE_CHECKING, Any

from venvgrid.results import records
from venvgrid.storage import digests

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def reseal(folder: Path, **changes: Any) -> None:
    """Change the header of a record and make its checksum right again, as a mistaken program would."""
    data = json.loads((folder / "record.json").read_text(encoding="utf-8"))
    data = {name: value for name, value in {**data, **changes}.items() if name != "checksum" and value is not None}
    text = json.dumps({**data, "checksum": digests.of_json(data)})
    (folder / "record.json").write_text(text, encoding="utf-8")


def edit(folder: Path, change: Callable[[dict[str, Any]], object], *, sealed: bool = True) -> None:
    """Change results.json; `sealed`: and its digest in the header."""
    file = folder / "results.json"
    data = json.loads(file.read_text(encoding="utf-8"))
    change(data)
    file.write_text(json.dumps(data), encoding="utf-8")
    if sealed:
        header = json.loads((folder / "record.json").read_text(encoding="utf-8"))
        reseal(folder, files={**header["files"], "results.json": records.digest(file.read_bytes())})


def edit_cell(**changes: Any) -> Callable[[Path], None]:
    """Return what changes keys of the first result; None deletes one."""

    def change(data: dict[str, Any]) -> None:
        cell = {name: value for name, value in {**data["cells"][0], **changes}.items() if value is not None}
        data["cells"][0] = cell

    return lambda folder: edit(folder, change)


def corrupt(name: str) -> Callable[[Path], None]:
    """Return what flips a bit in the middle of a file."""

    def change(folder: Path) -> None:
        data = bytearray((folder / name).read_bytes())
        data[len(data) // 2] ^= 1
        (folder / name).write_bytes(data)

    return change


def cut(name: str) -> Callable[[Path], None]:
    """Return what leaves half of a file: an upload that was cut."""

    def change(folder: Path) -> None:
        data = (folder / name).read_bytes()
        (folder / name).write_bytes(data[: len(data) // 2])

    return change


def empty(name: str) -> Callable[[Path], None]:
    """Return what empties a file."""

    def change(folder: Path) -> None:
        (folder / name).write_bytes(b"")

    return change


def without(name: str) -> Callable[[Path], None]:
    """Return what deletes a file."""
    return lambda folder: (folder / name).unlink()


def headed(**changes: Any) -> Callable[[Path], None]:
    """Return what writes other values into the header, with a right checksum."""
    return lambda folder: reseal(folder, **changes)


def zipped(keep: float) -> Callable[[Path], None]:
    """Return what puts the record into an archive, of which a part arrives."""

    def change(folder: Path) -> None:
        file = folder.with_suffix(".zip")
        records.pack(folder, file)
        shutil.rmtree(folder)
        file.write_bytes(file.read_bytes()[: int(file.stat().st_size * keep)])

    return change


def only_header(folder: Path) -> None:
    """Leave an archive with nothing but the header."""
    with zipfile.ZipFile(folder.with_suffix(".zip"), "w") as archive:
        archive.write(folder / "record.json", "record.json")
    shutil.rmtree(folder)


def outcome(value: str) -> Callable[[Path], None]:
    """Return what gives the first cell an outcome."""
    return edit_cell(outcome=value, reason="why")


def other_shard_twice(folder: Path) -> None:
    """Leave the record of the other shard in its place: a job was given the wrong number."""
    shutil.rmtree(folder)
    shutil.copytree(folder.with_name("two"), folder)


def too_deep(folder: Path) -> None:
    """Put the record into more archives than are opened."""
    file = folder.with_suffix(".zip")
    records.pack(folder, file)
    shutil.rmtree(folder)
    for _ in range(records.MAX_DEPTH + 1):
        inner = file.read_bytes()
        with zipfile.ZipFile(file, "w") as archive:
            archive.writestr("one.zip", inner)


def written(name: str, change: Callable[[bytes], bytes]) -> Callable[[Path], None]:
    """Return what changes the bytes of a file, as an editor or a program would."""

    def write(folder: Path) -> None:
        (folder / name).write_bytes(change((folder / name).read_bytes()))

    return write


def with_results_of_the_other(folder: Path) -> None:
    """Unpack both artifacts into one folder: some files are of one, some of the other."""
    shutil.copy(folder.with_name("two") / "results.json", folder)
