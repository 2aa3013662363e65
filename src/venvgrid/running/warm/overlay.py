"""The project as it is now, without a build: the installed files, with the edited ones in their places.

An environment holds the project as a wheel. To build it anew after each edit takes seconds. For a preview, a folder is
made that holds all of its installed modules, and the witness answers imports from there (see `_venvgrid_witness`), in
the Python processes that tests start too. The environment itself is never changed.
"""

from __future__ import annotations

import glob
import hashlib
import itertools
import os
import shutil
from contextlib import suppress
from dataclasses import field
from typing import TYPE_CHECKING

from venvgrid.environments.package_cache import record
from venvgrid.model import Config, InstallMode
from venvgrid.model.names import normalise
from venvgrid.model.values import dataclass
from venvgrid.outcomes import provenance
from venvgrid.processes.parallel import mutex
from venvgrid.running.warm import mapping
from venvgrid.running.warm.preview import Cold

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from contextlib import AbstractContextManager
    from pathlib import Path

    from venvgrid.running.tasks import TestTask

NAME = "site-packages"  # of each overlay: paths in messages and ids of tests look as usual
KEPT = 2  # overlays of an environment; a run that is being ended may still read the one before


@dataclass(slots=True, kw_only=True)
class _Installed:
    """The project in an environment: its files with their digests, the inputs that it was built from, and a copy."""

    files: Mapping[str, str]
    contents: Mapping[str, str]
    placed: mapping.Placement
    copy: Path
    made: list[tuple[object, Path]] = field(default_factory=list)  # overlays, the newest last


@dataclass(kw_only=True)
class Overlays:
    """The overlays of a project's environments, in a temporary folder that is theirs alone.

    Methods may be called from several threads.
    """

    config: Config
    folder: Path
    _known: dict[Path, _Installed] = field(default_factory=dict)
    _numbers: itertools.count[int] = field(default_factory=itertools.count)
    _lock: AbstractContextManager[object] = field(default_factory=mutex)

    def learn(self, task: TestTask, contents: Mapping[str, str]) -> None:
        """Note what a cell's environment holds.

        It was installed from inputs with these contents (`Inputs.contents`).
        """
        if task.project is None:
            return
        files = {} if self._is_editable else _files(task)
        with self._lock:
            known = self._known.get(task.environment.path)
            if known is not None and known.files == files and known.contents == contents:
                return
            if known is not None:
                self._drop(known)
            names = {_base(path) for path in files}
            sources = {name: _digest(self.config.project.path / name) for name in contents if _base(name) in names}
            copy = self.folder / f"{next(self._numbers):x}"
            for path in files:
                _copy(task.environment.site, copy, path)
            placed = mapping.place(files, sources)
            self._known[task.environment.path] = _Installed(files=files, contents=contents, placed=placed, copy=copy)

    def of(self, task: TestTask, contents: Mapping[str, str]) -> Path | Cold | None:
        """Return the overlay of a cell for inputs with these contents; None if what is installed is the same.

        Cold says why only a build can tell what the edits mean.
        """
        if task.project is None:
            return None
        with self._lock:
            known = self._known.get(task.environment.path)
            if known is None:
                return Cold(reason="no full run has shown yet what is installed in its environment")
            done = mapping.edits(known.contents, contents)
            if self._is_editable:
                return mapping.objection(done)
            found = mapping.replaced(done, known.placed, known.files)
            if isinstance(found, Cold):
                return found
            if not found:
                return None
            state = frozenset((path, contents[source]) for path, source in found.items())
            for earlier, place in known.made:
                if earlier == state:
                    return place
            place = self._make(known, found)
            known.made.append((state, place))
            for _, old in known.made[:-KEPT]:
                shutil.rmtree(old.parent, ignore_errors=True)
            del known.made[:-KEPT]
            return place

    @property
    def _is_editable(self) -> bool:
        return self.config.project.install is InstallMode.EDITABLE

    def _make(self, known: _Installed, found: Mapping[str, str]) -> Path:
        place = self.folder / f"{next(self._numbers):x}" / NAME
        compiled = {_compiled_stem(path) for path in found}
        for file in known.copy.rglob("*"):
            path = file.relative_to(known.copy).as_posix()
            if path not in found and path.rpartition(".")[0].rpartition(".")[0] not in compiled and file.is_file():
                _link(file, place / path)
        for path, source in found.items():
            target = place / path
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(self.config.project.path / source, target)
        return place

    def _drop(self, known: _Installed) -> None:
        for folder in (known.copy, *(place.parent for _, place in known.made)):
            shutil.rmtree(folder, ignore_errors=True)


def _files(task: TestTask) -> dict[str, str]:
    """Return the project's installed modules and data with their digests: those that the witness finds first."""
    name = normalise(task.project.metadata.name) if task.project else ""
    installed = record.distributions(task.environment.site, frozenset({name}))
    files = next((item.files for item in installed.values()), {})
    roots = provenance.roots_of(name, files)
    own = tuple(root.replace(".", "/") for root in roots if root.split(".")[0] not in provenance.TEST_NAMES)
    site = task.environment.site  # some installers write no digest, or name it otherwise
    return {path: digest or _digest(site / path) for path, digest in files.items() if _is_below(path, own)}


def _is_below(path: str, roots: Iterable[str]) -> bool:
    """Return whether an installed file belongs to a package, or is a module, of one of these names."""
    return record.is_inside(path) and any(path.startswith((f"{root}/", f"{root}.")) for root in roots)


def _base(path: str) -> str:
    return path.rpartition("/")[2]


def _compiled_stem(path: str) -> str:
    """Return the path of a module's compiled files without what follows its name."""
    folder, _, name = path.rpartition("/")
    return f"{folder}/__pycache__/{name.partition('.')[0]}".lstrip("/")


def _digest(file: Path) -> str:
    try:
        return hashlib.sha256(file.read_bytes()).hexdigest()
    except OSError:
        return ""


def _copy(site: Path, copy: Path, path: str) -> None:
    """Copy an installed file, with what Python compiled of it: times are kept, so that it stays valid."""
    compiled = site / path
    compiled = compiled.parent / "__pycache__"
    stem = _base(path).removesuffix(".py")
    found = compiled.glob(f"{glob.escape(stem)}.cpython-*.pyc") if path.endswith(".py") else ()
    for file in (site / path, *found):
        target = copy / file.relative_to(site)
        target.parent.mkdir(parents=True, exist_ok=True)
        with suppress(OSError):
            shutil.copy2(file, target)


def _link(file: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.link(file, target)
    except OSError:  # a file system without hard links
        shutil.copy2(file, target)
