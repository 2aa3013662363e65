"""The limits of CI vendors that a pipeline of ours can reach, in one dated table.

Over a limit, vendors cut, skip or fail without a word. So a pipeline that would be over one is never written.

Only numbers of shards pass through the CI system. So a grid of any size reaches none of the others: 247 characters in a
variable of a matrix and 50 needs of a job at GitLab, 1 MB of outputs and 500 artifacts of a job at GitHub, names of 100
characters at Azure.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from venvgrid.model import UsageError
from venvgrid.model.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Mapping

READ = "2026-11-22"  # when the sources were last read


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """The most that a vendor takes of something that is counted in a pipeline."""

    what: str
    most: int
    source: str
    fix: str


FEWER = "give fewer: --shards {room}"
SHORTER = "choose a shorter name"
LIMITS: Mapping[str, tuple[Limit, ...]] = {
    "github": (
        Limit(
            what="jobs in a matrix",
            most=256,
            source="https://docs.github.com/en/actions/reference/limits (Job Matrix)",
            fix=FEWER,
        ),
        Limit(
            what="bytes of the file",
            most=500_000,
            source="https://docs.github.com/en/actions/reference/limits (Workflow file size)",
            fix=SHORTER,
        ),
    ),
    "gitlab": (
        Limit(
            what="jobs in a matrix",
            most=200,
            source="https://docs.gitlab.com/ci/yaml/#parallel",
            fix=FEWER,
        ),
    ),
    "azure": (
        Limit(
            what="jobs in a stage",
            most=256,
            source="https://github.com/MicrosoftDocs/azure-devops-docs/issues/10979",
            fix=FEWER,
        ),
    ),
    "buildkite": (
        Limit(
            what="jobs in an upload",
            most=500,
            source="https://github.com/ray-project/rayci/pull/483 (the message of the agent)",
            fix=FEWER,
        ),
    ),
}


def check(vendor: str, counted: Mapping[str, int], *, others: int = 0, machines: int = 1) -> None:
    """Check what is counted in a pipeline against the limits of its vendor.

    `others` are jobs besides the shards; each of several `machines` has as many shards.

    Raises:
        UsageError: something is over a limit; all of it is named.
    """
    over = [
        f"{counted[limit.what]:,} {limit.what}; {vendor} takes {limit.most:,} ({READ}: {limit.source}): "
        f"{limit.fix.format(room=(limit.most - others) // machines)}"
        for limit in LIMITS[vendor]
        if counted.get(limit.what, 0) > limit.most
    ]
    if over:
        raise UsageError("\n".join(["no pipeline was written", *(f"  {line}" for line in over)]))
