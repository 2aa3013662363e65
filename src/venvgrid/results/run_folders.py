"""Run folders: where the journal, the results and the logs of each run are kept.

.venvgrid/runs/20261121-143005-ab12/events.jsonl, results.json, logs/CELL.log, whole

The file "whole" holds the name of the run's grid. It is named "part" if only some cells were chosen (-k, --failed,
--changed): such runs do not push out the others. Of both kinds the newest are kept, for each grid.
"""

from __future__ import annotations

import os
import random
import re
import shutil
import stat
from collections import defaultdict
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from venvgrid.model import InfrastructureError
from venvgrid.model.values import dataclass
from venvgrid.storage import own_folders
from venvgrid.storage.atomic import sync_folder, trouble

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from venvgrid.model import CellResult


RUNS = "runs"


EVENTS = "events.jsonl"


PART, WHOLE = "part", "whole"  # the file that a run has, with the name of its grid


LOG = re.compile(r"(?:\.\./(\d{8}-\d{6}-[0-9a-f]{4})/)?logs/([^/\\]+)")


_ID = re.compile(r"(\d{8}-\d{6})-([0-9a-f]{4})")


MAX_LOG_BYTES = 400_000  # bytes that are read for a report


_STAMP = "%Y%m%d-%H%M%S"
_RANDOM = random.SystemRandom()  # `secrets` imports much more


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class RunFolder:
    """A run's folder; ids sort in the order in which the runs were made."""

    id: str
    path: Path

    @property
    def events(self) -> Path:
        """The journal."""
        return self.path / EVENTS

    @property
    def is_part(self) -> bool:
        """Whether only some cells of the grid were chosen."""
        return (self.path / PART).is_file()

    @property
    def grid(self) -> str:
        """The name of the grid; "" also for a run of an earlier version, which did not note it."""
        for name in (PART, WHOLE):
            with suppress(OSError, UnicodeDecodeError):
                return (self.path / name).read_text(encoding="utf-8").strip()
        return ""

    @property
    def logs(self) -> Path:
        """The folder of the cells' logs."""
        return self.path / "logs"

    def read_log(self, result: CellResult) -> str:
        """Read the end of what a cell printed; "" if there is nothing. It may be in the folder of another run."""
        found = LOG.fullmatch(result.log)
        if found is None:
            return ""
        try:
            with (self.path.parent / (found[1] or self.id) / "logs" / found[2]).open("rb") as file:
                size = file.seek(0, os.SEEK_END)
                file.seek(max(0, size - MAX_LOG_BYTES))
                return file.read(MAX_LOG_BYTES).decode("utf-8", "replace")
        except (OSError, ValueError):  # also for a cell without a log: a folder; a name that is none
            return ""

    def append_log(self, cell: str, text: str) -> str:
        """Append text to the log of a cell; return the name that its result refers to.

        Raises:
            InfrastructureError: it cannot be written.
        """
        name = f"logs/{cell}.log"
        try:
            self.logs.mkdir(parents=True, exist_ok=True)
            with (self.path / name).open("a", encoding="utf-8", errors="replace") as stream:
                stream.write(text.rstrip("\n") + "\n")
        except OSError as error:
            raise InfrastructureError(f"{self.path / name} cannot be written: {error.strerror or error}") from error
        return name


def create(root: Path, *, now: datetime, grid: str = "", is_part: bool = False) -> RunFolder:
    """Make the folder of a new run under `root` (`.venvgrid`), with an empty journal. Its id sorts after all others.

    `is_part`: only some cells of the grid were chosen.

    Raises:
        InfrastructureError: it cannot be made.
    """
    base = root / RUNS
    try:
        own_folders.make(root, RUNS)
        while True:
            folder = base / _next_id(_names(root), now)  # of what was killed before it was a run, too
            with suppress(FileExistsError):
                folder.mkdir()
                break
        (folder / "logs").mkdir()
        (folder / (PART if is_part else WHOLE)).write_text(f"{grid}\n", encoding="utf-8")
        (folder / EVENTS).touch()
        sync_folder(folder)
        sync_folder(base)
    except OSError as error:
        raise trouble("cannot make a run's folder in", base, error) from error
    return RunFolder(id=folder.name, path=folder)


