"""A report by the name of its format, and a plan as a grid."""

from __future__ import annotations

import json
import re
import subprocess
import sys

import factories as make
import pytest

from venvgrid.analysis import document
from venvgrid.model import Plan, PlannedCell, Status, UsageError
from venvgrid.reporters import registry
from venvgrid.reporters.formats import FORMATS
from venvgrid.reporters.terminal import plan_table


@pytest.mark.parametrize(
    ("format_", "beginning"),
    [
        ("table", "matplotlib  3.6  3.8"),
        ("json", '{\n "format": "venvgrid-results-1",'),
        ("junit", '<?xml version="1.0" encoding="utf-8"?>\n<testsuites name="plotlib"'),
        ("markdown", "### plotlib 1.0\n"),
    ],
)
def test_every_format_is_a_file_for_people_or_programs(format_: str, beginning: str) -> None:
    """Each begins as it should and ends with the end of a line; none has colours."""
    assert format_ in FORMATS
    text = registry.text(format_, make.matplotlib_grid())
    assert text.startswith(beginning)
    assert text.endswith("\n")
    assert "\x1b" not in text


@pytest.mark.parametrize("format_", FORMATS)
def test_every_name_of_a_format_has_a_renderer(format_: str) -> None:
    """What the command line offers can be rendered, and an unknown name lists exactly these."""
    assert registry.text(format_, make.matplotlib_grid())
    with pytest.raises(UsageError, match=re.escape(", ".join(FORMATS))):
        registry.text("none", make.matplotlib_grid())


def test_json_of_a_report_is_its_results() -> None:
    """What `run` writes into results.json, `report --format json` gives again."""
    report = make.matplotlib_grid()
    assert json.loads(registry.text("json", report)) == document.to_results(report)


def test_an_unknown_format_is_a_mistake_of_usage() -> None:
    """The message names those that there are."""
    with pytest.raises(UsageError, match=r"no format 'yaml'; the formats are table, json, junit, markdown"):
        registry.text("yaml", make.matplotlib_grid())


def test_a_plan_is_the_grid_of_what_will_run() -> None:
    """In its own words: runnable, unknown; excluded cells are counted."""
    statuses = (Status.RUNNABLE, Status.IMPOSSIBLE, Status.FAILED, Status.MISSING_INTERPRETER, Status.EXCLUDED)
    cells = tuple(
        PlannedCell(cell=make.cell(f"py3.{number}"), status=status, reason=f"reason {number}")
        for number, status in enumerate(statuses)
    )
    assert plan_table.render(Plan(cells=cells), width=80, colour=False, encoding="ascii").splitlines() == [
        "+ py3.0  runnable",
        "- py3.1  impossible",
        "B py3.2  unknown",
        "? py3.3  missing-interpreter",
        "",
        "+ runnable   B unknown   - impossible   ? missing-interpreter",
        "",
        "- Impossible",
        "  reason 1 (py3.1)",
        "",
        "? Missing interpreters",
        "  reason 3 (py3.3)",
        "",
        "B Unknown",
        "  reason 2 (py3.2)",
        "",
        "4 cells: 1 runnable, 1 unknown, 1 impossible, 1 missing-interpreter, 1 excluded",
    ]


def test_only_the_page_pays_for_its_templates() -> None:
    """Commands import neither Jinja2 nor rich before they need them."""
    commands = "venvgrid.cli.commands.run, venvgrid.cli.commands.report"
    code = f"import sys, {commands}; print({{'jinja2', 'rich'}} & {{*sys.modules}})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"
