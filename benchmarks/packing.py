"""How well cells are packed into shards: makespan ÷ lower bound, beside round robin, on simulated histories.

    python benchmarks/packing.py --histories 1000

Times are log-normal (median 8 s, sigma 0.5 to 1.5); 10 to 5,000 cells; 2 to 256 shards, at most half as many as cells.
Cells share environments in groups of 1 to 8. No measurement: everything is simulated, from a seed.
"""

from __future__ import annotations

import argparse
import math
import random
import statistics

from venvgrid.planning import packing

SIZES = ((10, 50), (50, 200), (200, 1000), (1000, 5000))


def ratios(source: random.Random, cells: int) -> tuple[float, float, float]:
    """Return makespan ÷ bound of venvgrid and of round robin, and environments built ÷ environments."""
    shards = round(math.exp(source.uniform(math.log(2), math.log(min(256, cells // 2)))))
    sigma, group = source.uniform(0.5, 1.5), source.randint(1, 8)
    seconds = {f"c{index:04}": source.lognormvariate(math.log(8), sigma) for index in range(cells)}
    alike = {cell: str(index // group) for index, cell in enumerate(seconds)}
    bound = packing.lower_bound(list(seconds.values()), shards)
    packed = packing.pack(seconds, shards, alike)
    in_turn = [list(seconds)[index::shards] for index in range(shards)]
    built = sum(len({alike[cell] for cell in shard}) for shard in packed) / len(set(alike.values()))
    return packing.makespan(packed, seconds) / bound, packing.makespan(in_turn, seconds) / bound, built


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--histories", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    source = random.Random(arguments.seed)  # noqa: S311  (a simulation)
    print(
        "| cells | histories | venvgrid: median, p95, worst | round robin: median, p95, worst | built ÷ environments |"
    )
    print("|---|---|---|---|---|")
    for low, high in SIZES:
        count = arguments.histories // len(SIZES)
        rows = [ratios(source, source.randint(low, high)) for _ in range(count)]
        ours, turns, built = (sorted(column) for column in zip(*rows, strict=True))
        told = [f"{statistics.median(c):.3f}, {c[int(0.95 * count)]:.3f}, {c[-1]:.3f}" for c in (ours, turns)]
        print(f"| {low} to {high} | {count} | {told[0]} | {told[1]} | {statistics.median(built):.2f} |")


if __name__ == "__main__":
    main()
