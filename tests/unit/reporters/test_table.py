"""The grid at the end of a run, and what stands below it."""

from __future__ import annotations

import re
from dataclasses import replace

import factories as make
import hostile
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len

from venvgrid.model import CaseOutcome, CellResult, Event, Message, Outcome
from venvgrid.reporters import registry
from venvgrid.reporters.manner import Manner
from venvgrid.reporters.terminal import table
from venvgrid.results.report import Report, build_report

SGR = re.compile(r"\x1b\[[\d;]*m")
PICTURE = """\
matplotlib  3.6  3.8  3.9  3.10
2.2          ✓    –    –    –
3.5          –    ✓    ✗    ✓

✓ passed   ✗ failed   – impossible

– Impossible
  matplotlib 3.5 has no wheel for CPython 3.6 on linux-x86_64 (py3.6-matplotlib3.5)
  matplotlib 2.2 has no wheel for CPython 3.8, 3.9, 3.10 on linux-x86_64 (3 cells)

✗ AttributeError: module 'numpy' has no attribute 'float'
    tests/test_charts.py::test_line
    fails in 1 of 1 cell with Python 3.9, in 0 of 3 without
    about 52 % sure
    in 1 of 8 cells: py3.9-matplotlib3.5
    log: .venvgrid/runs/20260101-120000-abcd/logs/py3.9-matplotlib3.5.log

To repeat it
  venvgrid run -k py3.9-matplotlib3.5

8 cells: 3 passed, 1 failed, 4 impossible in 21.3 s
Run red cells again: venvgrid run --failed   Open a shell in a cell: venvgrid shell py3.9-matplotlib3.5
"""  # noqa: RUF001  (the sign of what is impossible is a dash)


def plain(report: Report, width: int = 100, encoding: str = "utf-8") -> str:
    return table.render(report, width=width, colour=False, encoding=encoding)


def test_the_grid_is_the_picture_of_the_readme() -> None:
    """Pythons above, versions beside, reasons and failures below, the sum last."""
    assert plain(make.matplotlib_grid()) == PICTURE


def test_colour_adds_nothing_but_colour() -> None:
    """Without its colours the text is the same."""
    coloured = table.render(make.matplotlib_grid(), width=100, colour=True, encoding="utf-8")
    assert coloured != PICTURE
    assert SGR.sub("", coloured) == PICTURE


def test_an_encoding_without_the_signs_gets_letters() -> None:
    """Nothing outside ASCII is left."""
    shown = plain(make.matplotlib_grid(), encoding="ascii")
    assert shown.isascii()
    assert "3.5          -    +    x    +\n\n+ passed   x failed   - impossible\n" in shown


def test_a_terminal_too_narrow_for_the_grid_gets_a_list() -> None:
    """One line a cell, in the plan's order."""
    lines = plain(make.matplotlib_grid(), width=30).splitlines()
    assert lines[4:6] == [
        "– py3.9-matplotlib2.2   impossible",  # noqa: RUF001
        "✗ py3.9-matplotlib3.5   failed: 1 of 3 tests failed, 1.2 s",
    ]


def test_one_axis_is_a_list() -> None:
    """There are no columns to be had."""
    report = make.report(make.result("py3.9"), make.result("py3.10", Outcome.CRASHED), status=1)
    assert plain(report).splitlines()[:2] == [
        "✓ py3.9   passed: 3 tests, 1.2 s",
        "C py3.10  crashed: 1 of 3 tests failed, 1.2 s",
    ]


def test_three_axes_have_a_column_of_labels_for_each_axis_beside_the_grid() -> None:
    """An axis with one value is told once, an empty value is two quotation marks."""
    cells = [
        make.result(
            make.cell(
                f"{python}-{numpy}-{mode}", {"python": python, "numpy": numpy, "env.MODE": mode, "as-of": "release"}
            )
        )
        for python in ("3.9", "3.10")
        for numpy in ("1", "2")
        for mode in ("", "fast")
    ]
    assert plain(make.report(*cells)).splitlines()[:6] == [
        "every cell: as-of=release",
        "numpy  env.MODE  3.9  3.10",
        '1      ""         ✓    ✓',
        "1      fast       ✓    ✓",
        '2      ""         ✓    ✓',
        "2      fast       ✓    ✓",
    ]


def test_every_outcome_is_in_the_legend_if_it_occurs() -> None:
    """With its name; and what brackets and the sign of earlier runs mean."""
    cells = [make.result(f"py3.{number}", outcome) for number, outcome in enumerate(Outcome)]
    shown = plain(make.report(*cells, status=1))
    assert [outcome.value for outcome in Outcome if f" {outcome.value}   " not in shown] == ["cancelled"]
    legend = next(line for line in shown.splitlines() if line.startswith("✓ passed   "))
    assert ("may fail" in legend, "earlier run" in legend) == (False, False)
    more = [make.result("a", cached=True), make.result(make.cell("b", allow_failure=True), Outcome.FAILED)]
    assert "✓ passed   ✗ failed   ↻ from an earlier run   ( ) may fail" in plain(make.report(*more))


