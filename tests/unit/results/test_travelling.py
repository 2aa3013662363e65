"""The plan file and the records: their schemas, and what merging writes."""

from __future__ import annotations

import json
import os
import shutil
import zipfile
from dataclasses import replace
from importlib import resources
from typing import TYPE_CHECKING, Any

import factories
import jsonschema  # type: ignore[import-untyped] # it has no types
import pytest
from recorded import CELLS, PLATFORMS, cell_on, green, plan, plan_of_platforms, record

from venvgrid.app.shards import merged as merging
from venvgrid.model import Outcome, PlannedCell, Status, UsageError, serialization
from venvgrid.model.shard import Shard
from venvgrid.results import journal, plan_file, records
from venvgrid.results.merge import merge
from venvgrid.results.report import build_report
from venvgrid.storage import digests

if TYPE_CHECKING:
    from pathlib import Path

    from venvgrid.results.merge import Merged
    from venvgrid.results.report import Report

SHOWN = {"strategy": {"name": "full"}}


def validator(name: str) -> jsonschema.Draft202012Validator:
    """Return what checks data by a schema of the package."""
    schema = json.loads(resources.files("venvgrid").joinpath("model/schemas", f"{name}.schema.json").read_text("utf-8"))
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


def test_the_plan_file_fits_its_schema() -> None:
    """A plan that travels has all keys; later versions may add some; one that lost a key is no plan that travels."""
    check, data = validator("plan"), json.loads(plan().render(SHOWN))
    check.validate(data)
    check.validate({**data, "more": 1, "cells": [{**cell, "more": 1} for cell in data["cells"]]})
    described = check.schema["properties"]
    assert data.keys() <= described.keys()
    assert data["cells"][0].keys() <= described["cells"]["items"]["properties"].keys()
    for name in data.keys() - {"digest"}:
        assert not check.is_valid({key: value for key, value in data.items() if key != name}), name
    assert not check.is_valid({**data, "cells": [{**data["cells"][0], "seconds": "long"}]})


def test_a_record_fits_its_schema(tmp_path: Path) -> None:
    """record.json has every key that the schema requires, and no other."""
    check = validator("record")
    data = json.loads((record(tmp_path / "a", plan(), Shard(1, 2), green(CELLS[0])) / "record.json").read_text("utf-8"))
    check.validate(data)
    check.validate({**data, "more": 1})
    assert data.keys() == check.schema["properties"].keys()
    for name in data.keys() - {"platform"}:  # which records of an early version lack
        assert not check.is_valid({key: value for key, value in data.items() if key != name}), name
    assert not check.is_valid({**data, "attempt": 0})
    assert not check.is_valid({**data, "shard": "0/2"})


def test_a_plan_of_a_later_version_is_read_and_passed_on_as_it_is(tmp_path: Path) -> None:
    """Keys that this version does not know count for the digest, and are in the records of the plan."""
    data = json.loads(plan().render(SHOWN))
    data |= {"more": 1, "cells": [{**cell, "more": 1} for cell in data["cells"]]}
    later = {name: value for name, value in data.items() if name not in {"digest", "strategy"}}
    text = json.dumps({**data, "digest": digests.of_json(later)})
    read = plan_file.parse(text, "plan.json")
    assert read.digest == digests.of_json(later)
    folder = record(tmp_path / "a", read, Shard(1, 1), *map(green, CELLS))
    assert (folder / "plan.json").read_text("utf-8") == text
    assert len(merge(read, records.find([tmp_path])).chosen) == len(CELLS)
    with pytest.raises(UsageError, match="was changed after it was written"):
        plan_file.parse(json.dumps({**json.loads(text), "more": 2}), "plan.json")


def merged(target: Path, *places: Path) -> tuple[Merged, Report]:
    """Merge records into a folder."""
    found = merge(plan(), records.find(places))
    return found, merging.write(found, target)


def leave(folder: Path, shard: Shard, *results: Any, **options: Any) -> Path:
    """Leave a record with logs, packed."""
    record(folder, plan(), shard, *results, **options)
    (folder / "logs").mkdir()
    for result in results:
        (folder / result.log).write_text(f"{result.id} says {result.outcome}\n", encoding="utf-8")
    records.pack(folder, folder.with_suffix(".record"))
    return folder


