"""Gate: runs at the same time do not disturb each other: `python tests/faults/together.py --rounds 50`.

Eight runs at once, in one project and in eight projects on one cache that is cold, in turn: all verdicts are equal.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import rig


def one_round(folder: Path, number: int, runs: int) -> list[str]:
    """Start runs at once; return what is wrong."""
    cache = folder / "cache"
    if number % 2:
        shutil.rmtree(cache, ignore_errors=True)
        roots = [rig.project(folder / f"project{n}") for n in range(runs)]
    else:
        roots = [rig.project(folder / "project")] * runs

    def run(root: Path) -> rig.Ended:
        return rig.venvgrid(root, cache, "run", "--no-cache")

    with ThreadPoolExecutor(runs) as pool:
        ended = list(pool.map(run, roots))
    wrong = [
        f"round {number}: status {item.status}: {item.out[-500:]}{item.err[-300:]}" for item in ended if item.status
    ]
    for root in dict.fromkeys(roots):
        for place in sorted((root / ".venvgrid" / "runs").iterdir()):
            cells = json.loads((place / "results.json").read_text(encoding="utf-8"))["cells"]
            outcomes = {item["outcome"] for item in cells}
            wrong += [] if outcomes == {"passed"} else [f"round {number}: {place.name}: {outcomes}"]
    return wrong


def sweep(rounds: int, runs: int = 8, *, say: bool = False) -> list[str]:
    """Return what was wrong in all rounds."""
    wrong = []
    with tempfile.TemporaryDirectory(prefix="venvgrid-together-") as folder:
        for number in range(rounds):
            found = one_round(Path(folder), number, runs)
            wrong += found
            if say:
                sys.stderr.write(f"{number} {'; '.join(found) or 'equal'}\n")
    return wrong


def main() -> None:
    """Print the figure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=50)
    parser.add_argument("--runs", type=int, default=8)
    arguments = parser.parse_args()
    wrong = sweep(arguments.rounds, arguments.runs, say=True)
    rig.figure(wrong, f"wrong of {arguments.rounds} x {arguments.runs} runs at once")


if __name__ == "__main__":
    main()
