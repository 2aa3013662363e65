"""How many cells a plan takes, and how long it is looked for: `python benchmarks/covering.py [MODELS.json]`.

Without a file: models without excludes whose best known sizes are in the literature; with `--strength 3` those of
TRIPLES. A file holds models with excludes, a list of {"name", "factors": [sizes], "forbidden": [[[factor, value], …],
…], "best_known": {"3": size}}; models with too many triples are left out. What an array covers is checked by
`certificate`, which shares no code with the generator.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import TYPE_CHECKING

from venvgrid.planning.covering import generator, tuples
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
# The best known sizes for three values: C. J. Colbourn, Covering Array Tables, as of November 2024.
TRIPLES = {
    "2^10": ([2] * 10, 12),
    "2^20": ([2] * 20, 18),
    "3^6": ([3] * 6, 33),
    "3^8": ([3] * 8, 42),
    "3^10": ([3] * 10, 45),
    "4^6": ([4] * 6, 64),
    "4^8": ([4] * 8, 88),
    "5^6": ([5] * 6, 125),
    "6^6": ([6] * 6, 258),
}
Model = tuple[list[int], "Forbidden", int]  # sizes, excludes, the best known size or 0
Forbidden = list[list[tuple[int, int]]]


def measure(sizes: Sequence[int], forbidden: Forbidden, seconds: float, strength: int) -> tuple[int, float, int]:
    """Give the size of an array, the seconds that it took, and how many feasible combinations it lacks."""
    began = time.perf_counter()
    plain = Space(tuple(sizes))
    space = plain.with_clauses(plain.mask(clause) for clause in forbidden)
    deadline = time.monotonic() + seconds
    is_over: Callable[[], bool] | None = (lambda: time.monotonic() >= deadline) if seconds else None
    rows = generator.array(space, strength, is_over=is_over)
    took = time.perf_counter() - began
    proof = certify(sizes, [tuple(clause) for clause in forbidden], rows, strength)
    return len(rows), took, len(proof.missing) + len(proof.invalid)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="?", type=Path)
    parser.add_argument("--strength", type=int, choices=(2, 3), default=2)
    parser.add_argument("--optimise", type=float, default=8.0, metavar="SECONDS")
    arguments = parser.parse_args()
    strength = arguments.strength
    print(f"| model | best known | cells at once | seconds | with {arguments.optimise:.0f} s | not covered |")
    print("|---|---|---|---|---|---|")
    total = [0, 0, 0]
    for name, (sizes, forbidden, known) in _models(arguments.models, strength).items():
        first, took, missing = measure(sizes, forbidden, 0, strength)
        best, _, also = measure(sizes, forbidden, arguments.optimise, strength)
        total = [total[0] + known, total[1] + first, total[2] + best]
        print(f"| {name} | {known or ''} | {first} | {took:.2f} | {best} | {missing + also} |", flush=True)
    print(f"| all | {total[0] or ''} | {total[1]} | | {total[2]} | |")


def _models(file: Path | None, strength: int) -> dict[str, Model]:
    if file is None and strength == 2:  # noqa: PLR2004
        return {name: (sizes, [], 0) for name, sizes in PLAIN.items()}
    if file is None:
        return {name: (sizes, [], known) for name, (sizes, known) in TRIPLES.items()}
    return {
        item["name"]: (
            item["factors"],
            [[(axis, value) for axis, value in clause] for clause in item["forbidden"]],
            item.get("best_known", {}).get(str(strength), 0),
        )
        for item in json.loads(file.read_text(encoding="utf-8"))
        if tuples.count(item["factors"], strength) <= tuples.MAX_TUPLES
    }


if __name__ == "__main__":
    main()
