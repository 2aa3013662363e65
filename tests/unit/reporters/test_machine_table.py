"""Where the time of a run on several machines went."""

from __future__ import annotations

from dataclasses import replace

import factories as make

from venvgrid.model import Stage
from venvgrid.reporters import machines
from venvgrid.reporters.documents import html, markdown
from venvgrid.reporters.manner import PLAIN
from venvgrid.reporters.terminal import sections
from venvgrid.results.report import Report, Span


def report(names: tuple[str, ...]) -> Report:
    """Return a report of one cell a second on each machine; the cells of one were built together."""
    cells = [
        replace(make.result(f"cell{number}"), machine=name, durations={"test": 2.0, "build": 1.0, "queue": 0.5})
        for number, name in enumerate(names)
    ]
    spans = tuple(
        Span(cell=cell.id, stage=stage, worker=1, began=0.0, ended=1.0, machine=cell.machine)
        for cell in cells
        for stage in (Stage.BUILD, Stage.TEST)
    )
    return replace(make.report(*cells), spans=spans, duration=10.0)


def test_each_machine_has_its_cells_and_its_seconds() -> None:
    """A build that several cells share counts once; the times of tests and waits are sums."""
    one, other = machines.shares(report(("a", "a", "b")))
    assert (one.machine, one.cells, one.build, one.test, one.queue) == ("a", 2, 1.0, 4.0, 1.0)
    assert (other.machine, other.cells, other.test) == ("b", 1, 2.0)
    assert one.columns[-1] == "0.5 slots"


def test_one_machine_needs_no_table() -> None:
    """Neither one worker of a cluster, nor a run at home."""
    assert machines.shares(report(("a", "a"))) == ()
    assert machines.shares(report(("", ""))) == ()


def test_cells_of_earlier_runs_do_not_count() -> None:
    """A merged report has results that no machine of this run gave."""
    seen = report(("a", "b", "a"))
    assert machines.shares(replace(seen, spans=seen.spans[:2])) == ()


def test_every_format_has_the_table() -> None:
    """The screen, Markdown and the page name the machines."""
    seen = report(("laptop-1", "laptop-2"))
    screen = "\n".join(line.plain for line in sections.lines(seen, 100, "utf-8", PLAIN))
    for text in (screen, markdown.render(seen), html.render(seen)):
        assert "laptop-1" in text
        assert machines.LEGEND in text
