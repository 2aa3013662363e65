"""`venvgrid bisect`: the release of a package, or the commit of the project, that broke a cell."""

from __future__ import annotations

import itertools
import json
import re
from dataclasses import replace
from typing import TYPE_CHECKING

from venvgrid.analysis.search.bisection import Problem
from venvgrid.analysis.search.protocol import Verdict
from venvgrid.app.context import RunContext
from venvgrid.app.investigation import commits
from venvgrid.app.investigation.bisect import Asked, bisect
from venvgrid.app.investigation.candidates import is_path, local_wheels
from venvgrid.app.plan import make_plan
from venvgrid.app.request import interpreters_for, runnable
from venvgrid.app.run import load_merged, read_config
from venvgrid.cli import options
from venvgrid.config import grids
from venvgrid.model import ExitStatus, InfrastructureError, UsageError
from venvgrid.model.version import __version__
from venvgrid.reporters import text

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator, Mapping

    from venvgrid.app.investigation.bisect import Bisection, Found, Step
    from venvgrid.cli.terminal import Terminal
    from venvgrid.model import Cell, CellResult

FORMAT = "venvgrid-bisect-1"
MAX_TESTS = 3
IN_PARENTHESES = re.compile(r" \(/[^()]*\)$")
NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?")
MAX_SKIPPED = 8
JUDGED = {  # whether the good commit passes with the company of the bad one
    None: "cannot be told: the commit before it does not run with these versions",
    True: "its code: the commit before it passes with these versions",
    False: "these versions: the commit before it fails with them in the same way",
}
ENDS = {  # what to tell and to type where a search cannot tell
    Problem.FLAKY: "the tests are too flaky to tell: {at} {how}",
    Problem.NOT_BAD: "nothing is red at the bad end: the tests pass with {at}",
    Problem.NOT_GOOD: "both ends are alike: the same failure shows with {at}, which was to be good",
    Problem.NO_GOOD: "no older one was found good, back to the oldest: the cause is elsewhere, or before that",
    Problem.UNKNOWN: "{at} cannot be told: {reason}",
}


def main(arguments: argparse.Namespace, terminal: Terminal) -> int:
    """Find the change, print it, and return the exit status."""
    found = _commits(arguments, terminal) if arguments.commits else _releases(arguments, terminal)
    if arguments.json:
        terminal.data(json.dumps(document(found), indent=1))
    else:
        for line in lines(found):
            terminal.data(text.safe(line))
    return ExitStatus.CANNOT_TELL if found.problem else ExitStatus.PASSED


def _releases(arguments: argparse.Namespace, terminal: Terminal) -> Bisection:
    if arguments.tests_of:
        raise UsageError("--tests-of goes with --commits: the tests of a release are not run")
    if not arguments.package:
        _, earlier = _context(arguments, terminal, terminal.environ)
        raise UsageError(f"bisect needs the name of a package, or --commits{_suspects(earlier)}")
    name, ends = _package(arguments), (arguments.good or "", arguments.bad or "")
    root = options.find(arguments, terminal).file.parent / ".venvgrid"
    places = [*arguments.wheel, *(end for end in ends if is_path(end))]
    wheels = local_wheels(name, places, root, terminal.environ)
    context, earlier = _context(arguments, terminal, {**terminal.environ, **wheels.variables})
    cell, result = _cell(context, earlier, name)
    good, bad = (wheels.version_of(end) for end in ends)
    asked = Asked(package=name, good=good, bad=bad, pre=arguments.pre, yanked=arguments.yanked, wheels=wheels.versions)
    return bisect(context, cell, asked, result)


def _package(arguments: argparse.Namespace) -> str:
    """Return the name of the package. Raises UsageError: it is none, and what was meant is told."""
    word: str = arguments.package
    name, equals, version = word.partition("==")
    if equals and NAME.fullmatch(name):
        raise UsageError(f"write the version apart: venvgrid bisect {name} GOOD {version}")
    if not NAME.fullmatch(word):
        raise UsageError(f"{word!r} is no name of a package; for commits, type: venvgrid bisect --commits {word}")
    return word


def _commits(arguments: argparse.Namespace, terminal: Terminal) -> Bisection:
    if arguments.pre or arguments.yanked or arguments.wheel:
        raise UsageError("--pre, --yanked and --wheel are for releases, not for --commits")
    if arguments.bad:
        raise UsageError("--commits takes two commits at most: venvgrid bisect --commits GOOD BAD")
    context, earlier = _context(arguments, terminal, terminal.environ)
    cell, result = _cell(context, earlier, "")
    asked = commits.Asked(good=arguments.package or "", bad=arguments.good or "HEAD", tests_of=arguments.tests_of or "")
    return commits.bisect(context, cell, asked, result)


