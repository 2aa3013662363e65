"""Merging records, and the gate: every way to lose a result is red, and told by name."""

from __future__ import annotations

import argparse
import json
import shutil
import zipfile
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from damage import (
    corrupt,
    cut,
    edit,
    edit_cell,
    empty,
    headed,
    only_header,
    other_shard_twice,
    outcome,
    too_deep,
    with_results_of_the_other,
    without,
    written,
    zipped,
)
from recorded import CELLS, COMMIT, PLATFORMS, cell_on, green, plan, plan_of_platforms, record

from venvgrid.cli import parser, parser_parts
from venvgrid.model import Attestation, Cell, Outcome, Plan, PlannedCell, Status, UsageError
from venvgrid.model.shard import Shard
from venvgrid.results import plan_file, records
from venvgrid.results.gate import Judgement, judge
from venvgrid.results.merge import merge, objection

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from venvgrid.results.plan_file import PlanFile


def judged(of: PlanFile, *places: Path) -> Judgement:
    """Ask the gate."""
    return judge(merge(of, records.find(places)))


@pytest.fixture
def whole(tmp_path: Path) -> Path:
    """Return a folder with the records of two shards of the plan, all green."""
    record(tmp_path / "all" / "one", plan(), Shard(1, 2), *map(green, CELLS[:2]))
    record(tmp_path / "all" / "two", plan(), Shard(2, 2), *map(green, CELLS[2:]))
    return tmp_path / "all"


def test_all_cells_green_is_green(whole: Path) -> None:
    """Nothing is missing: the one way to be green."""
    said = judged(plan(), whole)
    assert (said.is_green, said.reported, said.planned, said.problems) == (True, 4, 4, ())


def test_without_any_record_it_is_red_and_counts(tmp_path: Path) -> None:
    """No artifact at all: 0 of 4."""
    said = judged(plan(), tmp_path)
    assert (said.is_green, said.reported, said.planned, len(said.problems)) == (False, 0, 4, 4)


LOSSES: dict[str, Callable[[Path], Any]] = {
    "the other shard ran twice": other_shard_twice,
    "two artifacts in one folder": with_results_of_the_other,
    "an archive in too many archives": too_deep,
    "results with a byte order mark": written("results.json", lambda data: b"\xef\xbb\xbf" + data),
    "a journal with other line ends": written("events.jsonl", lambda data: data.replace(b"\n", b"\r\n")),
    "a header that is no JSON": written("record.json", lambda _: b"<html>sign in</html>"),
    "a header that is a list": written("record.json", lambda _: b"[]"),
    "a header that is too deep": written("record.json", lambda _: b"[" * 200_000),
    "an attempt that never ends": headed(attempt=float("inf")),
    "an attempt before the first": headed(attempt=0),
    "an attempt that is half": headed(attempt=1.5),
    "cells that are a text": headed(cells="py3.9"),
    "cells that are numbers": headed(cells=[3.9, 3.10]),
    "digests that are a text": headed(files="abc"),
    "another Python": edit_cell(attested={"python": "cpython 3.10.1 bin/python", "packages": {}}),
    "a Python whose version begins alike": edit_cell(attested={"python": "cpython 3.91.0 bin/python", "packages": {}}),
    "another implementation": edit_cell(attested={"python": "pypy 3.9.1 bin/python", "packages": {}}),
    "an attestation without a version": edit_cell(attested={"python": "cpython", "packages": {}}),
    "the shard was skipped, cancelled or never created": shutil.rmtree,
    "the shard died before its record": without("record.json"),
    "no results": without("results.json"),
    "no journal": without("events.jsonl"),
    "no plan in the record": without("plan.json"),
    **{f"{name} is cut": cut(name) for name in ("record.json", "results.json", "events.jsonl", "plan.json")},
    **{f"a bit of {name}": corrupt(name) for name in ("record.json", "results.json", "events.jsonl", "plan.json")},
    **{f"{name} is empty": empty(name) for name in ("record.json", "results.json", "events.jsonl", "plan.json")},
    "an archive that is cut": zipped(0.9),
    "an empty archive": zipped(0.0),
    "an archive of a header": only_header,
    "of another plan": headed(plan="f" * 32),
    "of another commit": headed(commit="d00d" * 10),
    "of no commit": headed(commit=""),
    "of another format": headed(format="venvgrid-record-9"),
    "without a format": headed(format=None),
    "without a plan": headed(plan=None),
    "without a commit": headed(commit=None),
    "without a shard": headed(shard=None),
    "a shard that cannot be": headed(shard="3/2"),
    "without an attempt": headed(attempt=None),
    "an attempt that is no number": headed(attempt="one"),
    "without a time": headed(began=None),
    "without cells": headed(cells=None),
    "cells that are not its own": headed(cells=["py3.11"]),
    "no cells of its own": headed(cells=[]),
    "without digests": headed(files=None),
    "results of another configuration": lambda folder: edit(folder, lambda data: data.update(config_digest="d2")),
    "results without cells": lambda folder: edit(folder, lambda data: data.pop("cells")),
    "results edited by hand": lambda folder: edit(
        folder, lambda data: data.update(exit_status=0, run="x"), sealed=False
    ),
    "fewer results than cells": lambda folder: edit(folder, lambda data: data["cells"].pop()),
    "a cell twice": lambda folder: edit(folder, lambda data: data["cells"].append(data["cells"][0])),
    "a cell that nobody planned": edit_cell(id="py3.99"),
    "a result without an id": edit_cell(id=None),
    "a result without an outcome": edit_cell(outcome=None),
    **{f"an outcome {value}": outcome(value) for value in Outcome if not value.is_green},
    "an outcome that there is not": outcome("fine"),
    "green without an attestation": edit_cell(attested={}),
    "green without a word of attestation": edit_cell(attested=None),
    "an attested version that was not installed": edit_cell(packages={"numpy": "2.0.0"}),
    "green of other values": edit_cell(axes={"python": "3.13"}),
    "green with failed tests": edit_cell(tests={"passed": 3, "failed": 1}),
    "green, and all tests skipped": edit_cell(tests={"passed": 0, "skipped": 4}),
    "packages that are no table": edit_cell(packages=["numpy"], attested={"python": "x", "packages": {"numpy": "1"}}),
    "an attestation that is no table": edit_cell(attested="cpython 3.9"),
    "tests that are no table": edit_cell(tests=3),
    "green with errors": edit_cell(tests={"passed": 3, "error": 1}),
}


