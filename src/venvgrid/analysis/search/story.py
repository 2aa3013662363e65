"""What an investigation found: the culprits, each with its failure and its proof. Values; pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field

from venvgrid.analysis.search.culprits import Culprit
from venvgrid.analysis.search.protocol import Verdict
from venvgrid.model.values import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """A world at an end of the search: `name` is what the user calls it ("2022-03-01", "today", the id of a cell)."""

    name: str
    verdict: Verdict
    runs: int
    packages: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """A culprit, and the failure that it causes: its headline, its tests, the tail of its traceback."""

    culprit: Culprit
    failure: str
    tests: tuple[str, ...] = ()
    longrepr: str = ""
    place: str = ""  # "file:line": the last line of the project's own code in the traceback
    signature: str = ""  # of the failure
    uploaded: str = ""  # when the bad release was uploaded: an ISO date, "" if unknown


@dataclass(frozen=True, slots=True, kw_only=True)
class Effort:
    """What an investigation took, in worlds; `kept` were known from before it was interrupted."""

    resolves: int = 0
    builds: int = 0
    tests: int = 0
    seconds: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """What broke a cell. `problem` is why that cannot be told, or not wholly; "" if it is proven.

    `rule` tells which cells have the failure, in lines, with its chance; it `is_certain` if probes failed to refute it.
    `untested` maps distributions that a culprit's good release holds back to the version that the red world has.
    """

    cell: str
    python: str
    green: Ending | None = None
    red: Ending | None = None
    findings: tuple[Finding, ...] = ()
    rule: tuple[str, ...] = ()
    confidence: float = 0.0
    is_certain: bool = False
    problem: str = ""
    untested: Mapping[str, str] = field(default_factory=dict)
    sources: str = ""  # a command for a shell that gets the sources of the project
    install: str = ""  # what pip installs as the project, "" for nothing
    effort: Effort = field(default_factory=Effort)

    @property
    def is_proven(self) -> bool:
        """Whether each failure has its culprit, and the red world without them passes."""
        return (bool(self.findings) or self.is_certain) and not self.problem
