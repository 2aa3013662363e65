"""Gate: workers that are killed change no verdict: `python tests/faults/machines.py --cells 2000 --kills 50`.

A grid of cheap cells runs on several workers of one scheduler. At random times a worker is killed with SIGKILL, and
another one comes in its place. Each start of a cell is noted by the cell itself. Compared are the verdicts with what
the cells do, the records in the journal, and how often cells ran.
"""

from __future__ import annotations

import argparse
import collections
import json
import os
import random
import re
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import rig

AT = re.compile(r"the scheduler is at (\S+)")
RED = 7  # each cell whose number can be divided by it fails
GOAL = 0.03  # of the cells may run again
# Notes its start, waits, and fails if its number says so.
CELL = """
    import os, time

    number = int(os.environ["N"])
    with open(os.environ["NOTES"], "a") as notes:
        notes.write("%d\\n" % number)
    time.sleep(float(os.environ["SECONDS"]))
    raise SystemExit(number % 7 == 0)
"""


def matrix(cells: int) -> str:
    """Return the configuration of a grid of so many cells in one environment."""
    return f"""
    [project]
    install = "none"
    [axes]
    python = ["{rig.HERE}"]
    env.N = {[str(number) for number in range(cells)]}
    [test]
    command = ["{{python}}", "cell.py"]
    reports = "exit-status"
    pass-env = ["NOTES", "SECONDS"]
    """


@dataclass(frozen=True, kw_only=True)
class Found:
    """What a run came to. `lost`, `twice` and `wrong` are cells, `kills` are those that the run has lived to see."""

    cells: int
    kills: int
    slots: int  # of a worker
    status: int
    lost: int
    twice: int
    wrong: int
    again: int
    seconds: float
    log: str

    @property
    def problems(self) -> list[str]:
        """What must not be."""
        told = {"lost": self.lost, "counted twice": self.twice, "with another verdict than at home": self.wrong}
        found = [f"{number} cells {what}" for what, number in told.items() if number]
        if self.again > max(GOAL * self.cells, self.slots * self.kills):
            found.append(f"{self.again} cells ran again after {self.kills} kills")
        if self.status != 1:
            found.append(f"the run ended with {self.status}: {self.log[-3000:]}")
        return found


class Workers:
    """Workers of a scheduler, each of which is followed by another one when it is killed."""

    def __init__(self, folder: Path, env: dict[str, str]) -> None:
        self.folder, self.env, self.born = folder, env, 0
        with (folder / "scheduler.log").open("wb") as log:
            argv = rig.argv("scheduler", "tcp://127.0.0.1:0")
            self.scheduler = subprocess.Popen(argv, cwd=folder, env=env, stdout=log, stderr=log, start_new_session=True)
        told = folder / "scheduler.log"
        rig.wait_for(lambda: AT.search(told.read_text(encoding="utf-8")), self.scheduler)
        (self.address,) = AT.findall(told.read_text(encoding="utf-8"))
        self.there: list[subprocess.Popen[bytes]] = []

    def come(self, slots: int) -> None:
        """Start a worker."""
        self.born += 1
        argv = rig.argv("worker", self.address, "--any-plan", "--slots", str(slots), "--name", f"w{self.born}")
        with (self.folder / f"w{self.born}.log").open("wb") as log:
            self.there.append(
                subprocess.Popen(argv, cwd=self.folder, env=self.env, stdout=log, stderr=log, start_new_session=True)
            )

    def close(self) -> None:
        """End all."""
        for process in (*self.there, self.scheduler):
            process.terminate()
        for process in (*self.there, self.scheduler):
            with suppress(subprocess.TimeoutExpired):
                process.wait(20)
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()


def sweep(cells: int, kills: int, *, workers: int = 4, slots: int = 1, seconds: float = 0.5, seed: int = 0) -> Found:
    """Run a grid while workers are killed at times that the random seed says; return what became of it."""
    chance = random.Random(seed)
    with tempfile.TemporaryDirectory(prefix="venvgrid-machines-") as name:
        folder = Path(name)
        notes = folder / "notes"
        notes.touch()
        root = rig.project(folder / "project", matrix(cells), {"cell.py": CELL})
        env = rig.environment(folder / "cache", NOTES=str(notes), SECONDS=str(seconds))
        made = Workers(folder, env)
        try:
            for _ in range(workers):
                made.come(slots)
            began = time.monotonic()
            argv = rig.argv("run", "--no-cache", "-q", "--on", made.address, "--machines", str(workers))
            with (folder / "run.log").open("wb") as log:
                run = subprocess.Popen(argv, cwd=root, env=env, stdout=log, stderr=log)
            # Each kill has its place among the starts of cells: no clock decides.
            for place in sorted(chance.sample(range(workers * slots, cells), kills)):
                while run.poll() is None and _started(notes) < place:
                    time.sleep(0.02)
                if run.poll() is not None:
                    break
                victim = made.there.pop(chance.randrange(len(made.there)))
                victim.kill()
                victim.wait()
                made.come(slots)
            killed = made.born - workers
            status = run.wait()
            took = time.monotonic() - began
        finally:
            made.close()
        return _found(
            root, notes, (cells, killed, slots), status, took, (folder / "run.log").read_text(encoding="utf-8")
        )


def _started(notes: Path) -> int:
    return notes.read_bytes().count(b"\n")


def _found(root: Path, notes: Path, asked: tuple[int, int, int], status: int, took: float, log: str) -> Found:
    cells, kills, slots = asked
    journal = (max((root / ".venvgrid" / "runs").iterdir()) / "events.jsonl").read_text(encoding="utf-8")
    records = collections.Counter[str]()
    verdicts: dict[str, str] = {}
    for line in journal.splitlines():
        event = json.loads(line)
        if event["event"] == "CellFinished":
            records[event["result"]["id"]] += 1
            verdicts[event["result"]["id"]] = event["result"]["outcome"]
    starts = collections.Counter(map(int, notes.read_text(encoding="utf-8").split()))
    home = {f"py{rig.HERE}-N.{number}": "passed" if number % RED else "failed" for number in range(cells)}
    return Found(
        cells=cells,
        kills=kills,
        slots=slots,
        status=status,
        lost=len(home.keys() - records.keys()),
        twice=sum(count > 1 for count in records.values()),
        wrong=sum(verdicts.get(cell, outcome) != outcome for cell, outcome in home.items()),
        again=sum(count - 1 for count in starts.values()),
        seconds=took,
        log=log,
    )


def main() -> None:
    """Print the figure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cells", type=int, default=2000)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--workers", type=int, default=4)
    parser.add_argument("--slots", type=int, default=1, help="of a worker")
    parser.add_argument("--seconds", type=float, default=0.5, help="that a cell waits")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    found = sweep(**vars(given))
    sys.stderr.write(
        f"{found.cells} cells, {found.kills} kills, {found.seconds:.0f} s: verdicts as at home: "
        f"{'no' if found.wrong else 'yes'}, lost {found.lost}, counted twice {found.twice}, "
        f"run again {found.again} ({found.again / found.cells:.1%})\n"
    )
    rig.figure(found.problems, f"problems in {found.cells} cells and {found.kills} kills")


if __name__ == "__main__":
    main()
