"""How often the rule that is told first is the true one, on simulated worlds.

    python benchmarks/rules.py --worlds 400
    python benchmarks/rules.py --seconds

True: it holds for just those possible cells that the fault breaks. No measurement: all is simulated, from a seed.
With `--seconds`: how long the explanation of one failure takes with 1,000 cells and 200 packages.
"""

from __future__ import annotations

import argparse
import itertools
import random
import time
from typing import TYPE_CHECKING

import worlds

from venvgrid.analysis.rules.evidence import Evidence
from venvgrid.analysis.rules.wording import SURE, either
from venvgrid.model import CellResult, Outcome

if TYPE_CHECKING:
    from collections.abc import Callable

AXES = {
    "python": [f"3.{minor}" for minor in range(4, 14)],
    "a": [f"{major}.0" for major in range(10)],
    "b": [f"{major}.0" for major in range(10)],
}
PACKAGES = 200
FAULTS: dict[str, Callable[[CellResult], bool]] = {
    "one cause, three conditions": lambda cell: cell.axes["python"] >= "3.7" and cell.axes["a"] < "3",
    "two causes on axes": lambda cell: (
        (cell.axes["a"] >= "8" and cell.axes["b"] > "3") or (cell.axes["b"] < "2" and cell.packages["p7"] > "2")
    ),
    "two causes on packages": lambda cell: (
        (cell.packages["p3"] >= "2" and cell.packages["p11"] <= "2.0")
        or (cell.packages["p50"] < "3" and cell.packages["p7"] > "2")
    ),
    "a flaky failure": lambda cell: (cell.axes["a"] >= "8") != (cell.id == "3.4-1.0-1.0"),
    "no cause": lambda cell: sum(cell.id.encode()) % 7 in {1, 2, 4},
}


def row(kind: str, strategy: str, count: int, seed: int) -> list[str]:
    """Return how often the first rule is true, and with which certainty, of `count` worlds."""
    source = random.Random(f"{seed}-{kind}-{strategy}")  # noqa: S311  (a simulation)
    true = told = sure = wrong = 0
    began = time.process_time()
    for _ in range(count):
        world = worlds.world(source, strategy, kind)
        found = Evidence(world.results).explain(world.failing, world.passing)
        rules = found.rules
        is_told = bool(rules) and not found.is_doubtful
        told += is_told
        is_true = (not is_told) if kind == "flake alone" else (is_told and world.holds(rules) == world.truth)
        true += is_true
        if is_told and found.confidence >= SURE:
            sure += 1
            wrong += not is_true
    spent = (time.process_time() - began) / count * 1000
    return [kind, strategy, *(f"{100 * number / count:.0f}" for number in (true, told, sure, wrong)), f"{spent:.0f}"]


def _cells(source: random.Random, most: int) -> list[CellResult]:
    """Return the cells of a full grid. Each package follows an axis or two, with up to `most` steps on each."""
    packages = {
        f"p{number}": [
            (name, source.randint(0, 9))
            for name in source.sample(list(AXES), 1 if source.random() < worlds.MOSTLY else 2)
            for _ in range(source.randint(1, most))
        ]
        for number in range(PACKAGES)
    }
    made = []
    for row in itertools.product(range(10), repeat=len(AXES)):
        at = dict(zip(AXES, row, strict=True))
        chosen = {name: AXES[name][place] for name, place in at.items()}
        installed = {name: f"{1 + sum(at[axis] >= place > 0 for axis, place in of)}.0" for name, of in packages.items()}
        name = "-".join(chosen.values())
        made.append(CellResult(id=name, axes=chosen, outcome=Outcome.PASSED, packages=installed))
    return made


def seconds(seed: int) -> None:
    """Print how long one explanation takes, in seconds of CPU."""
    print("| fault | versions of a package, at most | failing cells | s | rule |")
    print("|---|--:|--:|--:|---|")
    for most in (2, 5):
        cells = _cells(random.Random(seed), most)  # noqa: S311  (a simulation)
        for name, is_bad in FAULTS.items():
            bad = {cell.id for cell in cells if is_bad(cell)}
            began = time.process_time()
            found = Evidence(cells).explain(bad, [cell.id for cell in cells if cell.id not in bad])
            spent = time.process_time() - began
            print(f"| {name} | {2 * most + 1} | {len(bad)} | {spent:.2f} | {either(found.rules) or 'none'} |")


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--worlds", type=int, default=400)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--seconds", action="store_true", help="how long one explanation takes")
    arguments = parser.parse_args()
    if arguments.seconds:
        seconds(arguments.seed)
        return
    print("| world | plan | true | a rule is told | told as sure | of these wrong | ms |")
    print("|---|---|--:|--:|--:|--:|--:|")
    for kind in worlds.KINDS:
        for strategy in worlds.PLANS:
            print("|", " | ".join(row(kind, strategy, arguments.worlds, arguments.seed)), "|", flush=True)


if __name__ == "__main__":
    main()
