"""How often the rule that is told first is the true one, on simulated worlds.

    python benchmarks/rules.py --worlds 400

True: it holds for just those possible cells that the fault breaks. No measurement: all is simulated, from a seed.
"""

from __future__ import annotations

import argparse
import random
import time

import worlds

from venvgrid.analysis.rules.evidence import Evidence
from venvgrid.analysis.rules.wording import SURE


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


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--worlds", type=int, default=400)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    print("| world | plan | true | a rule is told | told as sure | of these wrong | ms |")
    print("|---|---|--:|--:|--:|--:|--:|")
    for kind in worlds.KINDS:
        for strategy in worlds.PLANS:
            print("|", " | ".join(row(kind, strategy, arguments.worlds, arguments.seed)), "|", flush=True)


if __name__ == "__main__":
    main()