def _context(
    arguments: argparse.Namespace, terminal: Terminal, environ: Mapping[str, str]
) -> tuple[RunContext, dict[str, CellResult]]:
    """Return the context of the grid that -k is about, and the red cells of its last run."""
    front = replace(options.front_end(arguments, terminal), environ=environ)
    wanted = options.run_options(arguments, terminal)
    source = options.find(arguments, terminal)
    grid = next((name for name in grids.names(source.table) if wanted.cells.startswith(f"{name}-")), "")
    context = RunContext(config=read_config(source, wanted, front, grid=grid).config, options=wanted, front=front)
    loaded = load_merged(context.root)
    return context, {item.id: item for item in loaded[0].cells if item.outcome.is_red} if loaded else {}


def _cell(context: RunContext, earlier: Mapping[str, CellResult], package: str) -> tuple[Cell, CellResult | None]:
    """Return the cell to search in: a red one that has the package, else a red one, else the first that can run."""
    cells = runnable(make_plan(context))
    chosen, _ = interpreters_for(context, [cell.axes["python"] for cell in cells])
    here = [cell for cell in cells if not isinstance(chosen[cell.axes["python"]], str)]
    if not here:
        missing = chosen[cells[0].axes["python"]] if cells else "no cell runs on this machine"
        raise InfrastructureError(str(missing))
    red = [cell for cell in here if cell.id in earlier]
    having = [cell for cell in red if package.lower() in earlier[cell.id].packages]
    cell = next(iter((*having, *red, *here)))
    context.front.notify(f"cell: {cell.id}{'' if cell.id in earlier or not earlier else ' (it was not red)'}")
    return cell, earlier.get(cell.id)


def _suspects(earlier: Mapping[str, CellResult]) -> str:
    names = [name for result in earlier.values() for item in result.failures for name in item.through]
    named = f"; the failures of the last run name {names[0]}: venvgrid bisect {names[0]}" if names else ""
    return named or ", for example: venvgrid bisect numpy"


def lines(found: Bisection) -> Iterator[str]:
    """Yield the report, one screen."""
    if found.problem:
        yield from _problem(found)
        return
    steps = {item.name: item for item in found.steps}
    change = found.changes[-1]
    yield f"{_named(found, change.bad)} broke {found.cell}"
    yield f"  {_headline(found.failure)}"
    yield from (f"    {test}" for test in found.tests[:MAX_TESTS])
    if len(found.tests) > MAX_TESTS:
        yield f"    and {text.count(len(found.tests) - MAX_TESTS, 'test')} more"
    yield ""
    yield f"  good  {_title(found, change.good)}: {_runs(steps[change.good])}"
    yield f"  bad   {_title(found, change.bad)}: {_runs(steps[change.bad])}"
    yield from _doubts(found, change)
    if found.kind == "releases":
        is_exact = all(name in found.left_out for name in change.skipped)
        yield f"  pin   {found.name}{f'<{change.bad}' if is_exact else f'<={change.good}'}"
    yield ""
    yield _counts(found)


def _doubts(found: Bisection, change: Found) -> Iterator[str]:
    """Yield what makes the answer less exact."""
    if change.skipped:
        yield "  between them, and unknown:"
        yield from (f"    {line}" for line in _grouped(found, change.skipped))
    if change.company:
        moved = [f"{name} {old or 'absent'} → {new or 'absent'}" for name, (old, new) in change.company.items()]
        yield f"  moved along: {text.some(moved, MAX_SKIPPED)}"
        if found.kind == "commits":
            yield f"    what did it: {JUDGED[change.acquitted]}"
    if len(found.changes) > 1:
        others = [f"{_short(found, item.good)} → {_short(found, item.bad)}" for item in found.changes[:-1]]
        yield f"  it broke before, and was repaired: {text.some(others, MAX_SKIPPED)}"
    flaky = [_short(found, item.name) for item in found.steps if item.flaky]
    if flaky:
        yield f"  flaky: {text.some(flaky, MAX_SKIPPED)} passed in some runs and failed in others"
    left = [_kind(reason) for name, reason in found.left_out.items() if name not in change.skipped]
    if left:
        counts = [f"{left.count(reason)} ({reason})" for reason in dict.fromkeys(left)]
        yield f"  left out, as they cannot be installed: {text.some(counts, MAX_SKIPPED)}"


