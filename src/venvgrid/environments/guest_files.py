"""The files of venvgrid that each environment gets: the probe and the witness, compiled where Python takes that.

What tests leave in `__pycache__` is deleted, so each cell would compile them again, which takes longer than a start of
Python. A compiled module without a source beside it is a file like any other.

They are a package of the package cache, one for each interpreter: environments share its files, and every look at them
is the same as for the files of a distribution.
"""

from __future__ import annotations

import shutil
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from venvgrid.environments.manifest import entry_at
from venvgrid.environments.package_cache import ingest
from venvgrid.environments.package_cache.bytecode import compile_files, shares_bytecode
from venvgrid.environments.package_cache.cache import kind_of
from venvgrid.environments.package_cache.facts import facts_of
from venvgrid.environments.package_cache.links import DamagedError
from venvgrid.environments.package_cache.populate import Populated, populate
from venvgrid.environments.venv_layout import prefix_of
from venvgrid.model.values import dataclass
from venvgrid.processes import guests

if TYPE_CHECKING:
    from collections.abc import Mapping

    from venvgrid.environments.package_cache.cache import CachedPackage, PackageCache
    from venvgrid.model import Interpreter
    from venvgrid.processes.command import Runner

SOURCE, COMPILED = ".py", ".pyc"
TRIES = 3  # before the sources do: others may delete what is compiled


@dataclass(frozen=True, slots=True, kw_only=True)
class GuestFiles:
    """The guests of each environment. `packages` keep them compiled; `run` and `environ` start compilers."""

    sources: tuple[Path, ...]
    packages: PackageCache
    environ: Mapping[str, str]
    run: Runner

    @property
    def digest(self) -> str:
        """The digest of the guests, whatever compiled them."""
        return guests.digest_of(self.sources)

    def add(self, environment: Path, site: Path, interpreter: Interpreter, *, may_link: bool) -> Populated:
        """Add the guests to an environment that has none; return what it shares, and the manifest of the others.

        They are compiled anew if the cache is pruned or damaged. If that fails, the sources are copied.

        Raises:
            OSError: a file cannot be written.
        """
        self._make_room(site)
        for _ in range(TRIES):
            package = self.package(interpreter)
            if package is None:
                break
            added = Populated()
            with suppress(DamagedError):
                populate(self.packages, package, environment, site, added, may_link=may_link)
                return added
            self._make_room(site)
        prefix = prefix_of(environment, site)
        files = guests.files_of(self.sources)
        for name, file in files.items():
            (site / name).parent.mkdir(exist_ok=True)
            shutil.copyfile(file, site / name)
        return Populated(manifest={prefix + name: entry_at(str(site / name)) for name in files})

    def package(self, interpreter: Interpreter) -> CachedPackage | None:
        """Return the guests for environments of an interpreter; None if they cannot be compiled or kept."""
        key = f"{kind_of(interpreter)}/venvgrid-guests-{self.digest[:20]}"
        found = self.packages.by_key(key)
        if found is None:
            with suppress(OSError, ingest.NotCacheableError):
                self._make(self.packages.folder / key, interpreter)
            found = self.packages.by_key(key)
        return found

    def _make(self, place: Path, interpreter: Interpreter) -> None:
        """Compile the sources and put them into the package cache.

        Raises:
            NotCacheableError: one does not compile, or another process was quicker.
            OSError: a file cannot be written.
        """
        place.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".partial-", dir=place.parent) as scratch:
            partial = Path(scratch, "made")
            site, wanted = partial / "site", []
            is_compiled = shares_bytecode(interpreter)
            for name, file in guests.files_of(self.sources).items():
                target = site / (_compiled(name) if is_compiled else name)
                target.parent.mkdir(parents=True, exist_ok=True)
                if target.name == file.name:
                    shutil.copyfile(file, target)
                else:
                    wanted.append((str(file), str(target), f"<venvgrid>/{name}"))
            compile_files(wanted, partial, interpreter, environ=self.environ, run=self.run)
            if not all(Path(target).is_file() for _, target, _ in wanted):
                raise ingest.NotCacheableError("the guests do not compile")
            files = sorted(file for file in site.rglob("*") if file.is_file())
            made = {file.relative_to(site).as_posix(): facts_of(str(file)) for file in files}
            ingest.keep(self.packages, partial, place, site=made)

    def _make_room(self, site: Path) -> None:
        """Delete what has the names of guests: a package may have brought it, and a source would be taken."""
        for name in guests.files_of(self.sources):
            for taken in {name, _compiled(name)}:
                (site / taken).unlink(missing_ok=True)


def _compiled(name: str) -> str:
    return f"{name.removesuffix(SOURCE)}{COMPILED}" if name.endswith(SOURCE) else name
