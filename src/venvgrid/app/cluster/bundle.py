"""The bundle: all that another machine needs of the project, in one file named by its hash.

It holds what a build of the project can see (see `project.build_copy`), every other file that tests may read in it, and
the configuration and options of the run. History is not in it: wheels come from the coordinator.
"""

from __future__ import annotations

import json
import os
import tarfile
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

from venvgrid.app.cluster.blobs import hash_of
from venvgrid.app.options import RunOptions
from venvgrid.model import Config, InfrastructureError, serialization
from venvgrid.model.values import dataclass
from venvgrid.project import build_copy
from venvgrid.running.executors.remote.jobs import Blob, Places

if TYPE_CHECKING:
    from venvgrid.app.context import RunContext

MANIFEST = "venvgrid-bundle.json"
FORMAT = "venvgrid-bundle-1"
SENT = ("arguments", "tests", "attest", "pytest_options", "fresh", "offline")  # options that change what a task does
FILES = "files"  # the folder of the project's files in it


@dataclass(frozen=True, slots=True, kw_only=True)
class Bundle:
    """A bundle on disk. `places` translates the paths of its files."""

    path: Path
    blob: Blob
    places: Places


@dataclass(frozen=True, slots=True, kw_only=True)
class Unpacked:
    """A bundle on another machine: the run that it is for."""

    config: Config
    options: RunOptions


def make(context: RunContext, target: Path) -> Bundle:
    """Write the bundle of a run.

    Raises:
        InfrastructureError: a file cannot be read, or the bundle cannot be written.
    """
    config = context.config
    scan = build_copy.scan(config.project.path, context.machine.tools.environ)
    root = _root(scan, config)
    paths = {entry.path for entry in scan.entries}
    inputs = context.project.inputs
    paths.update(os.path.join(scan.project, name) for name in inputs.stamps if not Path(name).is_absolute())  # noqa: PTH118
    paths.add(os.path.realpath(config.file))
    chosen = sorted(path for path in paths if Path(path).is_relative_to(root))
    options = {name: getattr(context.options, name) for name in SENT}
    places = Places(root, {path: Path(os.path.realpath(path)) for path in (config.root, config.project.path)})
    manifest = {
        "format": FORMAT,
        "config": places.marked(serialization.to_plain(config)),
        "options": places.marked(serialization.to_plain(options)),
    }
    try:
        with tarfile.open(target, "w", format=tarfile.PAX_FORMAT) as archive:
            _add(archive, MANIFEST, json.dumps(manifest).encode())
            for path in chosen:
                archive.add(path, f"{FILES}/{os.path.relpath(path, root)}", recursive=False, filter=_anonymous)
                archive.inodes.clear()  # type: ignore[attr-defined]  # no hard links: each name has its content
        return Bundle(path=target, blob=hash_of(target), places=places)
    except OSError as error:
        raise InfrastructureError(f"{error.filename}: {error.strerror}; it cannot be sent to other machines") from error


def _root(scan: build_copy.Scan, config: Config) -> Path:
    """Return the folder that another machine gets: with the project's repository, and all that a build names.

    Links may lead further, to the whole machine: then what is behind them stays here.
    """
    home = str(scan.repository.root if scan.repository else scan.project)
    for base in (str(scan.root), home):
        root = Path(os.path.commonpath([base, os.path.realpath(config.root)]))
        if root != root.parent:
            return root
    raise InfrastructureError(f"{config.file} and {home} have no folder in common that another machine can get")


def _add(archive: tarfile.TarFile, name: str, content: bytes) -> None:
    member = tarfile.TarInfo(name)
    member.size = len(content)
    archive.addfile(member, BytesIO(content))


def _anonymous(member: tarfile.TarInfo) -> tarfile.TarInfo | None:
    """Return a member without its owner; sockets and pipes are left out."""
    if not (member.isreg() or member.isdir() or member.issym()):
        return None
    member.uid = member.gid = 0
    member.uname = member.gname = ""
    return member


def unpack(path: Path, root: Path) -> Unpacked:
    """Write the files of a bundle below `root`, which is empty, and return the run that it is for.

    Raises:
        InfrastructureError: it is damaged, or of another version.
    """
    try:
        with tarfile.open(path) as archive:
            stream = archive.extractfile(MANIFEST)
            data = json.loads(stream.read() if stream else b"")
            members = []
            for member in archive:
                if member.name.startswith(f"{FILES}/"):
                    if member.islnk():  # what is written to it goes where it leads
                        raise tarfile.TarError(f"{member.name} is a hard link")  # noqa: TRY301
                    member.name = member.name.removeprefix(f"{FILES}/")
                    members.append(member)
            archive.extractall(root, members, filter="tar")
        places = Places(root)
        return Unpacked(
            config=serialization.from_plain(Config, places.restored(data["config"])),
            options=RunOptions(**{name: _frozen(places.restored(value)) for name, value in data["options"].items()}),
        )
    except (OSError, tarfile.TarError, ValueError, KeyError, TypeError) as error:
        raise InfrastructureError(f"the bundle of the run cannot be used: {error!r:.200}") from error


def _frozen(value: Any) -> Any:
    """Return a value of JSON as options have it."""
    return tuple(value) if isinstance(value, list) else value
