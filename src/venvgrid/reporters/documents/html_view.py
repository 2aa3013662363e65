"""What the template of the HTML report shows. Names and messages are made safe by the template's environment."""

from __future__ import annotations

from typing import TYPE_CHECKING

from venvgrid.analysis import grid as grid_layout
from venvgrid.analysis import trend
from venvgrid.model import Outcome, Stage
from venvgrid.model.values import dataclass
from venvgrid.reporters import machines, text
from venvgrid.reporters.documents import html_failures, html_shape

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from venvgrid.analysis.findings import Analysis, Slow
    from venvgrid.analysis.grid import Grid
    from venvgrid.analysis.neighbours import Neighbours
    from venvgrid.analysis.stories import Told
    from venvgrid.analysis.trend import PastRun
    from venvgrid.model import CellResult
    from venvgrid.reporters.documents.html_failures import Failure, Reason
    from venvgrid.reporters.documents.html_shape import Shape
    from venvgrid.results.report import Report

MAX_SLOW = 10
MIN_SLOW = 0.1  # seconds: a faster test is not slow
TREND_HEIGHT = 40
# The order of outcomes in bars and in the list of cells: what needs attention first.
ORDER = (
    *(Outcome.FAILED, Outcome.CRASHED, Outcome.TIMED_OUT, Outcome.BROKEN_ENV, Outcome.MISMATCH, Outcome.NO_TESTS),
    *(Outcome.BUILD_FAILED, Outcome.MISSING_INTERPRETER, Outcome.CANCELLED),
    *(Outcome.FLAKY, Outcome.PASSED, Outcome.ELSEWHERE, Outcome.IMPOSSIBLE),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Count:
    """The cells of one outcome. `start` and `share` are their place in a bar, in percent."""

    outcome: str
    sign: str
    number: int
    start: float
    share: float


@dataclass(frozen=True, slots=True, kw_only=True)
class TrendBar:
    """A run in the trend; `pieces` are outcome, top and height, in pixels."""

    x: int
    title: str
    pieces: tuple[tuple[str, float, float], ...]
    is_last: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Flaky:
    """A test that passed after a failure, with its cells."""

    test: str
    earlier: str
    cells: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """All that stands in the page without its script."""

    title: str
    report: Report
    meta: tuple[str, ...]
    coverage: tuple[str, ...]
    counts: tuple[Count, ...]
    trend: tuple[TrendBar, ...]
    trend_said: str
    grid: Grid | None
    axes: tuple[tuple[str, str], ...]
    fixed: tuple[tuple[str, str], ...]
    results: Mapping[str, CellResult]
    shape: Shape
    changes: tuple[tuple[str, str, tuple[str, ...]], ...]
    moved: tuple[str, ...]
    failures: tuple[Failure, ...]
    more_failures: int
    red: int
    reasons: tuple[Reason, ...]
    flaky: tuple[Flaky, ...]
    slow_tests: tuple[Slow, ...]
    slow_cells: tuple[Slow, ...]
    machines: tuple[tuple[str, ...], ...]
    machine_head: tuple[str, ...]
    machine_legend: str
    ordered: tuple[tuple[int, CellResult], ...]
    first_red: float


def view(analysis: Analysis, past: Sequence[PastRun], known: Neighbours, why: Mapping[str, tuple[Told, ...]]) -> View:
    """Return what the page shows of a run; `past` are the runs before it, `why` the stories of failures."""
    report, changes = analysis.report, analysis.changes
    grid = html_shape.layout(report.cells)
    shape = html_shape.shape(report.cells, grid)
    runs = (*past, trend.tally(report)) if past and report.cells else ()
    values = grid_layout.values(html_shape.complete(report.cells).values())
    return View(
        title=f"{report.project} {report.project_version}".strip() or "venvgrid",
        report=report,
        meta=tuple(_meta(report)),
        coverage=tuple(line.strip() for line in text.coverage(report)),
        counts=tuple(_counts(report)),
        trend=tuple(_bars(runs)),
        trend_said=_trend_said(runs),
        grid=grid,
        axes=tuple((name, html_shape.span(known)) for name, known in values.items() if len(known) > 1),
        fixed=tuple((name, known[0] or "(empty)") for name, known in values.items() if len(known) == 1),
        results={cell.id: cell for cell in report.cells},
        shape=shape,
        changes=(
            ("regressed", "b", changes.regressed),
            ("fixed", "g", changes.fixed),
            ("newly impossible", "w", changes.newly_impossible),
            ("newly possible", "g", changes.newly_possible),
        ),
        moved=changes.moved,
        failures=tuple(html_failures.failures(analysis, shape, known, why)),
        more_failures=max(0, len(analysis.findings) - html_failures.MAX_FAILURES),
        red=sum(cell.outcome.is_red for cell in report.cells),
        reasons=tuple(html_failures.reasons(analysis, shape)),
        flaky=tuple(_flaky(analysis)),
        slow_tests=tuple(item for item in analysis.slowest_tests(MAX_SLOW) if item.seconds >= MIN_SLOW),
        slow_cells=tuple(analysis.slowest_cells(MAX_SLOW)) if len(report.cells) > 1 else (),
        machine_head=machines.HEAD,
        machine_legend=machines.LEGEND,
        machines=tuple(share.columns for share in machines.shares(report)),
        ordered=tuple(sorted(enumerate(report.cells), key=lambda item: ORDER.index(item[1].outcome))),
        first_red=_first_red(report),
    )


def _meta(report: Report) -> Iterator[str]:
    """Yield the facts below the title."""
    if report.started:
        yield f"{report.started[:16].replace('T', ' ')} UTC"
    workers = len({span.machine or span.worker for span in report.spans if span.stage is Stage.TEST})
    with_workers = f" on {text.count(workers, 'worker')}" if workers else ""
    yield f"{text.seconds(report.duration)} for {text.count(len(report.cells), 'cell')}{with_workers}"
    kept = [cell for cell in report.cells if cell.cached]
    if kept:
        since = {cell.since[:16].replace("T", " ") for cell in kept}
        yield f"{len(kept)} kept from {min(since)}" if len(since) == 1 else f"{len(kept)} kept from earlier runs"
    if report.command:
        yield text.command(*report.command)
    if report.grid:
        yield f"grid {report.grid}"
    yield f"run {report.run}"
    if report.venvgrid:
        yield f"venvgrid {report.venvgrid}"


def _counts(report: Report) -> Iterator[Count]:
    before, total = 0, len(report.cells)
    for outcome in ORDER:
        number = sum(cell.outcome is outcome for cell in report.cells)
        if number:
            yield Count(
                outcome=outcome.value,
                sign=text.SYMBOLS[outcome][0],
                number=number,
                start=round(100 * before / total, 3),
                share=round(100 * number / total, 3),
            )
        before += number


def _bars(runs: Sequence[PastRun]) -> Iterator[TrendBar]:
    most = max((sum(run.outcomes.values()) for run in runs), default=1)
    for number, run in enumerate(runs):
        top, pieces = float(TREND_HEIGHT), []
        for outcome in reversed(ORDER):
            height = round(TREND_HEIGHT * run.outcomes.get(outcome, 0) / most, 2)
            if height:
                top = round(top - height, 2)
                pieces.append((outcome.value, top, height))
        told = ", ".join(f"{run.outcomes[outcome]} {outcome.value}" for outcome in ORDER if run.outcomes.get(outcome))
        when = run.started[:16].replace("T", " ")
        title = f"{when}, {text.seconds(run.duration)}: {told}"
        yield TrendBar(x=number * 13, title=title, pieces=tuple(pieces), is_last=number == len(runs) - 1)


def _trend_said(runs: Sequence[PastRun]) -> str:
    """Return the trend in words: the green cells of this run and of the runs before it."""
    green = [sum(run.outcomes.get(outcome, 0) for outcome in (Outcome.PASSED, Outcome.FLAKY)) for run in runs]
    return f"green now {green[-1]}, before {', '.join(map(str, reversed(green[:-1])))}" if green else ""


def _flaky(analysis: Analysis) -> Iterator[Flaky]:
    found: dict[str, list[tuple[str, str]]] = {}
    for cell, test, earlier in analysis.flaky:
        found.setdefault(test, []).append((cell, earlier))
    for test, cases in sorted(found.items(), key=lambda item: -len(item[1])):
        yield Flaky(test=test, earlier=cases[0][1], cells=tuple(cell for cell, _ in cases))


def _first_red(report: Report) -> float:
    """Return the seconds from the beginning of the run to the end of its first red cell; 0.0 if there is none."""
    red = {cell.id for cell in report.cells if cell.outcome.is_red and not cell.cached}
    return min((span.ended for span in report.spans if span.cell in red and span.stage is Stage.TEST), default=0.0)