@pytest.mark.parametrize("way", LOSSES)
def test_a_lost_result_is_red_by_name(whole: Path, way: str) -> None:
    """The gate is red, and names a cell or the record."""
    LOSSES[way](whole / "one")
    said = judged(plan(), whole)
    assert not said.is_green
    assert any(name in line for line in said.problems for name in ("py3.9", "py3.10", "one", "py3.99"))


@pytest.fixture
def platforms(tmp_path: Path) -> Path:
    """Return a folder with the records of a plan of two platforms, all green."""
    for platform in PLATFORMS:
        cells = [cell_on(platform, python) for python in ("3.11", "3.12")]
        record(tmp_path / "all" / platform, plan_of_platforms(), Shard(1, 1), *map(green, cells), platform=platform)
    return tmp_path / "all"


def test_the_gate_wants_the_cells_of_every_platform(platforms: Path) -> None:
    """Those that were elsewhere for the machine that planned, too; and nothing else."""
    said = judged(plan_of_platforms(), platforms)
    assert (said.is_green, said.reported, said.planned, said.problems) == (True, 4, 4, ())


LOSSES_OF_PLATFORMS: dict[str, Callable[[Path], Any]] = {
    "the jobs of a platform never ran": shutil.rmtree,
    "a machine of another platform ran the shard": headed(platform="linux"),
    "a machine that the axis does not know": headed(platform="freebsd-14"),
    "without a platform": headed(platform=None),
    "a platform that is no text": headed(platform=7),
    "a platform in other letters": headed(platform="macOS"),
    "an empty platform": headed(platform=""),
    "cells of another platform": headed(cells=["py3.12-linux"]),
    "the cells of both platforms": headed(cells=["py3.12-linux", "py3.12-macos"]),
    "a result that says it was elsewhere": outcome("elsewhere"),
    "a result of another platform's values": edit_cell(axes={"python": "3.11", "platform": "linux"}),
    "a result without its platform": edit_cell(axes={"python": "3.11"}),
    "the result of the other platform's cell": edit_cell(id="py3.11-linux"),
    "fewer results than cells": lambda folder: edit(folder, lambda data: data["cells"].pop()),
}


@pytest.mark.parametrize("way", LOSSES_OF_PLATFORMS)
def test_a_result_of_another_platform_that_is_lost_is_red_by_name(platforms: Path, way: str) -> None:
    """Whatever happened to the jobs of macOS: red, and a cell of it or its record is named."""
    LOSSES_OF_PLATFORMS[way](platforms / "macos")
    said = judged(plan_of_platforms(), platforms)
    assert not said.is_green
    assert any("macos" in line for line in said.problems)


