"""Tiers: which cells an event of CI runs, which it leaves out, and when those ran last.

A tier is a key of [ci]: an expression as for -k, or a strategy. What it leaves out is part of the plan and of every
report of it, with the time of the last result: a cell that no tier ever runs is seen.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from venvgrid.config.sections import is_strategy
from venvgrid.model import ConfigError, LeftOut, Outcome, Status, UsageError
from venvgrid.planning import expansion, selection

if TYPE_CHECKING:
    from collections.abc import Mapping

    from venvgrid.model import Config, Plan


def check(config: Config) -> None:
    """Check the expressions of all tiers.

    Raises:
        ConfigError: one or more are wrong.
    """
    names, wrong = [axis.name for axis in config.axes], []
    for tier, written in config.tiers.items():
        if not is_strategy(written):
            try:
                selection.compile(written, names)
            except UsageError as error:
                wrong.append(f"{config.file.name}: ci.{tier}: {str(error).removeprefix('-k: ')}")
    if wrong:
        raise ConfigError(wrong)


def meaning(config: Config, tier: str) -> tuple[str, str]:
    """Return the strategy and the expression of a tier; both are "" for one that the configuration does not name.

    Raises:
        ConfigError: an expression of a tier is wrong.
    """
    check(config)
    written = config.tiers.get(tier, "")
    return (written, "") if is_strategy(written) else ("", written)


def leave_out(plan: Plan, config: Config, tier: str, earlier: Mapping[str, LeftOut]) -> Plan:
    """Return the plan of a tier with the cells of `config` that it leaves out, and when each of them ran last."""
    kept = {item.cell.id for item in plan.cells}
    cells = [item.cell.id for item in expansion.expand(config).cells if item.status is Status.RUNNABLE]
    left = [earlier.get(name, LeftOut(id=name)) for name in cells if name not in kept]
    left = [item for item in left if item.outcome != Outcome.IMPOSSIBLE]
    told = (_told(tier, config.tiers.get(tier, "full"), left, len(left) + len(kept)),) if left else ()
    return replace(plan, tier=tier, left_out=tuple(left), warnings=(*plan.warnings, *told))


def _told(tier: str, written: str, left: list[LeftOut], every: int) -> str:
    """Return one line about the cells that a tier leaves out."""
    days = sorted(item.last[:10] for item in left if item.last)
    red = [item.id for item in left if item.last and not Outcome(item.outcome).is_green]
    parts = []
    if days:
        when = f"on {days[0]}" if days[0] == days[-1] else f"between {days[0]} and {days[-1]}"
        more = f" and {len(red) - 3} more" if red[3:] else ""
        parts.append(f"{len(days)} last ran {when}" + (f" (red: {', '.join(red[:3])}{more})" if red else ""))
    if len(days) < len(left):
        parts.append(f"no earlier result is known of {len(left) - len(days)}")
    what = f"ci.{tier} = {written!r} leaves out {len(left)} of {every} cells"
    return f"{what}: {'; '.join(parts)}"