@pytest.fixture
def shards(tmp_path: Path) -> list[Path]:
    """Return two records, of which one is red."""
    red = green(CELLS[0], Outcome.FAILED, reason="1 of 3", failures=(factories.failure(),))
    return [
        leave(tmp_path / "one", Shard(1, 2), red, green(CELLS[1])),
        leave(tmp_path / "two", Shard(2, 2), *map(green, CELLS[2:])),
    ]


def contents(folder: Path) -> dict[str, bytes]:
    """Return the bytes of all files below a folder."""
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_merged_folder_is_a_run_with_its_logs(shards: list[Path], tmp_path: Path) -> None:
    """Journal, results and logs are those of one run of the whole plan; results.json says what the journal says."""
    _, told = merged(tmp_path / "m", *shards)
    read = build_report(journal.read(tmp_path / "m" / "events.jsonl"))
    assert [(cell.id, cell.outcome) for cell in read.cells] == [(cell.id, cell.outcome) for cell in told.cells]
    data = json.loads((tmp_path / "m" / "results.json").read_text(encoding="utf-8"))
    validator("results").validate(data)
    assert [cell["outcome"] for cell in data["cells"]] == ["failed", "passed", "passed", "passed"]
    assert [group["cells"] for group in data["failure_groups"]] == [["py3.9"]]
    assert (data["exit_status"], read.exit_status, told.exit_status) == (1, 1, 1)
    for cell in (*data["cells"], *({"id": item.id, "log": item.log} for item in read.cells)):
        assert cell["id"] in (tmp_path / "m" / cell["log"]).read_text(encoding="utf-8")


def test_merging_twice_gives_the_same_bytes(shards: list[Path], tmp_path: Path) -> None:
    """Folders, files, archives of them, in any order; also into a folder that holds a merged report."""
    with zipfile.ZipFile(tmp_path / "all.zip", "w") as archive:
        for shard in shards:
            archive.write(shard.with_suffix(".record"), f"artifact/{shard.name}.record")
    merged(tmp_path / "m1", *shards)
    merged(tmp_path / "m2", *(shard.with_suffix(".record") for shard in reversed(shards)))
    merged(tmp_path / "m3", tmp_path / "all.zip")
    first = contents(tmp_path / "m1")
    assert len(first) == 2 + len(CELLS)
    assert contents(tmp_path / "m2") == first == contents(tmp_path / "m3")
    merged(tmp_path / "m3", *shards)
    assert contents(tmp_path / "m3") == first


def test_a_result_without_its_log_names_none(shards: list[Path], tmp_path: Path) -> None:
    """What is not there is not linked to, in the results and in the journal."""
    (shards[0] / "logs" / "py3.9.log").unlink()
    merged(tmp_path / "m", *shards)
    data = json.loads((tmp_path / "m" / "results.json").read_text(encoding="utf-8"))
    read = build_report(journal.read(tmp_path / "m" / "events.jsonl"))
    assert [cell["log"] for cell in data["cells"]][:2] == ["", "logs/py3.10.log"]
    assert [cell.log for cell in read.cells][:2] == ["", "logs/py3.10.log"]