def test_there_are_enough_ways() -> None:
    """Each of them is another one."""
    assert len(LOSSES) + len(LOSSES_OF_PLATFORMS) >= 95


PINNED = Cell(id="c", axes={"python": "3.12", "six": "1.15", "Num_Py": "absent", "env.X": "1"})


@pytest.mark.parametrize(
    ("packages", "attested", "told"),
    [
        ({"six": "1.15.0"}, {"six": "1.15.0", "num-py": ""}, ""),
        ({"six": "1.15"}, {}, "it attests six absent, but the cell says six 1.15"),
        ({"six": "1.15"}, {"six": ""}, "it attests six absent, but the cell says six 1.15"),
        ({}, {"six": "1.15"}, ""),
        ({"six": "1.15.0"}, {"SIX": "1.15.0", "Num_Py": ""}, ""),
        ({"six": "1.15.1"}, {"SIX": "1.15.0"}, "it attests six 1.15.0, but 1.15.1 was installed"),
        ({"six": "1.15.0"}, {"SIX": "1.16.0"}, "it attests six 1.16.0, but 1.15.0 was installed"),
        ({}, {"six": "1.15", "Num_Py": "2.0"}, "it attests num-py 2.0, but the cell says num-py absent"),
        ({"six": "1.16.0"}, {"six": "1.16.0"}, "it attests six 1.16.0, but the cell says six 1.15"),
        ({}, {"six": "1.150"}, "it attests six 1.150, but the cell says six 1.15"),
        ({}, {}, "it attests six absent, but the cell says six 1.15"),
        ({}, {"six": ""}, "it attests six absent, but the cell says six 1.15"),
        ({}, {"six": "one"}, "it attests six one, but the cell says six 1.15"),
        ({"num-py": "2.0"}, {"six": "1.15.0"}, "it attests num-py 2.0, but the cell says num-py absent"),
    ],
)
def test_what_was_tested_is_what_the_cell_says(packages: dict[str, str], attested: dict[str, str], told: str) -> None:
    """Versions that agree with each other prove nothing if they are not those of the cell."""
    seen = {"python": "cpython 3.12.1 bin/python", "packages": attested}
    result = {"outcome": "passed", "axes": PINNED.axes, "attested": seen, "packages": packages, "tests": {"passed": 1}}
    assert objection(PINNED, result) == told


@pytest.mark.parametrize(
    ("value", "seen", "is_right"),
    [
        ("3.14", "cpython 3.14.0rc2 x", True),
        ("3.14", "cpython 3.14.0+ x", True),
        ("3.13t", "CPython 3.13.1 x", True),
        ("3.13.1", "cpython 3.13.1", True),
        ("3.13.1", "cpython 3.13.11 x", False),
        ("pypy3.10", "PyPy 3.10.14 x", True),
        ("3.10", "pypy 3.10.14 x", False),
        ("/opt/python", "cpython 3.9.1 x", True),
    ],
)
def test_the_python_that_was_tested_is_that_of_the_cell(
    value: str,
    seen: str,
    is_right: bool,  # noqa: FBT001
) -> None:
    """By implementation and version, as far as the axis names them."""
    cell = Cell(id="c", axes={"python": value})
    result = {"outcome": "passed", "axes": cell.axes, "attested": {"python": seen}, "packages": {}, "tests": {}}
    assert (objection(cell, result) == "") is is_right


def test_records_are_found_wherever_they_are(whole: Path, tmp_path: Path) -> None:
    """In folders of folders, beside the files of another record, with other line ends in the header: none is lost."""
    deep = tmp_path / "given" / "a" / "b"
    deep.parent.mkdir(parents=True)
    (whole / "one").rename(deep)
    records.pack(whole / "two", deep / "two.record")
    header = (deep / "record.json").read_bytes().replace(b"\n", b"\r\n")
    (deep / "record.json").write_bytes(b"\xef\xbb\xbf" + header)
    assert judged(plan(), tmp_path / "given").is_green


def test_a_plan_that_was_edited_is_refused(tmp_path: Path) -> None:
    """Whoever deletes a red cell from the plan gets no green gate."""
    file = tmp_path / "plan.json"
    text = plan().render({"strategy": {"name": "full"}})
    file.write_text(text, encoding="utf-8")
    assert plan_file.read(file).digest == plan().digest
    data = json.loads(text)
    data["cells"].pop()
    file.write_text(json.dumps(data), encoding="utf-8")
    with pytest.raises(UsageError, match="was changed after it was written"):
        plan_file.read(file)


