"""How often a search by probes finds the true rule, and with how many probes, on simulated worlds.

    python benchmarks/why.py --worlds 400

True: the rule holds for just the worlds that the fault breaks, of all cells of the grid and of up to 2,000 mixes of a
green and a red lock, half of which were no candidates. No measurement of real projects: all is simulated, from a seed.
"""

from __future__ import annotations

import argparse
import statistics
import time
from dataclasses import dataclass

import labs
import worlds

from venvgrid.analysis.diagnosis.diagnosis import BUDGET, Diagnosis, diagnose


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of one world."""

    diagnosis: Diagnosis
    is_true: bool
    is_true_where_visible: bool
    rounds: int
    seconds: float


def investigate(lab: labs.Lab, *, at_once: int, budget: int) -> Outcome:
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
    return Outcome(diagnosis=found, is_true=true, is_true_where_visible=visible, rounds=rounds, seconds=seconds)


def row(kind: str, strategy: str, options: argparse.Namespace) -> list[str]:
    """Return a line of the table."""
    found = []
    for number in [options.only] if options.only is not None else range(options.worlds):
        lab = labs.lab(f"{options.seed}-{number}", strategy, kind, most_swaps=options.swaps)
        found.append(investigate(lab, at_once=options.at_once, budget=options.budget))
        if options.verbose and not found[-1].is_true:
            tell(number, lab, found[-1])
    sure = [item for item in found if item.diagnosis.is_certain]
    probes = [item.diagnosis.probes for item in found]
    again = [item.diagnosis.repeats for item in found]
    return [
        kind,
        strategy,
        *(
            f"{100 * sum(values) / len(found):.1f}"
            for values in (
                [item.is_true for item in found],
                [item.is_true_where_visible for item in found],
                [bool(item.diagnosis.explanation.rule) and not item.diagnosis.is_flaky for item in found],
                [item.diagnosis.is_certain for item in found],
            )
        ),
        f"{100 * sum(not item.is_true_where_visible for item in sure) / len(sure):.1f}" if sure else "-",
        f"{statistics.mean(probes):.1f}",
        f"{sorted(probes)[int(0.9 * len(probes))]}",
        f"{statistics.mean(again):.1f}",
        f"{statistics.mean(item.rounds for item in found):.1f}",
        f"{1000 * sum(item.seconds for item in found) / max(1, sum(item.rounds for item in found)):.0f}",
    ]


def tell(number: int, lab: labs.Lab, outcome: Outcome) -> None:
    """Print a world that the search did not understand."""
    found = outcome.diagnosis
    truth = " or ".join(" and ".join(f"{t.name} {t.sign} {t.value}" for t in fault) for fault in lab.faults)
    told = " or ".join(" and ".join(c.text for c in rule) for rule in found.explanation.rules)
    print(
        f"  {number}: {truth} | {told} | certain {found.is_certain} flaky {found.is_flaky} "
        f"{found.explanation.confidence:.3f} probes {found.probes}+{found.repeats} unknown {found.unknown} "
        f"visible {outcome.is_true_where_visible} odd {lab.odd} seen {len(lab.seen)} swaps {bool(lab.red)}"
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
    parser.add_argument("--only", type=int, help="number of one world")
    parser.add_argument("--verbose", action="store_true", help="print the worlds that were not understood")
    options = parser.parse_args()
    print(
        "| world | plan | true | where visible | told | certain | of these wrong "
        "| probes | p90 | repeats | rounds | ms |"
    )
    print("|---|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|")
    for kind in options.kind or labs.KINDS:
        for strategy in options.plan or worlds.PLANS:
            print("|", " | ".join(row(kind, strategy, options)), "|", flush=True)


if __name__ == "__main__":
    main()
