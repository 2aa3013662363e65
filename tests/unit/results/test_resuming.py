"""Runs that did not finish: which of their results count in the run that resumes them."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import factories
import pytest

from venvgrid import testing
from venvgrid.analysis import history
from venvgrid.config import loading
from venvgrid.model import CaseOutcome, CellFinished, CellResult, LockEntry, Outcome, TestFinished
from venvgrid.model.result import Footprint
from venvgrid.planning import expansion
from venvgrid.results import journal, report, result_cache, run_folders
from venvgrid.results.result_cache import ResultCache
from venvgrid.results.resuming import resumption

if TYPE_CHECKING:
    from collections.abc import Iterable

    from venvgrid.model import Event
    from venvgrid.results.resuming.resumption import Resumption
    from venvgrid.results.run_folders import RunFolder

CONFIG = loading.parse('[axes]\npython = ["3.12"]\nenv.A = ["1", "2"]\n', file=Path("/project/matrix.toml"))
ONE, TWO = (item.cell for item in expansion.expand(CONFIG).cells)
ENTRY = LockEntry(key="0" * 16, interpreter=testing.interpreter("3.12.1"), distributions=())
DAY = datetime(2026, 11, 21, 10, tzinfo=UTC)


def cache(root: Path, **changes: Any) -> ResultCache:
    known: dict[str, Any] = {"config": CONFIG, "arguments": (), "environ": {}, "inputs": lambda: "aa"}
    return ResultCache(folder=root / result_cache.FOLDER, **{**known, **changes})


def folder(root: Path, hour: int, **options: Any) -> RunFolder:
    (root / "runs").mkdir(parents=True, exist_ok=True)
    return run_folders.create(root, now=DAY + timedelta(hours=hour), **options)


def run(
    root: Path, hour: int, events: Iterable[Event], *, status: int | None = None, resume: bool = False, **options: Any
) -> tuple[RunFolder, Resumption]:
    """Write the journal of a run as `app.run` does; a run without a status was killed."""
    made = folder(root, hour, **options)
    known = cache(root)
    resumed = resumption.prepare(root, made, known, grid="", is_wanted=resume)
    for cell in (ONE, TWO):
        known.find(cell, ENTRY)
    with journal.Journal(made.events) as write:
        write(factories.started((ONE, TWO), run=made.id))
        for event in events:
            for item in (*resumed.before(event), resumed.signed(event)):
                write(item)
        if status is not None:
            write(factories.ended(status))
    return made, resumed


def result(cell: Any = ONE, outcome: Outcome = Outcome.FAILED, **options: Any) -> CellResult:
    return factories.result(cell, outcome, **options)


def resumed(root: Path, **changes: Any) -> tuple[CellResult | None, Resumption]:
    """Return what a new run takes over for the first cell."""
    found = resumption.prepare(root, folder(root, 20), cache(root, **changes), grid="", is_wanted=True)
    return found.find(ONE, ENTRY, ""), found


@pytest.mark.parametrize("outcome", [Outcome.PASSED, Outcome.FAILED, Outcome.FLAKY, Outcome.CRASHED, Outcome.MISMATCH])
@pytest.mark.parametrize("status", [None, 130])
def test_a_finished_cell_of_a_run_that_did_not_finish_counts(
    tmp_path: Path, outcome: Outcome, status: int | None
) -> None:
    """Killed or interrupted, green or red: the result is that of the earlier run, which its note names."""
    earlier, _ = run(tmp_path, 1, [factories.finished(result(outcome=outcome))], status=status)
    found, _ = resumed(tmp_path)
    assert found is not None
    assert (found.outcome, found.resumed, found.cached) == (outcome, earlier.id, False)
    assert found.notes == (f"resumed from run {earlier.id}",)
    assert found.since == (DAY + timedelta(hours=1)).isoformat()


@pytest.mark.parametrize("outcome", [Outcome.CANCELLED, Outcome.BUILD_FAILED, Outcome.MISSING_INTERPRETER])
def test_what_says_nothing_of_the_tests_is_done_again(tmp_path: Path, outcome: Outcome) -> None:
    """A cell that was stopped, could not be built or had no interpreter has nothing to take over."""
    run(tmp_path, 1, [factories.finished(result(outcome=outcome))], status=130)
    assert resumed(tmp_path)[0] is None


def test_nothing_is_taken_over_unless_asked(tmp_path: Path) -> None:
    """Without --resume, a cell that was red runs again."""
    run(tmp_path, 1, [factories.finished(result())])
    made = resumption.prepare(tmp_path, folder(tmp_path, 2), cache(tmp_path), grid="", is_wanted=False)
    assert made.find(ONE, ENTRY, "") is None


@pytest.mark.parametrize(
    "changes",
    [{"arguments": ("-x",)}, {"inputs": lambda: "bb"}, {"environ": {"VENVGRID_X": "1", "LC_ALL": "de"}}],
    ids=["arguments", "inputs", "variables"],
)
def test_a_result_of_other_inputs_does_not_count(tmp_path: Path, changes: dict[str, Any]) -> None:
    """The fingerprint is that of the result cache: whatever it covers makes the cell run again, and is told."""
    earlier, _ = run(tmp_path, 1, [factories.finished(result())])
    found, made = resumed(tmp_path, **changes)
    assert found is None
    assert made.why[ONE.id] == f"what it depends on has changed since run {earlier.id}"


def test_a_result_of_another_lock_entry_or_wheel_does_not_count(tmp_path: Path) -> None:
    """Other distributions, another wheel of the project: the cell runs again."""
    run(tmp_path, 1, [factories.finished(result())])
    made = resumption.prepare(tmp_path, folder(tmp_path, 2), cache(tmp_path), grid="", is_wanted=True)
    assert made.find(ONE, replace(ENTRY, key="1" * 16), "") is None
    assert made.find(ONE, ENTRY, "wheel") is None


def test_what_the_result_cache_would_not_keep_does_not_count(tmp_path: Path) -> None:
    """A cell that read what another one made, a file that two cells made, a file that has changed since."""
    doubtful = result(footprint=Footprint(doubt="x was made in this run"))
    run(tmp_path / "1", 1, [factories.finished(doubtful)])
    assert resumed(tmp_path / "1")[0] is None
    both = [factories.finished(result(cell, footprint=Footprint(made=("x",)))) for cell in (ONE, TWO)]
    run(tmp_path / "2", 1, both)
    found, made = resumed(tmp_path / "2")
    assert (found, "several cells ran while x appeared" in made.why[ONE.id]) == (None, True)
    run(tmp_path / "3", 1, [factories.finished(result(footprint=Footprint(read={"/etc/x": "old"})))])
    assert resumed(tmp_path / "3", content_of=lambda _path: "new")[0] is None
    assert resumed(tmp_path / "3", content_of=lambda _path: "old")[0] is not None


def test_a_whole_run_that_finished_ends_what_can_be_resumed(tmp_path: Path) -> None:
    """Older runs do not count any more; a run of a part, or of another grid, changes nothing."""
    run(tmp_path, 1, [factories.finished(result())])
    run(tmp_path, 2, [], status=0, is_part=True)
    run(tmp_path, 3, [], status=0, grid="other")
    assert resumed(tmp_path)[0] is not None
    run(tmp_path, 4, [], status=1)
    assert resumed(tmp_path)[0] is None


def test_a_run_that_resumed_another_and_was_killed_can_be_resumed(tmp_path: Path) -> None:
    """What the first had and the second had not yet looked at counts too; the note names where the cell really ran."""
    first, _ = run(tmp_path, 1, [factories.finished(result()), factories.finished(result(TWO, Outcome.PASSED))])
    known = resumption.prepare(tmp_path, folder(tmp_path, 2), cache(tmp_path), grid="", is_wanted=True)
    taken = known.find(ONE, ENTRY, "")
    assert taken is not None
    run(tmp_path, 3, [factories.finished(taken)], resume=True)
    found, last = resumed(tmp_path)
    assert found is not None
    assert (found.resumed, found.notes) == (first.id, (f"resumed from run {first.id}",))
    assert last.find(TWO, ENTRY, "") is not None


def test_a_torn_record_is_passed_over(tmp_path: Path) -> None:
    """The kill came while the last result was written, or a disk lost a part of a line: that cell runs again."""
    earlier, _ = run(tmp_path, 1, [factories.finished(result()), factories.finished(result(TWO))])
    lines = earlier.events.read_bytes().splitlines(keepends=True)
    earlier.events.write_bytes(b"".join(lines[:-1]) + lines[-1][: len(lines[-1]) // 2])
    found, made = resumed(tmp_path)
    assert found is not None
    assert made.find(TWO, ENTRY, "") is None


def test_tests_and_log_come_with_a_result(tmp_path: Path) -> None:
    """The new run's journal holds the tests of a cell before its result, and its folder the log: it stands alone."""
    test = factories.one_test(ONE.id, "tests/test_a.py::test_one", CaseOutcome.FAILED, message="bad")
    earlier, _ = run(tmp_path, 1, [test, factories.one_test(TWO.id, "other"), factories.finished(result())])
    (earlier.logs / f"{ONE.id}.log").write_text("printed", encoding="utf-8")
    found, made = resumed(tmp_path)
    assert found is not None
    assert made.folder.read_log(found) == "printed"
    event = CellFinished(result=found, at=7.0)
    known = list(made.before(event))
    assert [(item.cell, item.test, item.at) for item in known if isinstance(item, TestFinished)] == [
        (ONE.id, "tests/test_a.py::test_one", 7.0)
    ]
    told = report.build_report([factories.started([ONE]), *known, made.signed(event), factories.ended(1)])
    assert told.tests[ONE.id]["tests/test_a.py::test_one"].message == "bad"


def test_a_resumed_result_is_not_compared_with_itself(tmp_path: Path) -> None:
    """A cell that was green before the run that was killed has broken since: its resumed result still says so."""
    green, _ = run(tmp_path, 1, [factories.finished(result(outcome=Outcome.PASSED))], status=0)
    run(tmp_path, 2, [factories.finished(result())])
    found, _ = resumed(tmp_path)
    assert found is not None
    finished = replace(factories.report(found), run="20261122-000000-0000")
    assert history.before(tmp_path, finished)[ONE.id].run == green.id


def test_a_green_resumed_result_is_kept_as_of_the_run_that_it_is_of(tmp_path: Path) -> None:
    """Later runs find it unchanged since then, without a word of the run that resumed it."""
    run(tmp_path, 1, [factories.finished(result(outcome=Outcome.PASSED))])
    found, made = resumed(tmp_path)
    assert found is not None
    made.cache.complete(factories.report(found))
    later = cache(tmp_path).find(ONE, ENTRY)
    assert later is not None
    assert (later.since, later.notes, later.resumed) == ((DAY + timedelta(hours=1)).isoformat(), (), "")
