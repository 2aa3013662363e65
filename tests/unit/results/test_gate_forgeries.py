"""More ways to lose or to forge a result, each of them met by mistake in some pipeline: red, and told by name."""

from __future__ import annotations

import io
import json
import os
import shutil
import sys
import zipfile
from typing import TYPE_CHECKING, Any

import pytest
from damage import edit, edit_cell, headed, reseal, written, zipped
from recorded import CELLS, COMMIT, green, plan, record

from venvgrid.app.shards import merged
from venvgrid.cli import parser
from venvgrid.cli.commands import gate as gate_command
from venvgrid.cli.commands import merge as merge_command
from venvgrid.cli.terminal import Terminal
from venvgrid.model import UsageError
from venvgrid.model.shard import Shard
from venvgrid.results import records
from venvgrid.results.gate import judge

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@pytest.fixture
def whole(tmp_path: Path) -> Path:
    """Return a folder with the records of two shards of the plan, all green."""
    record(tmp_path / "all" / "one", plan(), Shard(1, 2), *map(green, CELLS[:2]))
    record(tmp_path / "all" / "two", plan(), Shard(2, 2), *map(green, CELLS[2:]))
    return tmp_path / "all"


def another(*cells: Any, shard: str = "1/2", **changes: Any) -> Callable[[Path], None]:
    """Return what leaves the record of another run in place of this one; `changes` are those of its plan."""

    def leave(folder: Path) -> None:
        shutil.rmtree(folder)
        of = plan(*changes.pop("planned", ()), **changes)
        record(folder, of, Shard.parse(shard), *map(green, cells or CELLS[:2]))

    return leave


def resealed(name: str, change: Callable[[bytes], bytes]) -> Callable[[Path], None]:
    """Return what changes a file and its digest in the header."""

    def write(folder: Path) -> None:
        written(name, change)(folder)
        header = json.loads((folder / "record.json").read_text(encoding="utf-8"))
        reseal(folder, files={**header["files"], name: records.digest((folder / name).read_bytes())})

    return write


def joined(folder: Path) -> None:
    """Append one record to the other: of such a file, only the last archive is seen."""
    own, other = folder.with_suffix(".record"), folder.with_name("two")
    records.pack(folder, own)
    records.pack(other, folder.with_name("two.record"))
    own.write_bytes(own.read_bytes() + folder.with_name("two.record").read_bytes())
    shutil.rmtree(folder)


def inside(content: Callable[[bytes], bytes]) -> Callable[[Path], None]:
    """Return what puts the record, changed, into the archive of an artifact."""

    def change(folder: Path) -> None:
        file = folder.with_suffix(".record")
        records.pack(folder, file)
        with zipfile.ZipFile(folder.with_suffix(".zip"), "w") as archive:
            archive.writestr("shard/one.record", content(file.read_bytes()))
        file.unlink()
        shutil.rmtree(folder)

    return change


def encrypted(content: bytes) -> bytes:
    """Mark all members of an archive as encrypted."""
    data = bytearray(content)
    for mark, flags in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        place = data.find(mark)
        while place >= 0:
            data[place + flags] |= 1
            place = data.find(mark, place + 4)
    return bytes(data)


def with_backslashes(content: bytes) -> bytes:
    """Name the members as a program of Windows may."""
    made = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as old, zipfile.ZipFile(made, "w") as new:
        for name in old.namelist():
            new.writestr(zipfile.ZipInfo(f"one\\{name}"), old.read(name))
    return made.getvalue()


def exchanged(key: str) -> Callable[[Path], None]:
    """Return what exchanges a key of the two results of a shard."""

    def change(data: dict[str, Any]) -> None:
        first, second = data["cells"]
        first[key], second[key] = second[key], first[key]

    return lambda folder: edit(folder, change)


def in_a_file(folder: Path) -> None:
    """Leave an empty file where the record was."""
    shutil.rmtree(folder)
    folder.with_suffix(".record").touch()


def in_a_folder(folder: Path) -> None:
    """Leave an empty folder where the record was."""
    shutil.rmtree(folder)
    folder.mkdir()


def in_a_tar(folder: Path) -> None:
    """Pack the record in a way that venvgrid does not read."""
    shutil.make_archive(str(folder), "gztar", folder)
    shutil.rmtree(folder)


