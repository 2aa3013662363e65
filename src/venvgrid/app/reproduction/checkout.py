"""Provides the sources of a capsule: the checkout that the user is in, or a copy of it at the capsule's commit.

The checkout itself is never changed: the copy is a clone in a temporary folder, which shares the objects of git.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from venvgrid.app.capsules.repository_state import digest_of, git
from venvgrid.model import InfrastructureError, UsageError
from venvgrid.model.values import dataclass
from venvgrid.project import repository
from venvgrid.results.capsules import capsule

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from venvgrid.processes.command import Runner
    from venvgrid.results.capsules.capsule import Capsule, Sources

SUBMODULE = "160000 "  # the mode of an entry of git
MAX_NAMED = 3  # files in a note


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkout:
    """The root of the sources, and notes of how they differ from those of the capsule."""

    root: Path
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Checkouts:
    """Finds or makes the sources of capsules. `folder` is where the user is."""

    folder: Path
    environ: Mapping[str, str]
    run: Runner
    notify: Callable[[str], None]

    @contextmanager
    def of(self, made: Capsule, *, with_patch: bool) -> Iterator[Checkout]:
        """Yield the sources of a capsule; `with_patch` applies its patch to a copy.

        Raises:
            UsageError: there is no checkout with the commit, or the patch does not fit.
        """
        sources = made.sources
        if with_patch and not sources.patch:
            why = f": {sources.patch_missing}" if sources.patch_missing else ""
            raise UsageError(f"--patch: the capsule of {made.cell} has no patch{why}")
        held = repository.find(self.folder, self.environ)
        if not sources.commit:
            yield Checkout(root=self._root_without_commit(made))
            return
        if held is None:
            why = repository.refusal(self.folder, self.environ)
            raise UsageError(
                f"the sources of this capsule are commit {sources.commit[:12]} of {made.project or 'a project'}, and "
                + (why or f"{self.folder} is in no checkout of git; type the command in a clone of it")
            )
        if held.commit == sources.commit and not held.is_dirty and not with_patch:
            yield Checkout(root=held.root, notes=_notes(sources, held.root, with_patch=False))
            return
        with self._copied(held.root, sources, with_patch=with_patch) as root:
            yield Checkout(root=root, notes=_notes(sources, root, with_patch=with_patch))

    def _root_without_commit(self, made: Capsule) -> Path:
        """Return the folder with the configuration: the user's, or one above it."""
        for folder in (self.folder, *self.folder.parents):
            if (folder / made.sources.config).is_file():
                return folder
        raise UsageError(
            f"the sources of this capsule were in no repository, and {self.folder} has no {made.sources.config}; type "
            f"the command in the folder of {made.project or 'the project'}"
        )

    @contextmanager
    def _copied(self, origin: Path, sources: Sources, *, with_patch: bool) -> Iterator[Path]:
        if self._git(("cat-file", "-e", f"{sources.commit}^{{commit}}"), origin) is None:
            name = sources.reference or sources.commit
            raise UsageError(f"commit {sources.commit[:12]} is not in {origin}; fetch it with: git fetch origin {name}")
        self.notify(f"commit {sources.commit[:12]} is checked out into a temporary folder; {origin} is not touched")
        folder = Path(tempfile.mkdtemp(prefix="venvgrid-reproduce-"))
        try:
            root = folder / origin.name
            self.copy(origin, sources.commit, root)
            if with_patch:
                self._apply(sources.patch, root)
            yield root
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def copy(self, origin: Path, commit: str, target: Path) -> None:
        """Check out a commit of a clone, with its submodules, into a new folder; the clone is only read.

        Raises:
            InfrastructureError: git fails.
        """
        self._copy(origin, commit, target)
        if missing := self._copy_submodules(origin, target):
            self.notify(f"note: submodules that are not in {origin}: {', '.join(missing)}")

    def _copy(self, origin: Path, commit: str, target: Path) -> None:
        """Check out a commit of a clone into another folder; the clone is only read."""
        options = ("--quiet", "--shared", "--no-checkout", "--template=", "--no-recurse-submodules")
        self._must(("clone", *options, "--", str(origin), str(target)), target.parent, "cloned")
        self._must(("checkout", "--quiet", "--detach", commit), target, "checked out")

    def _copy_submodules(self, origin: Path, root: Path) -> list[str]:
        """Copy the submodules of a copy from those of the clone; return those that the clone does not have."""
        missing = []
        for entry in (self._git(("ls-files", "--stage", "-z"), root) or b"").split(b"\0"):
            kind, _, name = os.fsdecode(entry).partition("\t")
            if not kind.startswith(SUBMODULE):
                continue
            commit, inner = kind.split(" ")[1], origin / name
            known = ("cat-file", "-e", f"{commit}^{{commit}}")
            if not os.path.lexists(inner / ".git") or self._git(known, inner) is None:
                missing.append(name)
                continue
            self._copy(inner, commit, root / name)
            missing += [f"{name}/{deeper}" for deeper in self._copy_submodules(inner, root / name)]
        return missing

    def _apply(self, patch: str, root: Path) -> None:
        """Apply a patch. git itself refuses names that lead out of the folder, or through a link."""
        file = root.parent / "capsule.patch"
        file.write_bytes(patch.encode("utf-8"))
        if self._git(("apply", "--whitespace=nowarn", str(file)), root) is None:
            raise UsageError("--patch: git refuses the patch of the capsule; run without it, or apply it by hand")

    def _must(self, words: tuple[str, ...], folder: Path, done: str) -> None:
        if self._git(words, folder) is None:
            raise InfrastructureError(f"the commit could not be {done}: git {words[0]} failed")

    def _git(self, words: tuple[str, ...], folder: Path) -> bytes | None:
        return git(words, folder, self.environ, self.run)


def _notes(sources: Sources, root: Path, *, with_patch: bool) -> tuple[str, ...]:
    """Return how the sources differ from those of the capsule."""
    names = [name for name in sources.changed if capsule.is_inside(name)]
    other = [name for name in names if digest_of(root / name) != sources.changed[name]]
    if not other:
        return ()
    more = f" and {len(other) - MAX_NAMED} more" if len(other) > MAX_NAMED else ""
    told = f"{', '.join(other[:MAX_NAMED])}{more} was changed there, or is not in the commit"
    if with_patch:
        return (f"{told}, also after the patch",)
    if sources.patch:
        return (f"{told}; the capsule has a patch, which --patch applies",)
    return (f"{told}; the capsule has no patch{f': {sources.patch_missing}' if sources.patch_missing else ''}",)