def test_of_very_many_cells_only_red_logs_are_kept(
    shards: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """100,000 small files help nobody."""
    monkeypatch.setattr(merging, "MAX_LOGS", 3)
    merged(tmp_path / "m", *shards)
    assert [path.name for path in (tmp_path / "m" / "logs").iterdir()] == ["py3.9.log"]
    read = build_report(journal.read(tmp_path / "m" / "events.jsonl"))
    assert [cell.log for cell in read.cells] == ["logs/py3.9.log", "", "", ""]


def test_two_results_that_disagree_are_told_everywhere(shards: list[Path], tmp_path: Path) -> None:
    """The journal and results.json agree that the cell is flaky, and why."""
    third = leave(tmp_path / "three", Shard(1, 2), *map(green, CELLS[:2]), began="2027")
    merged(tmp_path / "m", *shards, third)
    cell = json.loads((tmp_path / "m" / "results.json").read_text(encoding="utf-8"))["cells"][0]
    of_journal = build_report(journal.read(tmp_path / "m" / "events.jsonl")).cells[0]
    told = "two results in one attempt: failed and passed"
    assert (cell["outcome"], cell["reason"], cell["notes"]) == ("flaky", told, [told])
    assert (of_journal.outcome, of_journal.reason, of_journal.notes) == (Outcome.FLAKY, told, (told,))


def test_a_cell_without_a_result_is_in_the_merged_report(shards: list[Path], tmp_path: Path) -> None:
    """The report has the whole plan; what is missing is not green."""
    found, told = merged(tmp_path / "m", shards[1])
    assert found.missing == ("py3.9", "py3.10")
    data = json.loads((tmp_path / "m" / "results.json").read_text(encoding="utf-8"))
    assert [cell["outcome"] for cell in data["cells"]] == ["cancelled", "cancelled", "passed", "passed"]
    assert told.exit_status == 3


def test_what_is_kept_is_what_is_parsed_again(shards: list[Path], tmp_path: Path) -> None:
    """Whoever collects the results while merging writes the same report and the same bytes."""
    third = leave(tmp_path / "three", Shard(1, 2), *map(green, CELLS[:2]), began="2027")
    _, parsed = merged(tmp_path / "m1", *shards, third)
    kept = merging.write(merging.collect(plan(), records.find([*shards, third])), tmp_path / "m2")
    assert kept == parsed
    assert contents(tmp_path / "m1") == contents(tmp_path / "m2")


@pytest.mark.parametrize("style", [{}, {"indent": 1}, {"separators": (",", ":")}])
@pytest.mark.parametrize("told", ["logs/py3.9.log", "logs/other.log", ""])
def test_an_axis_may_be_named_log(tmp_path: Path, style: dict[str, Any], told: str) -> None:
    """The log of a result is its own, however its text was written; what is no log of the cell is not linked to."""
    cell = replace(CELLS[0], axes={"python": "3.9", "log": "logs/py3.9.log", "quoted": '"log": "x"'})
    of = plan(cell)
    folder = record(tmp_path / "a", of, Shard(1, 1), green(cell))
    (folder / "logs").mkdir()
    (folder / "logs" / "py3.9.log").write_text("its log\n", encoding="utf-8")
    data = json.loads((folder / "results.json").read_text(encoding="utf-8"))
    data["cells"][0]["log"] = told
    (folder / "results.json").write_text(json.dumps(data, **style), encoding="utf-8")
    header = records.Header(
        plan=of.digest, commit=of.commit, shard=Shard(1, 1), attempt=1, began="2026-01-01", cells=(cell.id,)
    )
    records.seal(folder, of, header)
    done = merging.write(merging.collect(of, records.find([folder])), tmp_path / "m")
    (made,) = json.loads((tmp_path / "m" / "results.json").read_text(encoding="utf-8"))["cells"]
    wanted = told if told == "logs/py3.9.log" else ""
    assert (made["log"], made["axes"], done.cells[0].log) == (wanted, dict(cell.axes), wanted)


def test_a_record_that_changes_while_it_is_read_ends_the_merge(shards: list[Path], tmp_path: Path) -> None:
    """Its results were checked before; what is written now must be what was checked, else nothing is."""
    found = merge(plan(), records.find(shards))
    (shards[0] / "events.jsonl").write_bytes(b"")
    with pytest.raises(UsageError, match="was changed while it was being read"):
        merging.write(found, tmp_path / "m")
    assert not (tmp_path / "m" / "results.json").exists()


def test_equal_plans_are_unpacked_once(shards: list[Path], monkeypatch: pytest.MonkeyPatch) -> None:
    """Every record has the whole plan: of 100 records, one is unpacked. A damaged one is noticed all the same."""
    packed = [shard.with_suffix(".record") for shard in shards]
    unpacked: list[str] = []
    whole = zipfile.ZipFile.read

    def read(self: zipfile.ZipFile, name: str) -> bytes:
        unpacked.append(name)
        return whole(self, name)

    monkeypatch.setattr(zipfile.ZipFile, "read", read)
    assert all(isinstance(item, records.Record) for item in records.find(packed))
    assert unpacked.count("plan.json") == 1
    with zipfile.ZipFile(packed[1]) as archive:
        info = archive.getinfo("plan.json")
    content = bytearray(packed[1].read_bytes())
    content[info.header_offset + 60 + info.compress_size // 2] ^= 1
    packed[1].write_bytes(content)
    damaged = [item for item in records.find(packed) if isinstance(item, records.Unusable)]
    assert [(os.path.basename(item.place), item.why) for item in damaged] == [  # noqa: PTH119
        ("two.record", "plan.json is missing or damaged")
    ]


def test_a_flipped_byte_anywhere_in_an_archive_is_damage_by_name(shards: list[Path]) -> None:
    """No byte ends the search for records: the others are found, and this one is refused or as it was."""
    packed, good = [shard.with_suffix(".record") for shard in shards], list(records.find(shards))
    content = packed[0].read_bytes()
    refused = 0
    for place in range(0, len(content), 7):
        flipped = bytearray(content)
        flipped[place] ^= 0xFF
        packed[0].write_bytes(flipped)
        one, other = records.find(packed)
        assert other == good[1]
        refused += isinstance(one, records.Unusable)
        assert isinstance(one, records.Unusable) or one == good[0]
    assert refused > len(content) // 7 // 3


def test_the_directory_of_an_archive_is_read_once(shards: list[Path], tmp_path: Path) -> None:
    """It may name thousands of logs. Where plan, results and journal are, is known since the record was found."""
    expected = merged(tmp_path / "a", *shards)[1]
    packed = [shard.with_suffix(".record") for shard in shards]
    for shard in shards:
        shutil.rmtree(shard / "logs")
        records.pack(shard, shard.with_suffix(".record"))
    found = list(records.find(packed))
    for file in packed:  # without its directory, an archive is none
        file.write_bytes(file.read_bytes()[:-22])
    whole = merging.collect(plan(), found)
    assert not whole.refused
    assert [cell.outcome for cell in expected.cells] == [item.outcome for item in whole.chosen.values()]
    assert [item.plan().digest for item in found if isinstance(item, records.Record)] == [plan().digest] * 2


def test_a_merged_report_names_logs_in_its_folder(shards: list[Path], tmp_path: Path) -> None:
    """Not in a run's folder that no machine has."""
    from venvgrid.reporters import registry  # noqa: PLC0415

    _, told = merged(tmp_path / "m", *shards)
    for name in ("table", "markdown", "html"):
        shown = registry.text(name, replace(told, folder="merged"))
        assert "merged/logs/py3.9.log" in shown, name
        assert ".venvgrid/runs" not in shown, name


def test_the_merged_report_has_the_cells_of_every_platform(tmp_path: Path) -> None:
    """What was elsewhere for the machine that planned has its result, or none; it is elsewhere no more."""
    of = plan_of_platforms()
    for platform in PLATFORMS:
        results = [green(cell_on(platform, python)) for python in ("3.11", "3.12")]
        record(tmp_path / platform, of, Shard(1, 1), *results, platform=platform)
    both = merging.write(merge(of, records.find([tmp_path / "linux", tmp_path / "macos"])), tmp_path / "m")
    assert [cell.outcome for cell in both.cells] == [Outcome.PASSED] * 4
    assert both.exit_status == 0
    one = merging.write(merge(of, records.find([tmp_path / "linux"])), tmp_path / "m")
    assert [(cell.outcome, cell.reason) for cell in one.cells[2:]] == [
        (Outcome.CANCELLED, "no result was reported")
    ] * 2
    assert one.exit_status == 3
    read = build_report(journal.read(tmp_path / "m" / "events.jsonl"))
    assert [cell.reason for cell in read.cells] == ["", "", "no result was reported", "no result was reported"]
    validator("plan").validate(json.loads(of.render(SHOWN)))


@pytest.mark.parametrize("status", Status)
@pytest.mark.parametrize("options", [{}, {"allow_failure": True, "named": True, "labels": ("nightly", "slow")}])
def test_planned_cells_are_written_as_the_journal_does(status: Status, options: dict[str, Any]) -> None:
    """The short way gives what the long one gives."""
    cell = replace(CELLS[0], **options)
    for item in (
        PlannedCell(cell=cell, status=status),
        PlannedCell(cell=cell, status=status, reason="why", words="because"),
    ):
        assert list(merging.texts_of([item])) == [json.dumps(serialization.to_plain(item), separators=(",", ":"))]