def in_a_link(folder: Path) -> None:
    """Leave a link to a record that is gone."""
    shutil.rmtree(folder)
    folder.with_suffix(".record").symlink_to("gone.record")


def attested(**changes: Any) -> Callable[[Path], None]:
    """Return what changes the first attestation."""
    return lambda folder: edit(folder, lambda data: data["cells"][0]["attested"].update(changes))


def uncounted(folder: Path) -> None:
    """Leave out the counts of tests, not how many were collected."""
    edit(folder, lambda data: data["cells"][0].update(tests={}))
    attested(collected=3)(folder)


def counted(**counts: Any) -> Callable[[Path], None]:
    """Return what changes the counts of the first result."""
    return lambda folder: edit(folder, lambda data: data["cells"][0]["tests"].update(counts))


WAYS: dict[str, Callable[[Path], Any]] = {
    "a record that is cut in the middle": zipped(0.5),
    "a record of which the first bytes arrived": zipped(0.01),
    "an empty file": in_a_file,
    "an empty folder": in_a_folder,
    "two records in one file": joined,
    "a record that is cut, in an archive": inside(lambda data: data[: len(data) // 2]),
    "an empty record in an archive": inside(lambda _: b""),
    "an encrypted record in an archive": inside(encrypted),
    "a record with backslashes in an archive": inside(with_backslashes),
    "a tar": in_a_tar,
    "a header in capitals": lambda folder: (folder / "record.json").rename(folder / "RECORD.JSON-"),
    "another count of shards, with fewer cells": another(CELLS[1], shard="2/3"),
    "the plan of another tier": another(planned=CELLS[:2]),
    "the plan of other sources": another(inputs_digest="i2"),
    "the plan of another lock": another(lock="x"),
    "the plan of another configuration": another(config_digest="d2"),
    "a cell that was renamed": edit_cell(id="py3.10"),
    "cells that were exchanged": exchanged("id"),
    "attestations that were exchanged": exchanged("attested"),
    "values that were exchanged": exchanged("axes"),
    "results with a byte order mark": resealed("results.json", lambda data: b"\xef\xbb\xbf" + data),
    "results in UTF-16": resealed("results.json", lambda data: data.decode().encode("utf-16")),
    "results in lines of Windows": written("results.json", lambda data: data.replace(b", ", b",\r\n")),
    "results with zeros behind": resealed("results.json", lambda data: data + b"\0" * 99),
    "results that are too deep": resealed("results.json", lambda _: b'{"cells": ' + b"[" * 100_000),
    "results with two lists of cells": resealed("results.json", lambda data: data[:-1] + b', "cells": []}'),
    "results twice": resealed("results.json", lambda data: data + data),
    "cells in a table": lambda folder: edit(folder, lambda data: data.update(cells={})),
    "cells that are lists": lambda folder: edit(folder, lambda data: data.update(cells=[["py3.9"]])),
    "no cell": lambda folder: edit(folder, lambda data: data.update(cells=[])),
    "an id that is a list": edit_cell(id=["py3.9"]),
    "an id that is a number": edit_cell(id=3.9),
    "an id with a blank": edit_cell(id="py3.9 "),
    "an id that looks alike": edit_cell(id="py3.9".replace("p", "\uff50")),
    "an id that is no text": edit_cell(id="\ud800"),
    "an outcome in capitals": edit_cell(outcome="PASSED"),
    "an outcome that is true": edit_cell(outcome=True),
    "an attempt that is a text": headed(attempt="2"),
    "an attempt that is true": headed(attempt=True),
    "an attempt with a point": headed(attempt=1.0),
    "a shard in words": headed(shard="1 of 2"),
    "a shard before the first": headed(shard="0/2"),
    "a shard in other digits": headed(shard="\u0661/\u0662"),
    "a time that is a number": headed(began=5),
    "the beginning of a commit": headed(commit=COMMIT[:12]),
    "the beginning of a plan": headed(plan=plan().digest[:12]),
    "digests that are null": headed(files={"plan.json": None, "results.json": None, "events.jsonl": None}),
    "no test was counted, but some were collected": uncounted,
    "fewer tests than none": counted(passed=-1),
    "tests in a text": counted(passed="3"),
    "tests that are true": counted(passed=True),
    "tests that are no number": counted(passed=float("nan")),
    "failed tests that are null": counted(failed=None),
    "failed tests in a list": counted(failed=[]),
    "a Python in a list": attested(python=["cpython", "3.9.1"]),
    "versions in a list": attested(packages=["numpy"]),
    "values in a list": edit_cell(axes=["python", "3.9"]),
    "values of another kind": edit_cell(axes={"python": 3.9}),
    "more values than the cell has": edit_cell(axes={"python": "3.9", "six": "1"}),
    "a red cell that calls itself one that may fail": edit_cell(outcome="failed", allow_failure=True),
    "a result that merging cannot read": edit_cell(durations="long"),
    "a link into nothing": in_a_link,
}


@pytest.mark.parametrize("way", WAYS)
def test_a_forged_result_is_red_by_name(whole: Path, way: str) -> None:
    """The gate is red, and names a cell or the record."""
    WAYS[way](whole / "one")
    said = judge(merged.collect(plan(), records.find([whole])))
    assert not said.is_green
    assert any(name in line for line in said.problems for name in ("py3.9", "py3.10", "one"))


def test_there_are_enough_further_ways() -> None:
    """Each of them is another one."""
    assert len(WAYS) >= 60


def typed(whole: Path, *words: str) -> tuple[int, str, str]:
    """Type a command for the plan and the records; return its status and what it printed."""
    file = whole.parent / "plan.json"
    file.write_text(plan().render({"strategy": {"name": "full"}}), encoding="utf-8")
    out, err = io.StringIO(), io.StringIO()
    terminal = Terminal(out=out, err=err, environ={})
    command = {"gate": gate_command, "merge": merge_command}[words[0]]
    given = [words[0], str(file)] if words[0] == "gate" else [words[0], "--plan", str(file)]
    status = command.main(parser.build().parse_args([*given, *words[1:], str(whole)]), terminal)
    return status, out.getvalue(), err.getvalue()


FORGED = "why\ngreen: 4 of 4 cells reported\n::stop-commands::x\n\x1b[2J ##vso[task.complete]"


@pytest.mark.parametrize("changes", [{"outcome": "failed", "reason": FORGED}, {"id": FORGED}], ids=str)
def test_what_a_record_says_is_one_line_of_the_gate(whole: Path, changes: dict[str, str]) -> None:
    """No verdict of its own, no command to the CI service: they would stand at the beginning of a line."""
    edit_cell(**changes)(whole / "one")
    status, out, _ = typed(whole, "gate")
    assert status == 1
    assert "\x1b" not in out
    assert "##vso[" not in out  # a command to Azure, anywhere in a line
    *lines, last = out.splitlines()
    assert all(line.startswith("red: ") for line in lines)
    assert last.startswith("red: ")


def test_a_name_in_an_archive_is_one_line_of_merge(whole: Path) -> None:
    """As with the gate, for whatever is refused."""
    with zipfile.ZipFile(whole / "x.zip", "w") as archive:
        archive.writestr("a\n::error::b ##vso[x]/record.json", b"{}")
    status, _, err = typed(whole, "merge", "-o", str(whole.parent / "merged"))
    assert status == 3
    assert "##vso[" not in err
    assert [line[:17] for line in err.splitlines()] == ["venvgrid: refused", "4 of 4 cells, fro"]


def test_a_journal_that_cannot_be_read_is_refused_by_name(whole: Path) -> None:
    """It is not merged, and it is no bug of venvgrid."""
    resealed("events.jsonl", lambda data: b"garbage\n" + data)(whole / "one")
    with pytest.raises(UsageError, match="one: its journal is damaged"):
        typed(whole, "merge", "-o", str(whole.parent / "merged"))


@pytest.mark.skipif(sys.platform == "win32", reason="there are no pipes in folders")
def test_a_pipe_among_the_records_is_passed_over(whole: Path) -> None:
    """Nobody waits for somebody to write into it."""
    os.mkfifo(whole / "pipe")
    assert judge(merged.collect(plan(), records.find([whole]))).is_green
