"""What is to be filed of a run, and what becomes of the issues that are there. Pure.

An issue of venvgrid has a block in its text, between two comments that no reader sees. The first one holds data: what
the issue is about, and a digest of what it says. Text outside of the block belongs to people, and stays.
"""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from venvgrid.analysis import grouping
from venvgrid.analysis.document import from_results
from venvgrid.model import Outcome, UsageError
from venvgrid.model.values import dataclass
from venvgrid.outcomes import signatures
from venvgrid.reporters import text
from venvgrid.storage import digests

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from venvgrid.model import CellResult

FORMAT = "venvgrid-issue-1"
MAX_MARKED = 300  # cells that an issue names for itself
GREEN = frozenset({Outcome.PASSED, Outcome.FLAKY})
ELSEWHERE = "elsewhere"  # of a cell that another machine runs: nothing is known of it here
END = "<!-- venvgrid-issue-end -->"
_BEGIN = re.compile(rf"<!-- {FORMAT} (\{{.*?\}}) -->")
_BLOCK = re.compile(rf"<!-- {FORMAT} .*?{re.escape(END)}", re.DOTALL)
_ESCAPED = {ord(character): f"\\u{ord(character):04x}" for character in "<>-&"}  # none of them ends a comment


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """A failure of a run that deserves an issue. `signature` is equal for the same failure in other runs."""

    signature: str
    headline: str
    cells: tuple[str, ...]
    tests: tuple[str, ...] = ()
    rule: str = ""
    longrepr: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """What a run says: its problems, and the cells in which tests ran and passed. `scope` tells runs of one kind."""

    scope: str
    project: str
    problems: tuple[Problem, ...]
    green: frozenset[str]
    planned: frozenset[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """The data in an issue: the failure that it is about, where it was seen, and a digest of what it says."""

    scope: str
    signature: str
    cells: tuple[str, ...] = ()
    more: int = 0  # cells that are not named
    said: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Issue:
    """An issue of a tracker. `refused`: a person closed it as nothing that will be done."""

    number: int
    title: str
    body: str
    is_open: bool
    refused: bool = False
    address: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Action:
    """Something to do: "open", "update", "reopen", "close" or "keep", and why."""

    kind: str
    title: str
    body: str = ""
    issue: Issue | None = None
    why: str = ""
    signature: str = ""


def cleaned(run: Run, clean: Callable[[str], str]) -> Run:
    """Return a run whose problems hold no secrets."""
    problems = (
        replace(
            item,
            signature=clean(item.signature),
            headline=clean(item.headline),
            tests=tuple(map(clean, item.tests)),
            rule=clean(item.rule),
            longrepr=clean(item.longrepr),
        )
        for item in run.problems
    )
    return replace(run, problems=tuple(problems))


def read(data: Any, place: str) -> Run:
    """Return what results.json says.

    Raises:
        UsageError: it is no results.json.
    """
    try:
        report = from_results(data)
        groups = list(data["failure_groups"])
        problems = [*_failures(groups, report.cells), *_reasons(groups, report.cells)]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise UsageError(f"{place} is no results.json: {error!r:.100}") from error
    # The name of the configuration alone: it is in another folder on each machine. Arguments choose tests.
    config = re.split(r"[\\/]", report.config)[-1]
    return Run(
        scope=digests.of_json([report.project, config, report.grid, list(report.command)], 16),
        project=report.project,
        problems=tuple(problems),
        green=frozenset(cell.id for cell in report.cells if cell.outcome in GREEN),
        planned=frozenset(cell.id for cell in report.cells),
    )


def _failures(groups: Iterable[Mapping[str, Any]], cells: tuple[CellResult, ...]) -> Iterator[Problem]:
    known = {cell.id: cell for cell in cells}
    for group in groups:
        red = [known[name] for name in group["cells"] if name in known]
        counted = tuple(cell.id for cell in red if not cell.allow_failure and cell.outcome not in GREEN)
        if not counted:
            continue
        failures = [item for cell in red for item in cell.failures if item.signature == group["signature"]]
        yield Problem(
            signature=str(group["signature"]),
            headline=": ".join(filter(None, (str(group["kind"]), str(group["message"])))) or red[0].outcome.value,
            cells=counted,
            tests=tuple(map(str, group["tests"])),
            rule=_rule(group),
            longrepr=failures[0].longrepr if failures else "",
        )


def _rule(group: Mapping[str, Any]) -> str:
    support, rule = group.get("support", {}), " and ".join(map(str, group.get("rule", ())))
    if not rule:
        return ""
    with_rule = f"fails in {support['failed']} of {text.count(support['meeting'], 'cell')} with {rule}"
    return f"{with_rule}, in 0 of {support['others']} without"


def _reasons(groups: Iterable[Mapping[str, Any]], cells: tuple[CellResult, ...]) -> Iterator[Problem]:
    """Yield the problems of cells without failures: not built, without an interpreter, without a result."""
    told = {name for group in groups for name in group["cells"]}
    bad = [cell for cell in cells if _is_bad(cell) and not cell.failures and cell.id not in told]
    for failure in grouping.by_signature(bad):  # red ones: documents of early versions have no group of them
        yield Problem(signature=failure.signature, headline=failure.headline, cells=failure.cells)
    for group in grouping.by_reason(bad):
        reason = signatures.normalise(group.reason)
        yield Problem(
            signature=f"{group.outcome.value}: {reason}",
            headline=f"{group.outcome.value}: {group.reason}".rstrip(": "),
            cells=group.cells,
        )


def _is_bad(cell: CellResult) -> bool:
    if cell.allow_failure or cell.outcome in GREEN or cell.outcome.value == ELSEWHERE:
        return False
    return cell.outcome is not Outcome.IMPOSSIBLE or cell.named


def decide(run: Run, known: Iterable[Issue], write: Callable[[Problem], tuple[str, str]]) -> list[Action]:
    """Return what is to be done about the issues of a tracker.

    `write` returns the title and the block of an issue. An issue is closed if all cells in which its failure was seen
    ran and passed; if one of them did not run, nothing is known.
    """
    mine: dict[str, list[tuple[Mark, Issue]]] = {}
    for issue in known:
        mark = mark_of(issue.body)
        if mark is not None and mark.scope == run.scope:
            mine.setdefault(mark.signature, []).append((mark, issue))
    actions = [_for_problem(run, item, mine.pop(item.signature, []), write) for item in run.problems]
    for entries in mine.values():
        actions += [_for_absent(run, mark, issue) for mark, issue in entries if issue.is_open]
    return actions


def _for_problem(
    run: Run, item: Problem, entries: list[tuple[Mark, Issue]], write: Callable[[Problem], tuple[str, str]]
) -> Action:
    signature = item.signature
    if not entries:
        title, block = write(item)
        return Action(kind="open", title=title, body=block, signature=signature)
    # Of several the open one counts, then the newest.
    mark, issue = max(entries, key=lambda entry: (entry[1].is_open, entry[1].number))
    if issue.is_open:  # of cells that did not pass since, nothing new is known: this may be a run of other cells
        more = (name for name in mark.cells if name not in run.green and name not in item.cells)
        item = replace(item, cells=(*item.cells, *more))
    title, block = write(item)
    body = _with_block(issue.body, block)
    if not issue.is_open:
        if issue.refused:
            return Action(kind="keep", title=title, issue=issue, why="a person closed it as not planned")
        return Action(kind="reopen", title=title, body=body, issue=issue, signature=signature)
    if mark.said == said(run, item, title):
        return Action(kind="keep", title=title, issue=issue, why="it says the same")
    return Action(kind="update", title=title, body=body, issue=issue, signature=signature)


def _for_absent(run: Run, mark: Mark, issue: Issue) -> Action:
    gone = [name for name in mark.cells if name not in run.planned]
    silent = [name for name in mark.cells if name not in run.green]
    if not mark.cells or gone:
        told = "is not in these results; if it left the grid, close the issue by hand"
        why = f"{gone[0]} {told}" if gone else "it names no cell"
        return Action(kind="keep", title=issue.title, issue=issue, why=why)
    if mark.more and run.green != run.planned:
        return Action(kind="keep", title=issue.title, issue=issue, why="not all cells passed, and it had very many")
    if silent:
        return Action(kind="keep", title=issue.title, issue=issue, why=f"{silent[0]} did not run, or is red")
    return Action(kind="close", title=issue.title, issue=issue, signature=mark.signature)


def said(run: Run, item: Problem, title: str) -> str:
    """Return a digest of what an issue says. Tracebacks and addresses vary, and so do rules from run to run."""
    return digests.of_json([run.scope, title, sorted(item.cells), sorted(item.tests)], 16)


def begin(run: Run, item: Problem, title: str) -> str:
    """Return the comment that begins the block of an issue."""
    named = list(item.cells[:MAX_MARKED])
    data = {"scope": run.scope, "signature": item.signature, "cells": named, "more": len(item.cells) - len(named)}
    marked = json.dumps({**data, "said": said(run, item, title)}).translate(_ESCAPED)
    return f"<!-- {FORMAT} {marked} -->"


def mark_of(body: str) -> Mark | None:
    """Return the data of an issue, or None if it is none of venvgrid."""
    found = _BEGIN.search(body or "")
    try:
        data = json.loads(found[1]) if found else None
        if data is None:
            return None
        cells = tuple(map(str, data["cells"]))
        texts = {name: str(data[name]) for name in ("scope", "signature", "said")}
        return Mark(**texts, cells=cells, more=int(data["more"]))
    except (ValueError, KeyError, TypeError):
        return None


def _with_block(body: str, block: str) -> str:
    """Return the text of an issue with another block; what people wrote around it stays."""
    if END not in body:  # it was cut off
        return _BEGIN.split(body, maxsplit=1)[0] + block
    return _BLOCK.sub(lambda _: block, body, count=1)
