"""Gate: a run that is killed at any point leaves nothing that a later run mistakes for good.

`python tests/faults/crash.py --points 500` kills runs at system calls that change the disk (strace) and at random
moments, runs again without any option, and counts those whose verdicts are not the ones of a clean run.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import rig

CALLS = "rename,renameat2,link,linkat,symlink,mkdir,unlink,fsync,fdatasync,rmdir"


def broken(
    seed: int, folder: Path, expected: list[tuple[str, str, dict[str, int]]], longest: float, *, trace: bool
) -> tuple[bool, str]:
    """Kill a run at a point before `longest` seconds and run again; return whether it was killed, and what is wrong."""
    chance = random.Random(seed)
    root, cache = rig.project(folder / "project"), folder / "cache"
    if trace and seed % 2:
        when = int(2 ** chance.uniform(0, 6))
        before = ["strace", "-f", "-qq", "-o", os.devnull, "-e", f"trace={CALLS}"]
        before += ["-e", f"inject={CALLS}:signal=SIGKILL:when={when}"]
        killed = rig.venvgrid(root, cache, "run", "-q", "--no-cache", before=before).status != 0
        point = f"call {when}"
    else:
        wait = chance.uniform(0.05, 0.8) * longest
        started = subprocess.Popen(
            rig.argv("run", "-q", "--no-cache"),
            cwd=root,
            env=rig.environment(cache),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        killed = False
        try:
            started.wait(wait)
        except subprocess.TimeoutExpired:
            os.killpg(started.pid, signal.SIGKILL)
            started.wait()
            killed = True
        point = f"after {wait:.2f} s"
    again = rig.venvgrid(root, cache, "run", "-q", "--no-cache")
    if again.status != 0:
        return killed, f"seed {seed}, killed at {point}: status {again.status}: {again.out[-600:]}{again.err[-600:]}"
    found = rig.verdicts(root)
    return killed, "" if found == expected else f"seed {seed}, killed at {point}: {found}"


def sweep(points: int, first: int = 0, workers: int = 1, *, say: bool = False) -> tuple[int, list[str]]:
    """Return how many of so many points ended a run, and what was wrong."""
    trace = rig.may_trace()
    with tempfile.TemporaryDirectory(prefix="venvgrid-crash-") as temporary:
        clean = Path(temporary) / "clean"
        root = rig.project(clean / "project")
        began = time.monotonic()
        ended = rig.venvgrid(root, clean / "cache", "run", "-q", "--no-cache")
        longest = time.monotonic() - began
        if ended.status != 0:
            raise SystemExit(f"the clean run ended with {ended.status}: {ended.out}{ended.err}")
        expected = rig.verdicts(root)

        def one(seed: int) -> tuple[bool, str]:
            with tempfile.TemporaryDirectory(dir=temporary) as folder:
                killed, wrong = broken(seed, Path(folder), expected, longest, trace=trace)
            if say:
                sys.stderr.write(f"{seed} {'killed' if killed else 'not killed'} {wrong or 'whole'}\n")
            return killed, wrong

        with ThreadPoolExecutor(workers) as pool:
            found = list(pool.map(one, range(first, first + points)))
    return sum(killed for killed, _ in found), [wrong for _, wrong in found if wrong]


def main() -> None:
    """Print the figure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--points", type=int, default=500)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("-j", dest="workers", type=int, default=2)
    arguments = parser.parse_args()
    began = time.monotonic()
    killed, found = sweep(arguments.points, arguments.seed, arguments.workers, say=True)
    took = time.monotonic() - began
    rig.figure(found, f"broken of {arguments.points} crash points, {killed} of which ended a run, in {took:.0f} s")


if __name__ == "__main__":
    main()
