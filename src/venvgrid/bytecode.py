"""Compiled files, shared between environments: the imports of a distribution are compiled once an interpreter.

Much of the first test run in a fresh scientific environment is compiling what it imports. What the tests of a cell
imported is compiled again by venvgrid itself, in a process of its own and from sources that the manifest shows to be
untouched, and kept in a pack for each distribution and interpreter. New environments begin with copies of it.

What is trusted: the pack's key (interpreter build, distribution, hashes of its files), the source's sha256 in RECORD,
which is part of each member's name, and the checksum of each member. Nothing that a test process wrote is ever kept.
Python takes a compiled file only if time and size of the source are in it; so sources get one fixed time.
"""

from __future__ import annotations

import csv
import hashlib
import json
import os
import tempfile
import zipfile
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from venvgrid.process import Command

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from venvgrid.model import Distribution, Interpreter, LockEntry
    from venvgrid.process import Runner

SOURCE_TIME = 1_577_836_800  # seconds: 2020-01-01; any fixed time will do, if it fits ZIP files and is in the past
OLDEST = (3, 8)  # of the interpreters whose compiled files are shared
COMPILER = Path(__file__).parent / "inside" / "compile.py"
TIMEOUT = 600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Bytecode:
    """The packs, in a folder of the user's cache; `run` is the door to processes."""

    folder: Path
    environ: Mapping[str, str]
    run: Runner

    def knows(self, interpreter: Interpreter) -> bool:
        """Whether compiled files of this interpreter are shared."""
        return interpreter.implementation == "cpython" and interpreter.release >= OLDEST and bool(interpreter.cache_tag)

    def give(self, site: Path, entry: LockEntry) -> int:
        """Set the sources of a fresh environment to the fixed time, and put in what is compiled; gives its number."""
        if not self.knows(entry.interpreter):
            return 0
        given = 0
        tag = entry.interpreter.cache_tag
        for distribution, sources in self._sources(site, entry):
            for path in sources:
                with suppress(OSError):
                    os.utime(site / path, (SOURCE_TIME, SOURCE_TIME))
            given += _unpack(self._pack(entry.interpreter, distribution), site, sources, tag)
        return given

    def collect(self, site: Path, entry: LockEntry) -> int:
        """Compile and keep what was imported in an environment and is not kept yet; gives its number.

        The caller has made sure that the sources are as they were installed.
        """
        if not self.knows(entry.interpreter):
            return 0
        kept = 0
        tag = entry.interpreter.cache_tag
        for distribution, sources in self._sources(site, entry):
            pack = self._pack(entry.interpreter, distribution)
            known = _members(pack)
            new = {
                path: digest
                for path, digest in sources.items()
                if _member(path, digest) not in known and os.path.lexists(site / _compiled(path, tag))
            }
            if new:
                kept += self._compile(site, new, pack, entry.interpreter)
        return kept

    def _compile(self, site: Path, sources: Mapping[str, str], pack: Path, interpreter: Interpreter) -> int:
        with tempfile.TemporaryDirectory(prefix="venvgrid-compile-") as folder:
            files = {path: Path(folder, f"{number}.pyc") for number, path in enumerate(sources)}
            request = Path(folder, "request.json")
            pairs = [[str(site / path), str(target)] for path, target in files.items()]
            request.write_text(json.dumps({"time": SOURCE_TIME, "files": pairs}), encoding="utf-8")
            code = f"import sys; sys.stdin = open({str(request)!r}); exec(open({str(COMPILER)!r}).read())"
            argv = (interpreter.executable, "-I", "-S", "-c", code)
            self.run(Command(argv=argv, cwd=Path(folder), env=self.environ, timeout=TIMEOUT))
            made = {_member(path, sources[path]): target for path, target in files.items() if target.is_file()}
            with suppress(OSError):
                _add(pack, made)
            return len(made)

    def _pack(self, interpreter: Interpreter, distribution: Distribution) -> Path:
        kind = f"{interpreter.version}{'d' if interpreter.debug else ''}-{interpreter.platform}"
        identity = json.dumps([distribution.name, distribution.version, sorted(distribution.hashes)])
        digest = hashlib.blake2b(identity.encode(), digest_size=10).hexdigest()
        name = f"{distribution.name}-{distribution.version}-{digest}.zip"
        return self.folder / f"{interpreter.cache_tag}-{kind}" / name

    def _sources(self, site: Path, entry: LockEntry) -> Iterator[tuple[Distribution, dict[str, str]]]:
        """Give the distributions of an entry that have hashes, each with its sources and their sha256."""
        records = _records(site)
        for distribution in entry.distributions:
            record = records.get((distribution.name, distribution.version))
            if distribution.hashes and record is not None:
                yield distribution, _read_record(record)


