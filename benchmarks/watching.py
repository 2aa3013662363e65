"""Times `venvgrid watch` on a terminal of its own: from an edit to what it shows, and what it costs while it waits."""

from __future__ import annotations

import contextlib
import os
import re
import select
import signal
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

CODES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|\x1b\][^\x1b\x07]*(?:\x1b\\|\x07)|\r")
LIMIT = 600.0  # seconds of a wait
WAITING = "waiting for a change"
WARM = re.compile("cells? (?:is|are) warm")
FOLLOWS = "the full run follows"
# A count of tests of a cell that runs, or of cells that are done: the first result is on the screen.
FIRST = re.compile(r"  test .* [1-9]\d* of \d+|[1-9]\d* of \d+ cells:")
QUIET = 1.0  # seconds without work of its processes, until it is ready for an edit
IDLE = 20.0  # seconds over which the cost of waiting is measured


class Watching:
    """A session. A context manager: its end kills it."""

    def __init__(self, argv: Sequence[str | Path], root: Path, environ: Mapping[str, str]) -> None:
        """Start it."""
        self._master, slave = os.openpty()
        env = {**environ, "TERM": "xterm", "COLUMNS": "120", "LINES": "50"}
        self._process = subprocess.Popen(
            argv, cwd=root, env=env, stdin=slave, stdout=slave, stderr=slave, process_group=0
        )
        os.close(slave)
        self._text = ""

    def wait(self, pattern: str | re.Pattern[str]) -> float:
        """Wait until a pattern is shown, after all that was waited for; return the time."""
        found, deadline = None, time.monotonic() + LIMIT
        while (found := re.search(pattern, self._text)) is None:
            if not select.select([self._master], [], [], max(0.0, deadline - time.monotonic()))[0]:
                raise SystemExit(f"{pattern} did not come:\n{self._text[-2000:]}")
            self._text = CODES.sub("", self._text + os.read(self._master, 65536).decode("utf-8", "replace"))
        now, self._text = time.perf_counter(), self._text[found.end() :]
        return now

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
        before = _ticks(self._process.pid)
        time.sleep(IDLE)
        share = (_ticks(self._process.pid) - before) / ticks / IDLE * 100
        status = Path(f"/proc/{self._process.pid}/status").read_text(encoding="ascii")
        return share, int(re.search(r"VmRSS:\s+(\d+)", status)[1]) / 1000  # type: ignore[index]

    def _work(self) -> int:
        """Return the CPU time of its processes but its own, which polls, in ticks."""
        return sum(_ticks(pid) for pid in _descendants(self._process.pid))

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Quit, or kill it."""
        os.write(self._master, b"q")
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(10)
        with contextlib.suppress(ProcessLookupError):
            os.kill(self._process.pid, signal.SIGKILL)
        self._process.wait()
        os.close(self._master)


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
            first.append(watch.wait(FIRST) - began)
            whole.append(watch.wait(FOLLOWS) - began)
            watch.wait(WAITING)
    finally:
        file.write_text(text, encoding="utf-8")
    return first, whole
