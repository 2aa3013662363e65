"""The files of venvgrid that each environment gets: the probe and the witness, compiled where Python takes that.

What tests leave in `__pycache__` is deleted, so each cell would compile them again, which takes longer than a start of
Python. A compiled module without a source beside it is a file like any other: the manifest has it. They are compiled
once for each interpreter and kept in the user's cache with their sha256.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from venvgrid.environments.package_cache.bytecode import compile_files, shares_bytecode
from venvgrid.environments.package_cache.cache import kind_of
from venvgrid.environments.package_cache.facts import digest_of
from venvgrid.model.values import dataclass
from venvgrid.processes import guests
from venvgrid.storage import directories, json_cache

if TYPE_CHECKING:
    from collections.abc import Mapping

    from venvgrid.model import Interpreter
    from venvgrid.processes.command import Runner

FORMAT = "venvgrid-guests-1"
LIST = "files.json"
SOURCE, COMPILED = ".py", ".pyc"
TRIES = 3  # before the sources do: others may delete what is compiled


@dataclass(frozen=True, slots=True, kw_only=True)
class GuestFiles:
    """The guests of each environment. `folder` is where compiled ones are kept; `run` and `environ` start compilers."""

    sources: tuple[Path, ...]
    folder: Path
    environ: Mapping[str, str]
    run: Runner

    @property
    def digest(self) -> str:
        """The digest of the guests, whatever compiled them."""
        return guests.digest_of(self.sources)

    def copied_into(self, site: Path, interpreter: Interpreter) -> list[Path]:
        """Copy the files into site-packages and return the copies. They are compiled anew if the cache is pruned."""
        for _ in range(TRIES):
            with suppress(FileNotFoundError):
                return _copied(self.of(interpreter), site)
        return _copied(guests.files_of(self.sources), site)

    def of(self, interpreter: Interpreter) -> Mapping[str, Path]:
        """Return the files for environments of an interpreter, by their path in site-packages."""
        sources = guests.files_of(self.sources)
        if not shares_bytecode(interpreter):
            return sources
        place = self.folder / kind_of(interpreter) / self.digest[:20]
        made = _kept(place)
        if not made:
            with suppress(OSError):
                made = self._make(place, sources, interpreter)
        if not all(_compiled(name) in made for name in sources if name.endswith(SOURCE)):
            return sources
        others = {name: file for name, file in sources.items() if not name.endswith(SOURCE)}
        return {**others, **{name: place / name for name in made}}

    def _make(self, place: Path, sources: Mapping[str, Path], interpreter: Interpreter) -> dict[str, str]:
        """Compile the sources and put them into their place in one step; return their digests.

        Raises:
            OSError: a file cannot be written.
        """
        place.parent.mkdir(parents=True, exist_ok=True)
        directories.delete(place)  # damaged
        with tempfile.TemporaryDirectory(prefix=".partial-", dir=place.parent) as scratch:
            folder = Path(scratch, "made")
            targets = {name: folder / _compiled(name) for name in sources if name.endswith(SOURCE)}
            for target in targets.values():
                target.parent.mkdir(parents=True, exist_ok=True)
            wanted = [(str(sources[name]), str(target), f"<venvgrid>/{name}") for name, target in targets.items()]
            compile_files(wanted, folder, interpreter, environ=self.environ, run=self.run)
            made = {_compiled(name): digest_of(str(target)) for name, target in targets.items()}
            json_cache.write(folder / LIST, {"files": made}, format=FORMAT)
            with suppress(OSError):  # another process was quicker
                os.rename(folder, place)  # noqa: PTH104  (it takes the place of no folder with files)
        return _kept(place)


def _copied(files: Mapping[str, Path], site: Path) -> list[Path]:
    for name, file in files.items():
        target = site / name
        target.parent.mkdir(exist_ok=True)
        if name.endswith((SOURCE, COMPILED)):  # of an earlier installation: a source would be taken
            target.with_suffix(SOURCE if name.endswith(COMPILED) else COMPILED).unlink(missing_ok=True)
        shutil.copyfile(file, target)
    return [site / name for name in files]


def _kept(place: Path) -> dict[str, str]:
    """Return the compiled guests in a folder with their digests; {} if one is not as it was made."""
    with suppress(OSError):
        made: dict[str, str] = json_cache.read(place / LIST, format=FORMAT).get("files", {})
        if all(digest_of(str(place / name)) == digest for name, digest in made.items()):
            return made
    return {}


def _compiled(name: str) -> str:
    return f"{name.removesuffix(SOURCE)}{COMPILED}"
