"""The git repository of the project: what it tracks and ignores, and its history for a copy of the work tree."""

from __future__ import annotations

import os
import shutil
from contextlib import suppress
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from venvgrid.model.values import dataclass
from venvgrid.processes import runner
from venvgrid.processes.command import Command
from venvgrid.processes.parallel import map_parallel

if TYPE_CHECKING:
    from collections.abc import Mapping

TIMEOUT = 120.0  # seconds
IGNORED = ("ls-files", "-z", "--others", "--ignored", "--exclude-standard", "--directory")
TRACKED = ("ls-files", "-z", "--stage")
REFERENCES = ("for-each-ref", "--format=%(objectname) %(refname)")
# Parts of a repository that a build can see. Its objects are not copied: the copy reads them where they are.
OF_WORK_TREE = ("HEAD", "index", "sharedindex.*", "config.worktree")
OF_REPOSITORY = ("config", "packed-refs", "refs", "reftable", "shallow", "info")
# Nothing watches the copy; git must not ask the checkout's watcher.
CONFIGURATION = "\n[core]\n\tfsmonitor = false\n\tuntrackedCache = false\n"
OF_COPIES = "\tbare = false\n\tworktree = ..\n"


@dataclass(frozen=True, kw_only=True)
class Repository:
    """A repository with a work tree at `root`. `environ` are the variables that git is started with."""

    root: Path
    folder: Path  # of the work tree: HEAD and index
    common: Path  # of all work trees: references and objects
    environ: Mapping[str, str]

    @cached_property
    def _listed(self) -> tuple[bytes | None, bytes | None]:
        ignored, tracked = map_parallel(self._git, (IGNORED, TRACKED))
        return ignored, tracked

    @property
    def works(self) -> bool:
        """Whether git reads it: git is installed and trusts its owner."""
        return self._listed[1] is not None

    @cached_property
    def ignored(self) -> frozenset[str]:
        """The untracked files and folders that git ignores, relative to the root."""
        return frozenset(os.fsdecode(name).rstrip("/") for name in (self._listed[0] or b"").split(b"\0") if name)

    @cached_property
    def tracked(self) -> frozenset[str]:
        """The tracked files and their folders, relative to the root."""
        found: set[str] = set()
        for line in (self._listed[1] or b"").split(b"\0"):
            name = os.fsdecode(line.partition(b"\t")[2])
            while name and name not in found:
                found.add(name)
                name = name.rpartition("/")[0]
        return frozenset(found)

    def history(self) -> bytes:
        """Return what of the history a build can see: the commit, all references, the index."""
        head = self.folder / "HEAD"
        parts = [head.read_bytes() if head.is_file() else b"", self._git(REFERENCES) or b"", self._listed[1] or b""]
        with suppress(OSError):
            parts.append((self.common / "shallow").read_bytes())
        return b"\0".join([*parts, self._git(("rev-parse", "HEAD")) or b""])

    @cached_property
    def commit(self) -> str:
        """The commit that is checked out, or "" before the first one."""
        return (self._git(("rev-parse", "HEAD")) or b"").decode("ascii", "replace").strip()

    @cached_property
    def is_dirty(self) -> bool:
        """Whether a tracked file differs from the commit."""
        return bool(self._git(("status", "--porcelain", "--untracked-files=no")))

    def give_to(self, target: Path) -> None:
        """Give the copy of the work tree at `target` the history of this one; it shares the objects alone."""
        _copy_repository(self.folder, self.common, target / ".git")
        with (target / ".git" / "config").open("a", encoding="utf-8") as config:
            config.write(OF_COPIES)  # this may be a submodule, or a work tree of a bare repository

    def _git(self, words: tuple[str, ...]) -> bytes | None:
        """Return the output of git as it is, or None if it failed."""
        chunks: list[bytes] = []
        command = Command(argv=("git", *words), cwd=self.root, env=self.environ, timeout=TIMEOUT, listen=chunks.append)
        done = runner.run(command)
        if not done.ok:
            return None
        return b"".join(chunks) if not done.stderr else done.stdout.encode("utf-8", "surrogateescape")


