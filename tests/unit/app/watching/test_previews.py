"""The previews of a round: which cells have one, and what is shown of them."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

import factories

from venvgrid.app.context import RunContext
from venvgrid.app.options import FrontEnd, RunOptions
from venvgrid.app.plan import make_plan
from venvgrid.app.watching.previews import Previews
from venvgrid.config import config_file, loading
from venvgrid.model import CellFinished, Outcome, RunStarted
from venvgrid.processes.command import Cancellation
from venvgrid.results.report import Earlier
from venvgrid.running.warm.preview import Cold, Preview

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from venvgrid.app.watching.messages import Previewed
    from venvgrid.app.watching.warming import Warmth
    from venvgrid.model import Event


@dataclass
class FakeWarmth:
    """Cells with what they say; those that are not there have no warm process."""

    said: dict[str, Preview | Cold]
    asked: list[str] = field(default_factory=list)

    def ready(self, cells: Iterable[str]) -> tuple[str, ...]:
        """Return the cells that say something."""
        return tuple(cell for cell in cells if cell in self.said)

    def previews(
        self, _context: RunContext, cells: Iterable[str], **_more: Any
    ) -> Iterator[tuple[str, Preview | Cold]]:
        """Say it."""
        for cell in cells:
            self.asked.append(cell)
            yield cell, self.said[cell]


def preview(cell: str, outcome: Outcome = Outcome.PASSED, **more: Any) -> Preview:
    """Make a preview."""
    fields: dict[str, Any] = {"reason": "", "tests": {"passed": 1}, "failures": (), "left_out": 0, "seconds": 0.1}
    return Preview(cell=cell, outcome=outcome, first=0.1, **{**fields, **more})


def play(folder: Path, said: dict[str, Preview | Cold], **options: Any) -> tuple[Any, list[Event], list[Previewed]]:
    """Make the previews of a grid of four cells; return what came, what was shown, and what was told."""
    (folder / "matrix.toml").write_text(
        '[project]\ninstall = "none"\n[axes]\npython = ["3.12"]\nenv.A = ["1", "2", "3", "4"]\n', encoding="utf-8"
    )
    config = loading.build(config_file.find(folder / "matrix.toml", cwd=folder))
    front = FrontEnd(environ=os.environ, notify=lambda _text: None)
    context = RunContext(config=config, options=RunOptions(**options), front=front)
    shown: list[Event] = []
    told: list[Previewed] = []
    context.__dict__["history"] = {
        "py3.12-A.4": Earlier(run="1", outcome=Outcome.IMPOSSIBLE),
        "py3.12-A.3": Earlier(run="1", outcome=Outcome.FAILED),
    }
    made = Previews(
        round=1,
        warmth=cast("Warmth", FakeWarmth(said)),
        context=context,
        plan=make_plan(context),
        cancellation=Cancellation(),
        post=told.append,
    )
    return made.run(shown.append), shown, told


def test_only_warm_cells_are_there(tmp_path: Path) -> None:
    """Cells without a warm process are not in the grid of previews; those in it come in the order of the round."""
    cells = {f"py3.12-A.{number}": preview(f"py3.12-A.{number}") for number in (1, 2, 4)}
    _, shown, told = play(tmp_path, dict(cells), first=("py3.12-A.4",))
    started = shown[0]
    assert isinstance(started, RunStarted)
    assert [item.cell.id for item in started.plan.cells] == list(cells)
    assert next(item.preview.cell for item in told) == "py3.12-A.4"
    assert next(event.result.id for event in shown if isinstance(event, CellFinished)) == "py3.12-A.4"


def test_the_report_holds_what_was_said(tmp_path: Path) -> None:
    """Red and green previews are in the report, with their failures; cold cells are named with their reasons."""
    failed = preview("py3.12-A.2", Outcome.FAILED, failures=(factories.failure(),), left_out=3)
    warmed, _, _ = play(
        tmp_path, {"py3.12-A.1": preview("py3.12-A.1"), "py3.12-A.2": failed, "py3.12-A.3": Cold(reason="c")}
    )
    assert {cell.id: cell.outcome for cell in warmed.report.cells} == {
        "py3.12-A.1": Outcome.PASSED,
        "py3.12-A.2": Outcome.FAILED,
    }
    assert (warmed.cold, warmed.left_out) == ({"py3.12-A.3": "c"}, 3)


def test_cells_that_could_have_a_preview_are_counted(tmp_path: Path) -> None:
    """Cells without a warm process count, but those that were impossible do not."""
    warmed, _, _ = play(tmp_path, {"py3.12-A.1": preview("py3.12-A.1")})
    assert (len(warmed.report.cells), warmed.cells) == (1, 3)


def test_what_says_nothing_of_the_tests_is_no_preview(tmp_path: Path) -> None:
    """A preview that was stopped is not shown as a result."""
    _, _, told = play(tmp_path, {"py3.12-A.1": preview("py3.12-A.1", Outcome.CANCELLED)})
    assert told == []
