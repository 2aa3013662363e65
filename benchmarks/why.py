"""How often a search by probes finds the true rule, and with how many probes, on simulated worlds.

    python benchmarks/why.py --worlds 400 --keep outcomes.jsonl

True: the rule holds for just the worlds that the fault breaks, of all cells of the grid and of up to 2,000 mixes of a
green and a red lock, half of which were no candidates. No measurement of real projects: all is simulated, from a seed.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import labs
import worlds

from venvgrid.analysis.diagnosis.diagnosis import BUDGET, Diagnosis, diagnose

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of one world. `is_visible`: true, but for worlds where another failure hides the fault."""

    is_true: bool
    is_visible: bool
    is_told: bool
    is_certain: bool
    probes: int
    repeats: int
    rounds: int
    seconds: float


def investigate(lab: labs.Lab, *, at_once: int, budget: int) -> tuple[Outcome, Diagnosis]:
    """Search for the fault of a world."""
    rounds, began = 0, time.process_time()
    search = diagnose(lab.seen, lab.candidates, at_once=at_once, budget=budget)
    try:
        batch = next(search)
        while True:
            rounds += 1
            batch = search.send([lab.run(probe.candidate, probe.runs) for probe in batch])
    except StopIteration as stop:
        found: Diagnosis = stop.value
    seconds = time.process_time() - began
    is_told = bool(found.explanation.rule) and not found.is_flaky
    if not lab.faults:
        true = visible = not is_told
    else:
        true, visible = lab.judge(found.explanation.rules) if is_told else (False, False)
    outcome = Outcome(
        is_true=true,
        is_visible=visible,
        is_told=is_told,
        is_certain=found.is_certain,
        probes=found.probes,
        repeats=found.repeats,
        rounds=rounds,
        seconds=seconds,
    )
    return outcome, found


class Kept:
    """Outcomes in a file, so that a table that was interrupted goes on."""

    def __init__(self, path: Path | None) -> None:
        """Read what the file has."""
        self.path = path
        lines = path.read_text(encoding="utf-8").splitlines() if path and path.exists() else []
        self.known = {key: Outcome(**values) for key, values in map(json.loads, lines)}

    def outcome(self, key: str, made: Callable[[], Outcome]) -> Outcome:
        """Return a known outcome, or a new one."""
        if key not in self.known:
            self.known[key] = made()
            if self.path:
                with self.path.open("a", encoding="utf-8") as file:
                    file.write(json.dumps([key, asdict(self.known[key])]) + "\n")
        return self.known[key]


def row(kind: str, strategy: str, options: argparse.Namespace, kept: Kept) -> list[str]:
    """Return a line of the table."""

    def made(number: int) -> Outcome:
        lab = labs.lab(f"{options.seed}-{number}", strategy, kind, most_swaps=options.swaps)
        outcome, diagnosis = investigate(lab, at_once=options.at_once, budget=options.budget)
        if options.verbose and not outcome.is_true:
            tell(number, lab, outcome, diagnosis)
        return outcome

    setting = f"{options.seed} {options.at_once} {options.budget} {options.swaps}"
    numbers = [options.only] if options.only is not None else range(options.worlds)
    found = [kept.outcome(f"{kind} {strategy} {setting} {number}", partial(made, number)) for number in numbers]
    return [kind, strategy, str(len(found)), *summary(found)]


def summary(found: Sequence[Outcome]) -> list[str]:
    """Return the numbers of a line."""
    sure = [item for item in found if item.is_certain]
    probes = sorted(item.probes for item in found)
    rounds = sum(item.rounds for item in found)
    shares = (
        [item.is_true for item in found],
        [item.is_visible for item in found],
        [item.is_told for item in found],
        [item.is_certain for item in found],
    )
    return [
        *(f"{100 * sum(values) / len(found):.1f}" for values in shares),
        f"{100 * sum(not item.is_visible for item in sure) / len(sure):.1f}" if sure else "-",
        f"{statistics.mean(probes):.1f}",
        f"{probes[int(0.9 * len(probes))]}",
        f"{statistics.mean(item.repeats for item in found):.1f}",
        f"{rounds / len(found):.1f}",
        f"{1000 * sum(item.seconds for item in found) / max(1, rounds):.0f}",
    ]


def tell(number: int, lab: labs.Lab, outcome: Outcome, found: Diagnosis) -> None:
    """Print a world that the search did not understand."""
    truth = " or ".join(" and ".join(f"{t.name} {t.sign} {t.value}" for t in fault) for fault in lab.faults)
    told = " or ".join(" and ".join(c.text for c in rule) for rule in found.explanation.rules)
    print(
        f"  {number}: {truth} | {told} | certain {found.is_certain} flaky {found.is_flaky} "
        f"{found.explanation.confidence:.3f} probes {found.probes}+{found.repeats} unknown {found.unknown} "
        f"visible {outcome.is_visible} odd {lab.odd} seen {len(lab.seen)} swaps {bool(lab.red)}"
    )


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--worlds", type=int, default=400)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--swaps", type=int, default=1000, help="number of lock swaps among the candidates")
    parser.add_argument("--at-once", type=int, default=1)
    parser.add_argument("--budget", type=int, default=BUDGET)
    parser.add_argument("--kind", action="append", choices=labs.KINDS)
    parser.add_argument("--plan", action="append", choices=worlds.PLANS)
    parser.add_argument("--keep", type=Path, help="file of outcomes: a table that was interrupted goes on")
    parser.add_argument("--only", type=int, help="number of one world")
    parser.add_argument("--verbose", action="store_true", help="print the worlds that were not understood")
    options = parser.parse_args()
    kept = Kept(options.keep)
    print(
        "| world | plan | worlds | true | where visible | told | certain | of these wrong "
        "| probes | p90 | repeats | rounds | ms |"
    )
    print("|---|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|")
    for kind in options.kind or labs.KINDS:
        for strategy in options.plan or worlds.PLANS:
            print("|", " | ".join(row(kind, strategy, options, kept)), "|", flush=True)


if __name__ == "__main__":
    main()