def find(folder: Path, environ: Mapping[str, str]) -> Repository | None:
    """Return the repository that holds a folder's files, or None: there is none, or git does not read it."""
    found = _nearest(folder, environ)
    return found and _holding(folder, found)


def refusal(folder: Path, environ: Mapping[str, str]) -> str:
    """Return why git does not read the repository that a folder is in, in its words; "" if it does, or there is none.

    git refuses a repository of another user, as in a container that mounts it, and says what to type.
    """
    found = _nearest(folder, environ)
    if found is None:
        return ""
    done = runner.run(
        Command(argv=("git", "rev-parse", "--git-dir"), cwd=found.root, env=found.environ, timeout=TIMEOUT)
    )
    if done.ok:
        return ""
    lines = [line.strip() for line in done.stderr.splitlines() if line.strip()]
    said = next((line for line in lines if line.startswith("fatal: ")), lines[0] if lines else "it cannot be started")
    typed = next((f"; if you trust it, type: {line}" for line in lines if line.startswith("git ")), "")
    return f"git does not read {found.root}: {said.removeprefix('fatal: ')}{typed}"


def _nearest(folder: Path, environ: Mapping[str, str]) -> Repository | None:
    """Return the repository of a folder or of the nearest one above it, whether or not git reads it."""
    for root in (folder, *folder.parents):
        place = root / ".git"
        if not os.path.lexists(place):
            continue
        git = _pointed(place)
        if not (git / "HEAD").is_file():
            continue
        with suppress(OSError):
            common = Path(os.path.normpath(git / (git / "commondir").read_text(encoding="utf-8").strip()))
            return Repository(root=root, folder=git, common=common, environ=_quiet(environ))
        return Repository(root=root, folder=git, common=git, environ=_quiet(environ))
    return None


def _holding(folder: Path, found: Repository) -> Repository | None:
    """Return the repository if the folder is its root, or holds tracked files: it may be a stranger's, above all."""
    inside = folder.relative_to(found.root).as_posix()
    return found if found.works and (inside == "." or inside in found.tracked) else None


def _pointed(place: Path) -> Path:
    """Return the folder that a `.git` file names, or `.git` itself."""
    with suppress(OSError, UnicodeDecodeError):
        if place.is_file():
            return Path(os.path.normpath(place.parent / place.read_text("utf-8").partition("gitdir:")[2].strip()))
    return place


def _quiet(environ: Mapping[str, str]) -> dict[str, str]:
    """Return the variables without those of git: a hook's GIT_DIR names another repository."""
    kept = {name: value for name, value in environ.items() if not name.startswith("GIT_")}
    return {**kept, "GIT_OPTIONAL_LOCKS": "0", "LC_ALL": "C"}


def _copy_repository(folder: Path, common: Path, target: Path) -> None:
    """Copy what of a repository is not history's objects, for itself and its submodules."""
    target.mkdir(parents=True, exist_ok=True)
    for source, patterns in ((common, OF_REPOSITORY), (folder, OF_WORK_TREE)):
        for item in (found for pattern in patterns for found in source.glob(pattern)):
            if item.is_dir():
                shutil.copytree(item, target / item.name, symlinks=True, dirs_exist_ok=True)
            else:
                shutil.copy2(item, target / item.name)
    for name in ("objects", "refs"):
        (target / name).mkdir(exist_ok=True)
    (target / "objects" / "info").mkdir(exist_ok=True)
    alternates = f"{(common / 'objects').absolute()}\n"
    (target / "objects" / "info" / "alternates").write_text(alternates, encoding="utf-8", errors="surrogateescape")
    with (target / "config").open("a", encoding="utf-8") as config:
        config.write(CONFIGURATION)
    for head in sorted((common / "modules").rglob("HEAD")):
        module = head.parent
        if (module / "objects").is_dir():
            _copy_repository(module, module, target / "modules" / module.relative_to(common / "modules"))