def _kind(reason: str) -> str:
    return "another Python" if reason.startswith("needs Python") else reason


def _headline(failure: str) -> str:
    """Return a failure without the path at its end, which Python adds to import errors."""
    return IN_PARENTHESES.sub("", failure)


def _problem(found: Bisection) -> Iterator[str]:
    step = found.step
    at = f"{found.name} {found.at}" if found.kind == "releases" else _title(found, found.at)
    counts = f": {step.bad_runs} of {step.runs} runs failed" if step and 0 < step.bad_runs < step.runs else ""
    how = f"passes and fails in turn{counts}"
    told = ENDS[found.problem] if found.problem else ""
    yield f"{found.cell}: cannot tell: {told.format(at=at, how=how, reason=step.reason if step else '')}"
    if found.failure:
        yield f"  {_headline(found.failure)}"
    yield f"  {_advice(found)}"
    unknown = {item.name: item.reason for item in found.steps if item.verdict is Verdict.UNKNOWN and not item.flaky}
    if unknown:
        yield "  unknown:"
        yield from (f"    {line}" for line in _grouped(found, unknown))
    yield ""
    yield _counts(found)


def _grouped(found: Bisection, unknown: Mapping[str, str]) -> Iterator[str]:
    """Yield the names that nothing is known of, those with one reason in one line."""
    for number, (reason, group) in enumerate(itertools.groupby(unknown, key=lambda name: unknown[name])):
        if number == MAX_SKIPPED:
            yield "…"
            return
        names = [_short(found, name) for name in group]
        shown = f"{names[0]} … {names[-1]}" if len(names) > MAX_TESTS else ", ".join(names)
        yield f"{shown}: {_headline(reason) or 'not tried'}"


def _advice(found: Bisection) -> str:
    words = "bisect --commits" if found.kind == "commits" else f"bisect {found.name}"
    return {
        Problem.FLAKY: "Make the tests reliable first; or search for another failure: -k CELL.",
        Problem.NOT_BAD: f"Name one that is bad: venvgrid {words} GOOD BAD; or find a red cell: venvgrid run",
        Problem.NOT_GOOD: f"Name an older one, or none, to have it found: venvgrid {words}",
        Problem.NO_GOOD: f"To find what broke the cell, type: venvgrid why {found.cell}",
        Problem.UNKNOWN: f"Name another one: venvgrid {words} GOOD BAD",
    }[found.problem or Problem.UNKNOWN]


def _named(found: Bisection, name: str) -> str:
    return f"{found.name} {name}" if found.kind == "releases" else f"commit {_title(found, name)}"


def _title(found: Bisection, name: str) -> str:
    return f"{_short(found, name)} {found.titles.get(name, '')}".strip()


def _short(found: Bisection, name: str) -> str:
    return name if found.kind == "releases" else name[:10]


def _runs(step: Step) -> str:
    verb = "failed" if step.verdict is Verdict.BAD else "passed"
    count = step.bad_runs if step.verdict is Verdict.BAD else step.runs - step.bad_runs
    return f"{verb} in {count} of {text.count(step.runs, 'run')}"


def _counts(found: Bisection) -> str:
    return f"{text.count(found.builds, 'environment')}, {text.count(found.runs, 'test run')}"


def document(found: Bisection) -> dict[str, object]:
    """Return the answer as JSON of the format `venvgrid-bisect-1`."""
    change = found.changes[-1] if found.changes else None
    return {
        "format": FORMAT,
        "venvgrid": __version__,
        "kind": found.kind,
        "name": found.name,
        "cell": found.cell,
        "good": change.good if change else "",
        "bad": change.bad if change else "",
        "skipped": list(change.skipped) if change else [],
        "company": _company(change) if change else {},
        "acquitted": change.acquitted if change else None,
        "changes": [
            {
                "good": item.good,
                "bad": item.bad,
                "skipped": list(item.skipped),
                "company": _company(item),
                "acquitted": item.acquitted,
            }
            for item in found.changes
        ],
        "problem": found.problem.value if found.problem else "",
        "at": found.at,
        "failure": found.failure,
        "tests": list(found.tests),
        "probes": [
            {
                "name": item.name,
                "verdict": item.verdict.value,
                "runs": item.runs,
                "bad_runs": item.bad_runs,
                "reason": item.reason,
            }
            for item in found.steps
        ],
        "left_out": dict(found.left_out),
        "builds": found.builds,
        "runs": found.runs,
    }


def _company(change: Found) -> dict[str, list[str]]:
    return {name: list(versions) for name, versions in change.company.items()}