def _records(site: Path) -> dict[tuple[str, str], Path]:
    """Map (normalised name, version) to the RECORD of each installed distribution."""
    from venvgrid.names import normalise  # noqa: PLC0415

    found = {}
    for folder in site.glob("*.dist-info"):
        name, _, version = folder.name.removesuffix(".dist-info").rpartition("-")
        found[normalise(name), version] = folder / "RECORD"
    return found


def _read_record(record: Path) -> dict[str, str]:
    """Map the Python sources that a RECORD lists, relative to site-packages, to their sha256."""
    found = {}
    with suppress(OSError, csv.Error, UnicodeDecodeError), record.open(encoding="utf-8", newline="") as stream:
        for row in csv.reader(stream):
            if len(row) > 1 and row[0].endswith(".py") and row[1].startswith("sha256=") and _is_inside(row[0]):
                found[row[0]] = row[1].removeprefix("sha256=")
    return found


def _is_inside(path: str) -> bool:
    return not path.startswith(("/", "\\")) and ".." not in path.split("/") and ":" not in path and "\\" not in path


def _compiled(path: str, tag: str) -> str:
    """Give where Python keeps the compiled form of a source: numpy/__pycache__/version.cpython-312.pyc."""
    folder, _, name = path.rpartition("/")
    return f"{folder}/__pycache__/{name[:-3]}.{tag}.pyc".removeprefix("/")


def _member(path: str, digest: str) -> str:
    return f"{digest}/{path}"


def _members(pack: Path) -> set[str]:
    try:
        with zipfile.ZipFile(pack) as archive:
            return set(archive.namelist())
    except (OSError, zipfile.BadZipFile):
        return set()


def _unpack(pack: Path, site: Path, sources: Mapping[str, str], tag: str) -> int:
    """Copy what a pack has for the sources into __pycache__; a pack or member that is damaged is dropped."""
    given = 0
    try:
        with zipfile.ZipFile(pack) as archive:
            known = set(archive.namelist())
            for path, digest in sources.items():
                member = _member(path, digest)
                if member in known:
                    content = archive.read(member)  # checks the member's checksum
                    target = site / _compiled(path, tag)
                    target.parent.mkdir(exist_ok=True)
                    target.write_bytes(content)
                    given += 1
    except FileNotFoundError:
        return given
    except (OSError, zipfile.BadZipFile):
        with suppress(OSError):
            pack.unlink()
    return given


def _add(pack: Path, made: Mapping[str, Path]) -> None:
    """Write a new pack beside the old one with its members and the new ones, and put it in its place."""
    pack.parent.mkdir(parents=True, exist_ok=True)
    handle, partial = tempfile.mkstemp(dir=pack.parent)
    try:
        with os.fdopen(handle, "wb") as stream, zipfile.ZipFile(stream, "w") as archive:
            with suppress(OSError, zipfile.BadZipFile), zipfile.ZipFile(pack) as old:
                for name in old.namelist():
                    archive.writestr(zipfile.ZipInfo(name), old.read(name))
            for name, file in made.items():
                archive.writestr(zipfile.ZipInfo(name), file.read_bytes())
        Path(partial).replace(pack)
    except OSError:
        with suppress(OSError):
            Path(partial).unlink()
        raise
