"""Times `venvgrid watch` on a terminal of its own: from an edit to what it shows, and what it costs while it waits."""

from __future__ import annotations

import contextlib
import os
import re
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "faults"))

from terminals import OnTerminal

WAITING = "waiting for a change"
WARM = re.compile("cells? (?:is|are) warm")
FOLLOWS = "the full run follows"
# A count of tests of a cell that runs, or of cells that are done: the first result is on the screen.
FIRST = re.compile(r"  test .* [1-9]\d* of \d+|[1-9]\d* of \d+ cells:")
QUIET = 1.0  # seconds without work of its processes, until it is ready for an edit
IDLE = 20.0  # seconds over which the cost of waiting is measured


class Watching(OnTerminal):
    """A session of watch on a terminal."""

    def moment(self, wanted: str | re.Pattern[str]) -> float:
        """Wait until this is shown; return the time."""
        self.wait(wanted)
        return time.perf_counter()

    def settle(self) -> None:
        """Wait until none of its processes works any more."""
        before, since = self._work(), time.monotonic()
        while time.monotonic() - since < QUIET:
            time.sleep(0.1)
            if (now := self._work()) != before:
                before, since = now, time.monotonic()

    def cost(self) -> tuple[float, float]:
        """Return the share of a CPU in percent, and the resident memory in MB, of venvgrid alone while it waits."""
        ticks = os.sysconf("SC_CLK_TCK")
        before = _ticks(self.pid)
        time.sleep(IDLE)
        share = (_ticks(self.pid) - before) / ticks / IDLE * 100
        status = Path(f"/proc/{self.pid}/status").read_text(encoding="ascii")
        return share, int(re.search(r"VmRSS:\s+(\d+)", status)[1]) / 1000  # type: ignore[index]

    def _work(self) -> int:
        """Return the CPU time of its processes but its own, which polls, in ticks."""
        return sum(_ticks(pid) for pid in _descendants(self.pid))


def _ticks(pid: int) -> int:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return 0
    return int(fields[11]) + int(fields[12])


def _descendants(pid: int) -> list[int]:
    found, pending = list[int](), [pid]
    while pending:
        for task in Path(f"/proc/{pending.pop()}/task").glob("*/children"):
            with contextlib.suppress(FileNotFoundError, ProcessLookupError):
                own = [int(word) for word in task.read_text(encoding="ascii").split()]
                found += own
                pending += own
    return found


def edits(watch: Watching, file: Path, number: int) -> tuple[list[float], list[float]]:
    """Edit a file so often; return the seconds to the first result on the screen, and to the previews of all cells."""
    text, first, whole = file.read_text(encoding="utf-8"), list[float](), list[float]()
    try:
        for count in range(number):
            watch.wait(WARM)
            watch.settle()
            file.write_text(f"{text}\n# edit {time.time()} {count}\n", encoding="utf-8")
            began = time.perf_counter()
            first.append(watch.moment(FIRST) - began)
            whole.append(watch.moment(FOLLOWS) - began)
            watch.wait(WAITING)
    finally:
        file.write_text(text, encoding="utf-8")
    return first, whole
