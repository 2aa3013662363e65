"""The locks of git revisions: the cells whose lock changed since one, and the locks before now."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from venvgrid.model import LockError, UsageError
from venvgrid.processes.command import Command
from venvgrid.resolving import lockfile

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from venvgrid.model import Config
    from venvgrid.processes.command import Runner

TIMEOUT = 60.0  # seconds


def changed_cells(config: Config, reference: str, run: Runner, environ: Mapping[str, str]) -> frozenset[str]:
    """Return the cells whose lock differs from that of a revision, or all cells if the revision has no lock.

    Raises:
        UsageError: git is missing, this is no checkout, or it has no such revision.
        LockError: a lock is missing or damaged.
    """
    path = lockfile.path_for(config)
    now = lockfile.read(path)

    def git(*words: str) -> str | None:
        command = Command(argv=("git", *words), cwd=config.root, env=dict(environ), timeout=TIMEOUT)
        done = run(command)
        if done.error:
            raise UsageError(f"--changed needs git: {done.error}")
        return done.stdout if done.ok else None

    commit = git("rev-parse", "--verify", "--quiet", "--end-of-options", f"{reference}^{{commit}}")
    if commit is None:
        raise UsageError(f"--changed {reference!r}: git knows no such revision in {config.root}")
    shown = git("show", f"{commit.strip()}:./{path.name}")
    return lockfile.changed(lockfile.parse(shown, path) if shown is not None else None, now)


def earlier(config: Config, most: int, run: Runner, environ: Mapping[str, str]) -> Iterator[tuple[str, lockfile.Lock]]:
    """Yield the commits that changed the lock, the newest first, each with its lock; none without git."""
    path = lockfile.path_for(config)

    def git(*words: str) -> str:
        done = run(Command(argv=("git", *words), cwd=config.root, env=dict(environ), timeout=TIMEOUT))
        return done.stdout if done.ok else ""

    for commit in git("log", f"--max-count={most}", "--format=%H", "--", path.name).split():
        with suppress(LockError):
            yield commit, lockfile.parse(git("show", f"{commit}:./{path.name}"), path)