@contextmanager
def discarded_on(kind: type[Exception], root: Path, folder: RunFolder) -> Iterator[None]:
    """Delete the folder of a run that ends with an error of this kind: it was no run."""
    try:
        yield
    except kind:
        with suppress(OSError):
            own_folders.delete(root, RUNS, folder.id)
        raise


def _next_id(earlier: list[str], now: datetime) -> str:
    stamp = now.astimezone(UTC).strftime(_STAMP)
    found = _ID.fullmatch(max(earlier, default=""))
    if found is None or found[1] < stamp:
        return f"{stamp}-{_RANDOM.randrange(0x8000):04x}"
    number = int(found[2], 16) + 1 + _RANDOM.randrange(16)  # in the same second, or the clock was put back
    if number <= 0xFFFF:  # noqa: PLR2004 - what four hexadecimal digits hold
        return f"{found[1]}-{number:04x}"
    later = datetime.strptime(found[1], _STAMP).replace(tzinfo=UTC) + timedelta(seconds=1)
    return f"{later.strftime(_STAMP)}-0000"


def runs(root: Path) -> list[RunFolder]:
    """Return the runs under `root`, oldest first: folders with a run's name and a journal, no symbolic links."""
    return sorted(RunFolder(id=name, path=root / RUNS / name) for name in _names(root) if _is_run(root / RUNS / name))


def _is_run(folder: Path) -> bool:
    with suppress(OSError):
        return stat.S_ISDIR(folder.lstat().st_mode) and stat.S_ISREG((folder / EVENTS).lstat().st_mode)
    return False


def latest(root: Path) -> RunFolder | None:
    """Return the newest run with at least one event, or None."""
    return next((run for run in reversed(runs(root)) if run.events.stat().st_size > 0), None)


def find(root: Path, id_or_prefix: str) -> RunFolder | None:
    """Return the run with this id, or the newest run whose id has this prefix, or None."""
    return next((run for run in reversed(runs(root)) if id_or_prefix and run.id.startswith(id_or_prefix)), None)


def prune(root: Path, keep: int = 10) -> None:
    """Delete all runs but the newest `keep` of each grid and kind, whole or part.

    Only what `runs` recognises is touched; what cannot be deleted stays.
    """
    own_folders.check(root, RUNS)
    found = runs(root)
    alike: defaultdict[tuple[str, bool], list[RunFolder]] = defaultdict(list)
    for run in found:
        alike[run.grid, run.is_part].append(run)
    for run in (run for same in alike.values() for run in same[: max(0, len(same) - keep)]):
        with suppress(OSError):
            for inside in run.path.iterdir():
                if inside.is_dir() and not inside.is_symlink():
                    shutil.rmtree(inside)
                elif inside.name != EVENTS:
                    inside.unlink()
            run.events.unlink()  # last: until then the folder is recognised
            run.path.rmdir()
    newest = found[-1].id if found else ""
    for name in _names(root):
        # A run that was killed while its folder was made holds nothing but an empty folder for logs.
        folder = root / RUNS / name
        if name < newest and not (folder.is_symlink() or (folder / EVENTS).exists()):
            with suppress(OSError):
                (folder / "logs").rmdir()
            for left in (PART, WHOLE):
                with suppress(OSError):
                    (folder / left).unlink()
            with suppress(OSError):
                folder.rmdir()


def _names(root: Path) -> list[str]:
    """Return the names of all run folders, unfinished ones included."""
    with suppress(OSError):
        return [entry.name for entry in (root / RUNS).iterdir() if _ID.fullmatch(entry.name)]
    return []
