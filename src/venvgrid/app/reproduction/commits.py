"""The commits of a repository in a line, for those who search in them. Nothing here writes into the repository."""

from __future__ import annotations

from typing import TYPE_CHECKING

from venvgrid.app.capsules.repository_state import git
from venvgrid.model import UsageError
from venvgrid.model.values import dataclass
from venvgrid.project import repository

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from venvgrid.processes.command import Runner


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """The commits of the repository that holds a project."""

    root: Path
    environ: Mapping[str, str]
    run: Runner

    @classmethod
    def of(cls, folder: Path, environ: Mapping[str, str], run: Runner) -> History:
        """Return the history of the project in a folder. Raises UsageError: it has none."""
        held = repository.find(folder, environ)
        if held is None or not held.commit:
            why = "" if held else repository.refusal(folder, environ)
            raise UsageError(why or f"{folder} is in no checkout of git with commits: there is nothing to search")
        return cls(root=held.root, environ=environ, run=run)

    def read(self, *words: str) -> str:
        """Return the output of git, "" if it fails."""
        return (self.content(*words) or b"").decode("utf-8", "replace").strip()

    def content(self, *words: str) -> bytes | None:
        """Return the output of git as it is, None if it fails."""
        return git(words, self.root, self.environ, self.run)

    def commit(self, name: str) -> str:
        """Return the full name of a commit. Raises UsageError: there is none."""
        found = self.read("rev-parse", "--verify", "--quiet", "--end-of-options", f"{name}^{{commit}}")
        if not found:
            shallow = self.read("rev-parse", "--is-shallow-repository") == "true"
            more = "; the clone is shallow: git fetch --unshallow" if shallow else ""
            raise UsageError(f"git knows no commit {name!r} in {self.root}{more}")
        return found

    def line(self, good: str, bad: str) -> list[str]:
        """Return the commits of first parents up to the bad one, oldest first, from the good one if it is known.

        Raises:
            UsageError: the good one is no ancestor of the bad one.
        """
        words = ("rev-list", "--first-parent", "--reverse")
        if not good:
            return self.read(*words, bad).split()
        if good == bad:
            raise UsageError(f"both ends are commit {bad[:10]}")
        base = self.read("merge-base", good, bad)
        if base == bad:
            raise UsageError(
                f"the good commit, {good[:10]}, is newer than the bad one, {bad[:10]}: the good one comes first"
            )
        if base != good:
            hint = f"; they parted at {base[:10]}: venvgrid bisect --commits {base[:10]} {bad[:10]}" if base else ""
            raise UsageError(f"the good commit, {good[:10]}, is no ancestor of the bad one, {bad[:10]}{hint}")
        return [good, *self.read(*words, f"{good}..{bad}").split()]

    def branch(self, merge: str) -> list[list[str]]:
        """Return the branches that a merge brought, each from where it parted, oldest first; [] if it is no merge."""
        first, *others = self.read("rev-list", "--parents", "-n", "1", merge).split()[1:] or [""]
        found = []
        for other in others:
            own = self.read("rev-list", "--first-parent", "--reverse", other, f"^{first}").split()
            before = self.read("rev-parse", "--verify", "--quiet", f"{own[0]}^") if own else ""
            found += [[before, *own]] if before else []
        return found

    def titles(self, names: Sequence[str]) -> dict[str, str]:
        """Return subject, author and day of commits."""
        lines = self.read("log", "--no-walk=unsorted", "--format=%H %s (%an, %as)", *names).splitlines()
        return {line[:40].split(" ")[0]: line.partition(" ")[2] for line in lines}
