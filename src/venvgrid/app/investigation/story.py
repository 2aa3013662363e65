"""The use case "why": the rule over the cells of the last run, then the releases that did it."""

from __future__ import annotations

import shlex
import time
from dataclasses import replace
from typing import TYPE_CHECKING

from venvgrid.analysis.rules.wording import describe
from venvgrid.analysis.search.eras import WEEKS
from venvgrid.analysis.search.story import Story
from venvgrid.app.capsules import repository_state
from venvgrid.app.investigation.diagnosing import Diagnosing
from venvgrid.app.investigation.ends import find_ends, walk_back
from venvgrid.app.investigation.prober import SpentError
from venvgrid.app.investigation.why import FLAKY, Investigation
from venvgrid.model import InstallMode

if TYPE_CHECKING:
    from venvgrid.analysis.diagnosis.diagnosis import Diagnosis
    from venvgrid.app.context import RunContext
    from venvgrid.app.investigation.ends import Ends, Red
    from venvgrid.model import Cell
    from venvgrid.results.report import Report

MOST = 60  # environments that one command builds for probes


def tell(
    context: RunContext, cell: Cell, red: Red, report: Report | None, *, good: str = "", at_once: int = 1
) -> Story:
    """Return what broke a red cell; the environments of probes are deleted, what they showed is kept.

    `at_once` worlds are tried together: that is faster, and builds more of them.

    Raises:
        UsageError: an end does not resolve, or `good` is none.
    """
    began = time.monotonic()
    ends = find_ends(context, cell, red, report, good=good)
    ends.prober.most = MOST
    try:
        diagnosis = None if good or report is None else _diagnosis(ends, red, report, at_once)
        if ends.green is None and not (diagnosis and (diagnosis.is_certain or diagnosis.is_flaky)):
            ends = walk_back(ends)
        story = _story(ends, cell, red, diagnosis, at_once)
    except SpentError as error:
        story = Story(cell=cell.id, python="", problem=str(error), effort=ends.prober.effort)
    finally:
        ends.prober.tidy()
    effort = replace(story.effort, seconds=time.monotonic() - began)
    return replace(story, effort=effort, sources=_sources(context), install=_install(context))


def _diagnosis(ends: Ends, red: Red, report: Report, at_once: int) -> Diagnosis | None:
    if red.result is None:
        return None
    same = {cell.id: cell for cell in report.cells}
    green = same.get(ends.green.cell.id) if ends.green and ends.green.cell else None
    return Diagnosing(prober=ends.prober, report=report, red=red.result, green=green).run(at_once)


def _story(ends: Ends, cell: Cell, red: Red, diagnosis: Diagnosis | None, at_once: int) -> Story:
    prober, explanation = ends.prober, diagnosis.explanation if diagnosis else None
    python = red.result.interpreter.version if red.result and red.result.interpreter else ""
    story = Story(
        cell=cell.id,
        python=python,
        rule=describe(explanation) if explanation and explanation.rule else (),
        confidence=explanation.confidence if explanation else 0.0,
        is_certain=bool(diagnosis and diagnosis.is_certain),
        effort=prober.effort,
    )
    if diagnosis and diagnosis.is_flaky:
        return replace(story, problem=FLAKY)
    if ends.green is None:
        problem = (
            "it was never seen green: no earlier run, no cell of its Python in which the tests pass, no lock in git, "
            f"and none of the times up to {WEEKS[-1]} weeks ago that were tried; say when it was: "
            f"venvgrid why {cell.id} --good DATE; if a change of your own may have done it: venvgrid bisect --commits"
        )
        return replace(story, problem="" if story.is_certain else problem)
    subjects = [item.subject for rule in explanation.rules for item in rule] if explanation else []
    found = Investigation(
        prober=prober,
        cell=cell.id,
        green=ends.green.name,
        red=ends.red,
        at_once=at_once,
        all_failures=red.all_failures,
        named=tuple(dict.fromkeys(subjects)),
        since=ends.green.since,
        until=ends.green.until,
    ).run()
    return replace(found, rule=story.rule, confidence=story.confidence, is_certain=story.is_certain)


def _sources(context: RunContext) -> str:
    """Return the command that gets the sources of the project, "" if they are in no repository with an address."""
    environ, path = context.machine.environ, context.config.project.path
    address = repository_state.git(("remote", "get-url", "origin"), path, environ, context.machine.run) or b""
    commit = repository_state.git(("rev-parse", "HEAD"), path, environ, context.machine.run) or b""
    words = [context.machine.redactor.text(part.decode("utf-8", "replace").strip()) for part in (address, commit)]
    if not words[0]:
        return ""
    return f"git clone {shlex.quote(words[0])} sources && cd sources && git checkout {words[1]}"


def _install(context: RunContext) -> str:
    """Return what pip installs as the project."""
    return {InstallMode.NONE: "", InstallMode.EDITABLE: "-e ."}.get(context.config.project.install, ".")