@pytest.mark.parametrize("content", [b"PK\x03\x04\xba", b"[axes]", b""])
def test_a_file_of_another_kind_is_no_plan(tmp_path: Path, content: bytes) -> None:
    """A record or a configuration where the plan belongs: the message says what is missing and what to type."""
    (tmp_path / "a.record").write_bytes(content)
    with pytest.raises(UsageError, match=r"a\.record is no plan; write one with: venvgrid plan -o plan\.json"):
        plan_file.read(tmp_path / "a.record")


def test_a_plan_without_cells_is_red(tmp_path: Path) -> None:
    """Nothing to report is no success."""
    nothing = replace(plan(), plan=Plan(cells=()))
    assert not judged(nothing, tmp_path).is_green


@pytest.mark.parametrize(
    ("status", "named", "is_green"),
    [(Status.IMPOSSIBLE, False, True), (Status.IMPOSSIBLE, True, False), (Status.FAILED, False, False)],
)
def test_a_cell_that_no_shard_runs_is_red_if_it_was_asked_for_or_is_unknown(
    tmp_path: Path,
    status: Status,
    named: bool,  # noqa: FBT001
    is_green: bool,  # noqa: FBT001
) -> None:
    """An impossible cell is no failure, unless an include names it; a network failure is not impossible."""
    made = plan()
    odd = PlannedCell(cell=Cell(id="odd", axes={"python": "3.5"}, named=named), status=status, reason="why")
    made = replace(made, plan=replace(made.plan, cells=(*made.plan.cells, odd)))
    record(tmp_path / "all", made, Shard(1, 1), *map(green, CELLS))
    said = judged(made, tmp_path / "all")
    assert said.is_green is is_green
    assert bool([line for line in said.problems if line.startswith("odd: ") and line.endswith(": why")]) is not is_green


def test_a_plan_of_another_commit_is_red(whole: Path) -> None:
    """All artifacts of an earlier run fit each other: only the commit that is tested tells them from those of this."""
    merged = merge(plan(), records.find([whole]))
    for same in ("", COMMIT, COMMIT[:7]):
        assert judge(merged, same).is_green
    said = judge(merged, "f" * 40)
    told = f"the plan is of {COMMIT[:12]}, not of {'f' * 12}: take the plan of this run, not of an earlier one"
    assert (said.is_green, said.problems) == (False, (told,))
    without = merge(plan(commit=""), [])
    assert judge(without, COMMIT).problems[0].startswith("the plan is of no commit, not of ")


def test_the_commit_is_an_option() -> None:
    """Without it any commit will do; with it, the hash is that of git."""
    parse = parser.build().parse_args
    assert parse(["gate", "plan.json"]).commit is None
    assert parse(["gate", "plan.json", "--commit", "C0FFEE1"]).commit == "c0ffee1"


def test_what_is_no_record_is_told_with_what_to_give(whole: Path, tmp_path: Path) -> None:
    """A plan or a report in place of a record; an archive that was cut is still one."""
    for name, told in {
        "plan.json": "it is no record; give the",
        "a.zip": "it is no whole",
        "b.record": "it is no whole",
    }.items():
        (tmp_path / name).write_text("{}", encoding="utf-8")
        said = judged(plan(), whole, tmp_path / name)
        assert [line.partition(": ")[2][: len(told)] for line in said.problems] == [told]


@pytest.mark.parametrize("wrong", ["", "HEAD", "c0ffee", "main"])
def test_what_is_no_commit_is_refused(wrong: str) -> None:
    """A variable that is not set must not make the gate green."""
    with pytest.raises(argparse.ArgumentTypeError, match="is no hash of a commit"):
        parser_parts.commit(wrong)


def test_the_newest_attempt_of_each_cell_wins(tmp_path: Path) -> None:
    """A job that ran again reports its cells again; the order of the files and their names do not matter."""
    record(tmp_path / "b", plan(), Shard(1, 2), green(CELLS[0], Outcome.FAILED), green(CELLS[1]))
    record(tmp_path / "a", plan(), Shard(1, 2), *map(green, CELLS[:2]), attempt=2, began="2025")
    record(tmp_path / "c", plan(), Shard(2, 2), *map(green, CELLS[2:]))
    assert judged(plan(), tmp_path).is_green
    assert judged(plan(), tmp_path / "c", tmp_path / "b", tmp_path / "a").is_green


