"""How many cells a pairwise plan takes, and how long it is looked for: `python benchmarks/covering.py [MODELS.json]`.

Without a file: models without excludes whose best known sizes are in the literature. A file holds models with
excludes, a list of {"name", "factors": [sizes], "forbidden": [[[factor, value], …], …]}. What an array covers is
checked by `certificate`, which shares no code with the generator.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import TYPE_CHECKING

from venvgrid.planning.covering import generator
from venvgrid.planning.covering.certificate import certify
from venvgrid.planning.covering.space import Space

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

PLAIN = {
    "3^4": [3] * 4,
    "3^13": [3] * 13,
    "4^15 3^17 2^29": [4] * 15 + [3] * 17 + [2] * 29,
    "4 3^39 2^35": [4] + [3] * 39 + [2] * 35,
    "2^100": [2] * 100,
    "10^20": [10] * 20,
}
Forbidden = list[list[tuple[int, int]]]


def measure(sizes: Sequence[int], forbidden: Forbidden, seconds: float) -> tuple[int, float, int]:
    """Give the size of an array, the seconds that it took, and how many feasible pairs it lacks."""
    began = time.perf_counter()
    plain = Space(tuple(sizes))
    space = plain.with_clauses(plain.mask(clause) for clause in forbidden)
    deadline = time.monotonic() + seconds
    is_over: Callable[[], bool] | None = (lambda: time.monotonic() >= deadline) if seconds else None
    rows = generator.array(space, 2, is_over=is_over)
    took = time.perf_counter() - began
    proof = certify(sizes, [tuple(clause) for clause in forbidden], rows, 2)
    return len(rows), took, len(proof.missing) + len(proof.invalid)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="?", type=Path)
    parser.add_argument("--optimise", type=float, default=8.0, metavar="SECONDS")
    arguments = parser.parse_args()
    models: dict[str, tuple[list[int], Forbidden]] = {name: (sizes, []) for name, sizes in PLAIN.items()}
    if arguments.models:
        listed = json.loads(arguments.models.read_text(encoding="utf-8"))
        models = {
            item["name"]: (item["factors"], [[(axis, value) for axis, value in clause] for clause in item["forbidden"]])
            for item in listed
        }
    print(f"| model | cells at once | seconds | with {arguments.optimise:.0f} s | pairs missing |")
    print("|---|---|---|---|---|")
    total = [0, 0]
    for name, (sizes, forbidden) in models.items():
        first, took, missing = measure(sizes, forbidden, 0)
        best, _, also = measure(sizes, forbidden, arguments.optimise)
        total = [total[0] + first, total[1] + best]
        print(f"| {name} | {first} | {took:.2f} | {best} | {missing + also} |", flush=True)
    print(f"| all | {total[0]} | | {total[1]} | |")


if __name__ == "__main__":
    main()
