"""What a run in GitHub Actions writes into the step summary."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import factories
import told

from venvgrid.app.investigation import kept
from venvgrid.cli.commands.run import publish
from venvgrid.cli.terminal import Terminal
from venvgrid.reporters import registry
from venvgrid.results.run_folders import RunFolder

if TYPE_CHECKING:
    from pathlib import Path


def test_the_step_summary_is_the_markdown_report_with_what_why_found(tmp_path: Path) -> None:
    """A story that is kept below `.venvgrid` stands beside its failure, as in the file of `--report markdown`."""
    root, summary = tmp_path / ".venvgrid", tmp_path / "summary.md"
    finished = factories.report(told.red(), status=1)
    kept.save(root, told.INVESTIGATED)
    terminal = Terminal(out=io.StringIO(), err=io.StringIO(), environ={"GITHUB_STEP_SUMMARY": str(summary)})
    publish(finished, terminal, RunFolder(id="r", path=root / "runs" / "r"), "", root)
    written = summary.read_text(encoding="utf-8")
    assert written == registry.text("markdown", finished, stories=lambda: [told.INVESTIGATED]) + "\n"
    assert told.INVESTIGATED.command in written
    assert written != registry.text("markdown", finished) + "\n"