def test_failures_say_where_what_and_how_often() -> None:
    """The place that their signature tells; of many tests and cells the first few."""
    signature = "ValueError: bad @ value @ tests/test_a.py:14 > numpy/core.py"
    cells = [
        make.result(
            f"py3.{number}",
            Outcome.FAILED,
            failures=tuple(make.failure(f"t::{test}", signature=signature) for test in range(7)),
        )
        for number in range(10)
    ]
    shown = plain(make.report(*cells, status=1))
    assert "✗ ValueError: bad value\n    at tests/test_a.py:14 > numpy/core.py\n    t::0\n" in shown
    assert (
        "    t::4\n    and 2 more tests\n    fails in every cell that ran it (10)\n    in 10 of 10 cells: every cell\n"
        in shown
    )
    some = plain(make.report(*cells[:5], make.result("py3.9"), status=1))
    assert "    in 5 of 6 cells: python 3.0..3.4\n" in some


def test_failures_of_no_test_say_what_became_of_the_cell() -> None:
    """A mismatch, a crash, a broken environment: with the reason, once."""
    why = "python is 3.10.1, not 3.9"
    mismatch = make.result(
        "py3.9", Outcome.MISMATCH, reason=why, failures=(make.failure("", kind="mismatch", message=why),)
    )
    broken = make.result(
        "py3.8",
        Outcome.BROKEN_ENV,
        reason="import numpy failed: ImportError: no",
        failures=(make.failure("", kind="ImportError", message="no", signature="s"),),
    )
    shown = plain(make.report(mismatch, broken, status=1))
    assert "M mismatch: python is 3.10.1, not 3.9\n    in 1 of 2 cells: py3.9\n    log: " in shown
    assert "! broken-env: ImportError: no\n    in 1 of 2 cells: py3.8\n" in shown


def test_what_could_not_be_tried_has_its_reason_and_its_log() -> None:
    """Builds that failed, interpreters that are missing; a long list of cells is cut."""
    missing = "no CPython 3.14 on this machine; type: uv python install 3.14"
    cells = [
        make.result("py3.14", Outcome.MISSING_INTERPRETER, reason=missing, log=""),
        make.result("py3.9", Outcome.BUILD_FAILED, reason="no compiler"),
        make.result("py3.8", Outcome.BUILD_FAILED, reason="no compiler"),
    ]
    shown = plain(make.report(*cells, status=3))
    assert f"? Missing interpreters\n  {missing} (py3.14)\n\n" in shown
    log = ".venvgrid/runs/20260101-120000-abcd/logs/py3.9.log"
    assert f"B Not built\n  no compiler (2 cells)\n    py3.9, py3.8\n    log: {log}\n" in shown


def test_flaky_tests_notes_and_warnings_are_told() -> None:
    """What is green is not silent."""
    cell = make.result("py3.9", Outcome.FLAKY, notes=("the tests changed the environment",))
    events: list[Event] = [
        make.one_test("py3.9", "t::a", CaseOutcome.FAILED, message="ValueError: once"),
        make.one_test("py3.9", "t::a", attempt=2),
        Message(level="warning", text="exclude[0] matches no cell"),
    ]
    shown = plain(make.report(cell, extra=events))
    assert "~ Flaky\n  t::a in py3.9: passed after ValueError: once\n" in shown
    assert "note: the tests changed the environment (py3.9)\nwarning: exclude[0] matches no cell\n" in shown


def test_many_different_notes_are_cut() -> None:
    """Those of cells that each reached another port would push the failures off the screen."""
    cells = [make.result(f"py3.{number}", Outcome.PASSED, notes=(f"port {number}",)) for number in range(20)]
    lines = plain(make.report(*cells)).splitlines()
    notes = [line for line in lines if line.startswith("note: ")]
    assert notes[:-1] == [f"note: port {number} (py3.{number})" for number in range(table.MAX_NOTES)]
    assert notes[-1] == "note: 8 more; to see them: venvgrid report --format markdown"


def test_a_killed_run_says_so() -> None:
    """Above the sum."""
    shown = plain(build_report([make.started([make.cell("py3.9")])]))
    assert "c No result\n  no result: the run was killed while this cell was waiting (py3.9)\n" in shown
    assert "The run did not finish" in shown.splitlines()[-2]


def test_of_very_many_failures_the_first_are_shown() -> None:
    """And the others counted."""
    failures = tuple(make.failure(f"t::{n}", signature=str(n)) for n in range(50))
    shown = plain(make.report(make.result("py3.9", Outcome.FAILED, failures=failures), status=1))
    assert "… and 30 more failures: venvgrid report --format json" in shown
    assert shown.count("✗ ValueError") == 20


