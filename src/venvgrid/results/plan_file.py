"""The plan that travels: `plan -o plan.json` writes it, `run --plan`, `merge` and `gate` read it.

It is the format of `plan --json` with more keys: the lock of all cells, digests of what was planned, and the seconds
that each cell is expected to take. Its digest names the plan in every record.
"""

from __future__ import annotations

import functools
import json
from dataclasses import asdict, field, fields, replace
from typing import TYPE_CHECKING, Any

from venvgrid.model import Cell, Certificate, LeftOut, Plan, PlannedCell, Status, UsageError
from venvgrid.model.config import EMPTY
from venvgrid.model.values import dataclass
from venvgrid.planning.jobs import Jobs
from venvgrid.storage import digests
from venvgrid.storage.json_items import MALFORMED

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

FORMAT = "venvgrid-plan-1"
TO_RUN = {Status.RUNNABLE, Status.MISSING_INTERPRETER, Status.ELSEWHERE}  # another machine may have the interpreter
_JOBS = tuple(item.name for item in fields(Jobs))
_NOT_IN_DIGEST = {"digest", "strategy"}
_WRITE = "write one with: venvgrid plan -o plan.json"
_AGAIN = "write it again with: venvgrid plan -o plan.json"
_FACTS = (
    "venvgrid",
    "project",
    "project_version",
    "config",
    "grid",
    "config_digest",
    "inputs_digest",
    "commit",
    "lock",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanFile:
    """A plan with all that other machines need to run their part of it.

    `lock` is the text of matrix.lock. `environments` maps cells to what they share, `seconds` to the expected time of
    their tests. `jobs` says how many shards each platform is to have. `is_dirty`: the checkout has changes that
    `commit` has not. `text` is the file that it was read from, and `name` its digest there: a later version may have
    added keys.
    """

    plan: Plan
    venvgrid: str
    project: str
    project_version: str
    config: str
    grid: str
    config_digest: str
    inputs_digest: str
    commit: str
    is_dirty: bool = False
    lock: str
    environments: Mapping[str, str] = field(default_factory=lambda: EMPTY)
    seconds: Mapping[str, float] = field(default_factory=dict)
    jobs: tuple[Jobs, ...] = ()
    text: str = field(default="", compare=False, repr=False)
    name: str = field(default="", compare=False)

    @property
    def cells(self) -> tuple[PlannedCell, ...]:
        """The cells that some shard has to run."""
        return tuple(item for item in self.plan.cells if item.status in TO_RUN)

    @property
    def digest(self) -> str:
        """The name of the plan: equal for equal plans, lock and times included."""
        return self.name or digests.of_json(self._data())

    def render(self, shown: Mapping[str, Any]) -> str:
        """Return the text of the file, a line for each cell; `shown` is the plan as `plan --json` shows it."""
        data = {**shown, **self._data(), "digest": self.digest}
        parts = (f"{json.dumps(name)}: {_listed(value)}" for name, value in data.items())
        return "{\n" + ",\n".join(parts) + "\n}\n"

    def _data(self) -> dict[str, Any]:
        return {
            "format": FORMAT,
            **{name: getattr(self, name) for name in _FACTS},
            "dirty": self.is_dirty,
            "cells": [
                {
                    "id": item.cell.id,
                    "axes": dict(item.cell.axes),
                    "status": item.status.value,
                    "reason": item.reason,
                    "allow_failure": item.cell.allow_failure,
                    "named": item.cell.named,
                    "labels": list(item.cell.labels),
                    "environment": self.environments.get(item.cell.id, ""),
                    "seconds": round(self.seconds.get(item.cell.id, 0.0), 3),
                }
                for item in self.plan.cells
            ],
            "warnings": list(self.plan.warnings),
            **({"tier": self.plan.tier} if self.plan.tier else {}),
            **({"left_out": [item.plain() for item in self.plan.left_out]} if self.plan.left_out else {}),
            **({"jobs": [asdict(item) for item in self.jobs]} if self.jobs else {}),
        }


def _listed(value: object) -> str:
    """Return JSON with a line for each item of a list."""
    if not isinstance(value, list) or not value:
        return json.dumps(value)
    return "[\n" + ",\n".join(map(json.dumps, value)) + "\n]"


def read(path: Path) -> PlanFile:
    """Read a plan.

    Raises:
        UsageError: it is missing, of another format, or was changed after it was written.
    """
    try:
        content = path.read_text(encoding="utf-8")
    except OSError as error:
        raise UsageError(f"the plan {path} cannot be read: {error.strerror or error}; {_WRITE}") from error
    except UnicodeDecodeError:
        content = ""
    if not content.lstrip().startswith("{"):
        raise UsageError(f"{path} is no plan; {_WRITE}")
    return parse(content, str(path))


def parse(content: str, name: str) -> PlanFile:
    """Parse the text of a plan; `name` is for messages. Raises UsageError."""
    try:
        data = json.loads(content)
        if data["format"] != FORMAT or "digest" not in data:
            raise UsageError(f"{name} is no plan that travels; {_WRITE}")
        digest = digests.of_json({key: value for key, value in data.items() if key not in _NOT_IN_DIGEST})
        if digest != data["digest"]:
            raise UsageError(f"{name} was changed after it was written; {_AGAIN}")
        return replace(_from(data), text=content, name=digest)
    except MALFORMED as error:
        raise UsageError(f"{name} is damaged ({error!r:.80}); {_AGAIN}") from error


def _from(data: dict[str, Any]) -> PlanFile:
    """Return the plan of checked data, which are used up: plans may have 100,000 cells."""
    cells, environments, seconds = [], {}, {}
    items = data["cells"]
    same = functools.lru_cache(None, typed=True)(str)  # one text for all cells: the values of axes are few
    for index, item in enumerate(items):
        items[index] = None
        cell = Cell(
            id=str(item["id"]),
            axes={same(name): same(value) for name, value in item["axes"].items()},
            allow_failure=bool(item["allow_failure"]),
            named=bool(item["named"]),
            labels=tuple(map(str, labels)) if (labels := item["labels"]) else (),
        )
        cells.append(PlannedCell(cell=cell, status=Status(item["status"]), reason=str(item["reason"])))
        environments[cell.id] = same(item["environment"])
        seconds[cell.id] = float(item["seconds"])
    warnings = tuple(map(str, data["warnings"]))
    return PlanFile(
        plan=Plan(
            cells=tuple(cells),
            strategy=str(data["strategy"]["name"]),
            warnings=warnings,
            tier=str(data.get("tier", "")),
            left_out=tuple(map(LeftOut.of, data.get("left_out", ()))),
            certificate=_certificate(data["strategy"]),
        ),
        is_dirty=bool(data["dirty"]),
        environments=environments,
        seconds=seconds,
        jobs=tuple(Jobs(**{name: item[name] for name in _JOBS}) for item in data.get("jobs", ())),
        **{name: str(data[name]) for name in _FACTS},
    )


def _certificate(strategy: Mapping[str, Any]) -> Certificate | None:
    """Return what the planned cells cover; None if their strategy promises nothing, or the plan is an older one."""
    if "axes" not in strategy:
        return None
    return Certificate(
        strength=int(strategy["strength"]),
        feasible=int(strategy["feasible"]),
        covered=int(strategy["covered"]),
        infeasible=dict(strategy["infeasible"]),
        missing=tuple(map(dict, strategy["missing"])),
        axes={name: tuple(values) for name, values in strategy["axes"].items()},
    )
