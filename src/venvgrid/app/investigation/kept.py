"""What investigations leave below `.venvgrid`: stories, for the reports of the runs that they explain, and answers.

An answer is the result of a probe, for an investigation that goes on. If its tests read what cannot be compared (a
network, a clock) or what has changed since, it counts for a day.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from venvgrid.analysis.stories import Investigated
from venvgrid.model import CellResult, serialization
from venvgrid.model.values import dataclass
from venvgrid.storage import digests, json_cache, own_folders

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

FORMAT = "venvgrid-story-1"
FOLDER = "investigations"
ENDING = ".story.json"
MAX_KEPT = 200  # stories
OF_ANSWERS = "venvgrid-investigation-2"
COUNTS_FOR = timedelta(days=1)  # an answer that may depend on what cannot be compared


def save(root: Path, investigated: Investigated) -> None:
    """Keep a story below `root`, that is `.venvgrid`, in place of an earlier one of the same failure of the cell.

    Raises:
        LinkError: the folder is a link.
    """
    if not investigated.signature:
        return
    folder = own_folders.check(root, FOLDER)
    name = f"{digests.of_json([investigated.story.cell, investigated.signature], 16)}{ENDING}"
    json_cache.save(folder / name, {"investigated": serialization.to_plain(investigated)}, format=FORMAT)
    with suppress(OSError):
        files = sorted(folder.glob(f"*{ENDING}"), key=lambda file: file.stat().st_mtime, reverse=True)
        for file in files[MAX_KEPT:]:
            own_folders.delete(folder, file.name)


def read(root: Path) -> tuple[Investigated, ...]:
    """Return the stories below `root`, the newest first. What cannot be read is left out."""
    found = []
    for file in sorted((root / FOLDER).glob(f"*{ENDING}")):
        with suppress(ValueError, KeyError, TypeError, AttributeError):
            plain = json_cache.read(file, format=FORMAT)["investigated"]
            found.append(serialization.from_plain(Investigated, plain))
    return tuple(sorted(found, key=lambda item: item.when, reverse=True))


@dataclass(kw_only=True)
class Answers:
    """The answers to probes in a file. `content_of` returns the state of a place that tests read."""

    file: Path
    content_of: Callable[[str], str]
    known: dict[str, CellResult] = field(default_factory=dict)  # by world and repetition
    _since: dict[str, str] = field(default_factory=dict)

    @classmethod
    def read(cls, file: Path, content_of: Callable[[str], str], now: datetime | None = None) -> Answers:
        """Return the answers in a file that still count; none if there is no such file."""
        found = cls(file=file, content_of=content_of)
        with suppress(ValueError, KeyError, TypeError):
            for key, plain in json_cache.read(file, format=OF_ANSWERS)["results"].items():
                result, since = serialization.from_plain(CellResult, plain["result"]), str(plain["since"])
                age = (now or datetime.now(UTC)) - datetime.fromisoformat(since)
                if timedelta() <= age <= COUNTS_FOR or found._is_comparable(result):
                    found.known[key], found._since[key] = result, since
        return found

    def _is_comparable(self, result: CellResult) -> bool:
        """Return whether a result depends on nothing else than its key and files that are as they were."""
        footprint = result.footprint
        return not footprint.doubt and all(self.content_of(name) == seen for name, seen in footprint.read.items())

    def add(self, key: str, result: CellResult) -> None:
        """Keep an answer, and write all that say something: a build may fail for the network."""
        self.known[key] = result
        self._since[key] = datetime.now(UTC).isoformat(timespec="seconds")
        plain = {
            key: {"result": serialization.to_plain(item), "since": self._since[key]}
            for key, item in self.known.items()
            if item.outcome.is_green or item.outcome.is_red
        }
        json_cache.save(self.file, {"results": plain}, format=OF_ANSWERS)
