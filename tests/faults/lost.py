"""Gate: a run that is killed loses no cell that had finished: `python tests/faults/lost.py --kills 200`.

What the run printed of a cell must be in its journal, and every report can be made of it.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import re
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import rig

DONE = re.compile(r"^[✓✗] (\S+) (passed|failed)", re.MULTILINE)
MATRIX = f"""
    [project]
    install = "none"
    [axes]
    python = ["{rig.HERE}"]
    env.N = {[str(n) for n in range(40)]}
    [install]
    requires = []
    [test]
    command = ["{{python}}", "-c", "import os; assert int(os.environ['N']) % 7"]
    reports = "exit-status"
"""


def lost(root: Path, cache: Path, wait: float) -> tuple[int, list[str]]:
    """Kill a run `wait` seconds after its first finished cell, or -`wait` seconds after its start.

    Returns the number of cells that had finished, and what is wrong.
    """
    errors = root / "stderr"
    with errors.open("wb") as stream:
        started = subprocess.Popen(
            rig.argv("run", "--no-cache", "-v"),
            cwd=root,
            env=rig.environment(cache),
            stdout=subprocess.DEVNULL,
            stderr=stream,
            start_new_session=True,
        )
        while started.poll() is None and not DONE.search(errors.read_text(encoding="utf-8")) and wait > 0:
            time.sleep(0.01)
        try:
            started.wait(abs(wait))
        except subprocess.TimeoutExpired:
            os.killpg(started.pid, signal.SIGKILL)
            started.wait()
    printed = dict(DONE.findall(errors.read_text(encoding="utf-8")))
    if not (root / ".venvgrid" / "runs").is_dir():
        return 0, []
    report = rig.venvgrid(root, cache, "report", "--format", "json")
    if report.status == 2 and not printed:
        return 0, []  # it had not begun
    if report.status != 0:
        return len(printed), [f"after {wait:.2f} s: the report ends with {report.status}: {report.err}"]
    found = {item["id"]: item["outcome"] for item in json.loads(report.out)["cells"]}
    wrong = [
        f"after {wait:.2f} s: {cell} is {found.get(cell)}, was {was}"
        for cell, was in printed.items()
        if found.get(cell) != was
    ]
    for form in ("junit", "html", "markdown"):
        made = rig.venvgrid(root, cache, "report", "--format", form)
        wrong += [f"after {wait:.2f} s: no {form}: {made.err}"] if made.status else []
    return len(printed), wrong


def sweep(kills: int, *, say: bool = False) -> tuple[int, list[str]]:
    """Kill so many runs; return the number of finished cells, and what is wrong."""
    with tempfile.TemporaryDirectory(prefix="venvgrid-lost-") as folder:
        root, cache = rig.project(Path(folder) / "project", MATRIX), Path(folder) / "cache"
        began = time.monotonic()
        rig.venvgrid(root, cache, "run", "-q")
        longest = time.monotonic() - began
        cells, wrong = 0, []
        for seed in range(kills):
            number, found = lost(root, cache, random.Random(seed).uniform(-0.5, longest - 0.4))
            cells += number
            wrong += found
            if say:
                sys.stderr.write(f"{seed} {number} finished {'; '.join(found)}\n")
    return cells, wrong


def main() -> None:
    """Print the figure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=200)
    arguments = parser.parse_args()
    cells, wrong = sweep(arguments.kills, say=True)
    rig.figure(wrong, f"lost of {cells} finished cells in {arguments.kills} kills")


if __name__ == "__main__":
    main()
