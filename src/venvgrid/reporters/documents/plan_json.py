"""The format of `plan --json`, "venvgrid-plan-1"."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

    from venvgrid.model import Plan
    from venvgrid.planning.jobs import Jobs

FORMAT = "venvgrid-plan-1"
MAX_SAFE_INTEGER = 2**53 - 1  # JSON parsers may round larger ones


def _strategy_json(plan: Plan) -> dict[str, Any]:
    found: dict[str, Any] = {"name": plan.strategy}
    if plan.learnt:
        found["learnt"] = [{"values": dict(item.values), "reason": item.reason} for item in plan.learnt]
    if plan.combinations:
        found["combinations"] = min(plan.combinations, MAX_SAFE_INTEGER)
    if plan.certificate is not None:
        proof = plan.certificate
        found |= {
            "strength": proof.strength,
            "feasible": proof.feasible,
            "covered": proof.covered,
            "infeasible": dict(proof.infeasible),
            "missing": [dict(item) for item in proof.missing],
            "lost": dict(proof.lost),
            "elsewhere": proof.elsewhere,
            "axes": {name: list(values) for name, values in proof.axes.items()},
        }
    return found


def plan_json(plan: Plan, jobs: Sequence[Jobs] = ()) -> dict[str, Any]:
    """Return a plan as plain data, with its jobs if they were asked for.

    Its JSON Schema is model/schemas/plan.schema.json.
    """
    return {
        "format": FORMAT,
        "strategy": _strategy_json(plan),
        "cells": [
            {
                "id": planned.cell.id,
                "axes": dict(planned.cell.axes),
                "status": planned.status.value,
                "reason": planned.reason,
                "allow_failure": planned.cell.allow_failure,
            }
            for planned in plan.cells
        ],
        "warnings": list(plan.warnings),
        **({"tier": plan.tier} if plan.tier else {}),
        **({"left_out": [item.plain() for item in plan.left_out]} if plan.left_out else {}),
        **({"jobs": [dataclasses.asdict(item) for item in jobs]} if jobs else {}),
    }