@pytest.mark.parametrize("encoding", ["utf-8", "ascii"])
@settings(deadline=None)
@given(values=st.lists(hostile.texts, min_size=6, max_size=6))
def test_no_text_of_others_commands_a_terminal_or_a_ci_service(encoding: str, values: list[str]) -> None:
    """Nothing but printable characters and our own ends of lines; no line is a command; the sum is the last line."""
    one, two, reason, message, note, version = values
    cells: list[CellResult] = [
        make.result(
            make.cell(name, {"python": python, "a": two}),
            outcome,
            reason=reason,
            notes=(note,),
            failures=(make.failure(one, kind=two, message=message, longrepr=message),) if outcome.is_red else (),
        )
        for name, python, outcome in (
            ("a", "3.9", Outcome.FAILED),
            ("b", version, Outcome.CRASHED),
            ("c", "3.9", Outcome.BUILD_FAILED),
            ("d", version, Outcome.IMPOSSIBLE),
        )
    ]
    shown = plain(make.report(*cells, extra=[Message(level="warning", text=message)], status=1), encoding=encoding)
    lines = shown.split("\n")
    assert encoding == "utf-8" or shown.isascii()
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f]", shown)
    assert not re.search(r"^\s*::|##\[|##vso\[", shown, re.MULTILINE)
    assert lines[-3] == "4 cells: 1 failed, 1 crashed, 1 build-failed, 1 impossible in 21.3 s"


def test_columns_are_aligned_whatever_their_labels() -> None:
    """Wide characters take two columns: signs stand below their labels all the same."""
    cells = [
        make.result(make.cell(f"{python}{mode}", {"python": python, "mode": mode}))
        for python in ("3.9", "pypy3.10")
        for mode in ("日本語", "x")
    ]
    lines = plain(make.report(*cells)).splitlines()[:3]
    ends = [[cell_len(line[: match.end()]) for match in re.finditer("✓", line)] for line in lines[1:]]
    assert ends[0] == ends[1]


def test_an_interrupted_run_is_resumed() -> None:
    """The next command goes on with what was cancelled, also if a cell was red."""
    report = make.report(make.result("py3.9", Outcome.FAILED), make.result("py3.10", Outcome.CANCELLED), status=130)
    assert plain(report).splitlines()[-1] == "Continue with: venvgrid run --resume"


def test_each_failure_is_repeated_in_one_cell() -> None:
    """Commands are few: one a failure, and none where keys do the same."""
    one, other = (make.failure(signature=name, message=name) for name in ("one", "other"))
    cells = [
        make.result("py3.9", Outcome.FAILED, failures=(one,)),
        make.result("py3.10", Outcome.FAILED, failures=(one,)),
        make.result("py3.11", Outcome.FAILED, failures=(other,)),
    ]
    report = make.report(*cells, status=1)
    shown = plain(report)
    assert "To repeat each failure in one cell\n  venvgrid run -k py3.9\n  venvgrid run -k py3.11\n\n" in shown
    keys = table.render(report, width=100, colour=False, encoding="utf-8", manner=Manner(has_keys=True))
    assert "venvgrid run" not in keys
    assert keys.splitlines() == shown[: shown.index("To repeat")].splitlines() + keys.splitlines()[-1:]


def test_a_cell_of_other_machines_is_repeated_from_its_capsule() -> None:
    """No run is here of which a command could run what was red; what was never tested has no capsule."""
    cells = [
        make.result("py3.9", Outcome.FAILED, failures=(make.failure(),)),
        make.result("py3.10", Outcome.BUILD_FAILED, failures=(make.failure(signature="b", message="b"),)),
    ]
    report = replace(make.report(*cells, status=1), folder="merged")
    shown = plain(report)
    assert "\n  venvgrid reproduce merged/capsules/py3.9.capsule\n" in shown
    assert "--failed" not in shown
    assert "venvgrid shell" not in shown
    for name in ("github", "markdown", "html"):
        assert "venvgrid reproduce py3.9.capsule" in registry.text(name, report)
    missing = replace(make.report(make.result("py3.9", Outcome.CANCELLED), status=3), folder="merged")
    assert "--failed" not in plain(missing)


def test_every_format_repeats_a_cell_in_its_grid() -> None:
    """Without its name, the command finds no such cell."""
    cell = make.result("docs-py3.9", Outcome.FAILED, failures=(make.failure(),))
    report = replace(make.report(cell, status=1), grid="docs")
    assert "venvgrid run docs -k docs-py3.9" in plain(report)
    for name in ("github", "markdown", "html"):
        assert "venvgrid run docs -k docs-py3.9" in registry.text(name, report)