def test_an_attempt_that_was_killed_leaves_the_result_of_the_one_before(tmp_path: Path) -> None:
    """A cell without an outcome in the second attempt has that of the first, green or red, and a note says so."""
    first = [green(CELLS[0], Outcome.FAILED, reason="why"), *map(green, CELLS[1:])]
    record(tmp_path / "a", plan(), Shard(1, 1), *first)
    again = [green(cell, Outcome.CANCELLED) for cell in CELLS[:2]]
    record(tmp_path / "b", plan(), Shard(1, 2), *again, attempt=2)
    said = judged(plan(), tmp_path)
    assert (said.reported, said.problems) == (4, ("py3.9: failed: why",))
    told = "attempt 2 ended without a result of it; that of attempt 1 counts"
    assert said.notes == (f"py3.9: {told}", f"py3.10: {told}")
    record(tmp_path / "c", plan(), Shard(1, 2), *map(green, CELLS[:2]), attempt=3)
    assert judged(plan(), tmp_path) == Judgement(planned=4, reported=4)


def test_a_cell_that_no_attempt_finished_is_red(tmp_path: Path) -> None:
    """Two attempts without an outcome are none."""
    for attempt in (1, 2):
        cells = [green(CELLS[0], Outcome.CANCELLED), *map(green, CELLS[1:])]
        record(tmp_path / str(attempt), plan(), Shard(1, 1), *cells, attempt=attempt)
    said = judged(plan(), tmp_path)
    assert (said.problems, said.notes) == (("py3.9: no result was reported",), ())


def test_a_plan_of_changed_files_is_noted(tmp_path: Path) -> None:
    """They may be meant, as by a step before the plan; but the commit alone does not have them."""
    of = plan(is_dirty=True)
    record(tmp_path / "a", of, Shard(1, 1), *map(green, CELLS))
    said = judged(of, tmp_path)
    assert (said.is_green, said.notes) == (True, (f"the plan is of files that differ from commit {COMMIT[:12]}",))


def test_two_verdicts_of_one_attempt_are_flaky_and_told(tmp_path: Path) -> None:
    """One cell ran on two machines, and they disagree."""
    record(tmp_path / "a", plan(), Shard(1, 1), *map(green, CELLS))
    record(tmp_path / "b", plan(), Shard(1, 1), green(CELLS[0], Outcome.FAILED), *map(green, CELLS[1:]), began="2027")
    found = merge(plan(), records.find([tmp_path]))
    assert found.chosen["py3.9"].outcome == "flaky"
    assert judge(found).notes == ("py3.9: flaky: two results in one attempt: failed and passed",)


def test_a_record_twice_is_one_record(whole: Path, tmp_path: Path) -> None:
    """The same file in two folders, once in an archive of an archive, changes nothing."""
    records.pack(whole / "one", tmp_path / "one.record")
    with zipfile.ZipFile(tmp_path / "artifacts.zip", "w") as archive:
        archive.write(tmp_path / "one.record", "deep/one.record")
    once = merge(plan(), records.find([whole]))
    twice = merge(plan(), records.find([tmp_path / "artifacts.zip", whole, tmp_path / "one.record"]))
    assert len(twice.records) == 2
    assert twice.chosen == once.chosen


def test_a_cell_that_may_fail_is_noted(tmp_path: Path) -> None:
    """`allow-failure` is by cell: it is told and decides nothing."""
    cells = [CELLS[0], replace(CELLS[1], allow_failure=True)]
    of = plan(*cells)
    record(tmp_path / "a", of, Shard(1, 1), green(cells[0]), green(cells[1], Outcome.FAILED, reason="2 of 3"))
    said = judged(of, tmp_path)
    assert said.is_green
    assert said.notes == ("py3.10: failed: 2 of 3; it may fail",)


@pytest.mark.parametrize("changes", [None, {"outcome": Outcome.CANCELLED}, {"attested": Attestation()}], ids=str)
def test_a_cell_that_may_fail_must_have_run(tmp_path: Path, changes: dict[str, Any] | None) -> None:
    """It may be red, not absent or without its proof: nobody would notice that its job never starts."""
    cells = [CELLS[0], replace(CELLS[1], allow_failure=True)]
    of = plan(*cells)
    results = [green(cells[0]), *([replace(green(cells[1]), **changes)] if changes else [])]
    record(tmp_path / "a", of, Shard(1, 1), *results)
    said = judged(of, tmp_path)
    assert [line.partition(":")[0] for line in said.problems] == ["py3.10"]
