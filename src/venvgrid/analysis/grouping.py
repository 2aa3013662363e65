"""Groups of cells with the same failure, or with the same reason why they were not tested. Pure."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from venvgrid.model import Failure, Outcome
from venvgrid.model.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Iterable

    from venvgrid.model import CaseOutcome, CellResult

# Reasons that differ only in this are equal: "matplotlib 2.2 has no wheel for CPython 3.8 on linux-x86_64".
_PYTHON = re.compile(r"\b(?:CPython|PyPy|GraalPy|Python) (\d+\.\d+\w*)")
_MAX_PYTHONS = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class FailureGroup:
    """Failures with the same signature.

    `cells` are ids. `tests` are the failing tests; empty if something else than a test failed. `count` is the number of
    failures. `allowed`: all of the cells may fail. `again` is what became of the tests when they ran once more;
    None if they did not, or differ.
    """

    signature: str
    kind: str
    message: str
    longrepr: str
    cells: tuple[str, ...]
    tests: tuple[str, ...]
    count: int
    outcome: Outcome  # of the first cell
    log: str  # of the first cell, relative to the run's folder
    hint: str = ""  # what to type
    through: tuple[str, ...] = ()  # distributions that the exceptions name or their tracebacks pass
    allowed: bool = False
    again: CaseOutcome | None = None

    @property
    def headline(self) -> str:
        """Exception and message, or the outcome of the first cell."""
        return ": ".join(filter(None, (self.kind, self.message))) or self.outcome.value


@dataclass(frozen=True, slots=True, kw_only=True)
class ReasonGroup:
    """Cells with the same outcome for the same reason, without failures.

    `log` and `words`, those of the resolver, are of the first cell.
    """

    outcome: Outcome
    reason: str
    cells: tuple[str, ...]
    log: str = ""
    words: str = ""

    @property
    def hint(self) -> str:
        """What to type, if the way out is known."""
        from venvgrid.outcomes.causes import remedies  # noqa: PLC0415  (a green run needs none)

        return remedies.of_reason(self.reason)


def failures_of(cell: CellResult) -> tuple[Failure, ...]:
    """Return the failures of a cell. A red cell that tells none has one: its outcome and its reason."""
    if cell.failures or not cell.outcome.is_red:
        return cell.failures
    from venvgrid.outcomes import signatures  # noqa: PLC0415  (a green run needs none)

    kind, message = cell.outcome.value, cell.reason
    return (Failure(test="", kind=kind, message=message, signature=signatures.signature(kind, message, "", "")),)


def by_signature(cells: Iterable[CellResult]) -> tuple[FailureGroup, ...]:
    """Group failures by signature, most cells first. Failures of cells that may fail come last."""
    found: dict[str, list[tuple[CellResult, Failure]]] = {}
    for cell in cells:
        for failure in failures_of(cell):
            found.setdefault(failure.signature, []).append((cell, failure))
    made = [_group(signature, entries) for signature, entries in found.items()]
    return tuple(sorted(made, key=lambda group: (group.allowed, -len(group.cells), -group.count)))


def _group(signature: str, entries: list[tuple[CellResult, Failure]]) -> FailureGroup:
    from venvgrid.outcomes import signatures  # noqa: PLC0415  (a green run needs none)

    first, failure = entries[0]
    return FailureGroup(
        signature=signature,
        kind=failure.kind,
        message=signatures.without_environment(failure.message),
        longrepr=next((item.longrepr for _, item in entries if item.longrepr), ""),
        cells=tuple(dict.fromkeys(cell.id for cell, _ in entries)),
        tests=tuple(dict.fromkeys(item.test for _, item in entries if item.test)),
        count=len(entries),
        outcome=first.outcome,
        log=first.log,
        hint=next((item.hint for _, item in entries if item.hint), ""),
        through=tuple(dict.fromkeys(name for _, item in entries for name in item.through)),
        allowed=all(cell.allow_failure for cell, _ in entries),
        again=failure.again if all(item.again is failure.again for _, item in entries) else None,
    )


def by_reason(cells: Iterable[CellResult]) -> tuple[ReasonGroup, ...]:
    """Group the cells that are not green and have no failure by outcome and reason, in the cells' order.

    Impossible cells are one group if their reasons differ only in the Python that they name.
    """
    found: dict[tuple[Outcome, str], list[CellResult]] = {}
    for cell in cells:
        if not cell.outcome.is_green and not failures_of(cell):
            merged = cell.outcome is Outcome.IMPOSSIBLE
            reason = _PYTHON.sub(_placeholder, cell.reason, count=1) if merged else cell.reason
            found.setdefault((cell.outcome, reason), []).append(cell)
    return tuple(
        ReasonGroup(
            outcome=outcome,
            reason=_joined([cell.reason for cell in alike]),
            cells=tuple(cell.id for cell in alike),
            log=alike[0].log,
            words=alike[0].words,
        )
        for (outcome, _), alike in found.items()
    )


def by_note(cells: Iterable[CellResult]) -> dict[str, list[str]]:
    """Map each note to the ids of the cells that have it."""
    found: dict[str, list[str]] = {}
    for cell in cells:
        for note in cell.notes:
            found.setdefault(note, []).append(cell.id)
    return found


def _placeholder(match: re.Match[str]) -> str:
    return match[0][: match.start(1) - match.start(0)] + "\0"


def _joined(texts: list[str]) -> str:
    """Return one reason for reasons that differ only in their Python: "… for CPython 3.8, 3.9, 3.10 on …"."""
    pythons = list(dict.fromkeys(match[1] for text in texts if (match := _PYTHON.search(text))))
    if len(pythons) < 2 or len(set(texts)) < 2:  # noqa: PLR2004  (nothing to join)
        return texts[0]
    more = f" and {len(pythons) - _MAX_PYTHONS} more" if len(pythons) > _MAX_PYTHONS else ""
    named = ", ".join(pythons[:_MAX_PYTHONS]) + more
    return _PYTHON.sub(lambda match: match[0][: match.start(1) - match.start(0)] + named, texts[0], count=1)
