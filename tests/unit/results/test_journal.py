"""Journals can be read however they were left."""
# ruff: noqa: SIM300 - expected == actual

from __future__ import annotations

import errno
import json
import os
import re
from pathlib import Path
from tempfile import TemporaryDirectory
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import factories
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from venvgrid import model
from venvgrid.model import (
    Attestation,
    CaseOutcome,
    Cell,
    CellResult,
    Failure,
    InfrastructureError,
    Interpreter,
    Outcome,
    Plan,
    PlannedCell,
    Status,
    events,
)
from venvgrid.results import journal

if TYPE_CHECKING:
    from collections.abc import Sequence

full = pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a disk that is always full")

# Lone surrogates cannot be written as UTF-8: see test_journal_is_strict_json.
text = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
seconds = st.floats(min_value=0, max_value=1e9)
texts = st.dictionaries(text, text, max_size=3).map(MappingProxyType)
numbers = st.dictionaries(text, st.integers(min_value=0), max_size=3).map(MappingProxyType)
durations = st.dictionaries(text, seconds, max_size=3).map(MappingProxyType)


def tuples(of: st.SearchStrategy[object]) -> st.SearchStrategy[tuple[object, ...]]:
    """Short tuples."""
    return st.lists(of, max_size=3).map(tuple)


def values(kind: type, /, **fields: st.SearchStrategy[object]) -> st.SearchStrategy[object]:
    """Values of a class, from strategies of its fields."""
    return st.fixed_dictionaries(fields).map(lambda given: kind(**given))


interpreters = values(
    Interpreter,
    executable=text,
    version=st.just("3.9.18"),
    implementation=text,
    free_threaded=st.booleans(),
    debug=st.booleans(),
    bits=st.sampled_from([32, 64]),
    platform=text,
    cache_tag=text,
    markers=texts,
    source=text,
)
cells = values(Cell, id=text, axes=texts, allow_failure=st.booleans(), named=st.booleans())
planned = values(PlannedCell, cell=cells, status=st.sampled_from(Status), reason=text)
failures = values(Failure, test=text, kind=text, message=text, signature=text, duration=seconds, longrepr=text)
attestations = values(Attestation, python=text, packages=texts, project_origin=text, collected=st.integers(0))
results = values(
    CellResult,
    id=text,
    axes=texts,
    outcome=st.sampled_from(Outcome),
    reason=text,
    allow_failure=st.booleans(),
    cached=st.booleans(),
    attempts=st.integers(0, 9),
    interpreter=st.none() | interpreters,
    packages=texts,
    durations=durations,
    tests=numbers,
    failures=tuples(failures),
    attested=attestations,
    notes=tuples(text),
    log=text,
)
stages = st.sampled_from(model.Stage)
KINDS = {
    model.RunStarted: values(
        model.RunStarted,
        run=text,
        time=text,
        venvgrid=text,
        config=text,
        config_digest=text,
        project=text,
        project_version=text,
        plan=values(Plan, cells=tuples(planned), strategy=text, warnings=tuples(text)),
        command=tuples(text),
        workers=st.integers(1, 9),
    ),
    model.CellPlanned: values(
        model.CellPlanned, cell=text, status=st.sampled_from(Status), reason=text, at=seconds, environment=text
    ),
    model.StageStarted: values(model.StageStarted, cell=text, stage=stages, at=seconds, worker=st.integers(0, 9)),
    model.StageProgress: values(model.StageProgress, cell=text, stage=stages, text=text, at=seconds),
    model.StageFinished: values(
        model.StageFinished, cell=text, stage=stages, at=seconds, duration=seconds, detail=text
    ),
    model.TestsCollected: values(model.TestsCollected, cell=text, collected=st.integers(0), at=seconds),
    model.TestFinished: values(
        model.TestFinished,
        cell=text,
        test=text,
        verdict=st.sampled_from(CaseOutcome),
        duration=seconds,
        at=seconds,
        message=text,
        attempt=st.integers(1, 9),
    ),
    model.CellFinished: values(model.CellFinished, result=results, at=seconds),
    model.Message: values(model.Message, level=text, text=text, at=seconds),
    model.RunFinished: values(model.RunFinished, exit_status=st.integers(0, 255), duration=seconds, at=seconds),
}
anything = st.one_of(*KINDS.values())

SMALL: tuple[model.Event, ...] = (
    model.StageStarted(cell="py3.9", stage=model.Stage.TEST, at=1.0),
    model.TestFinished(cell="py3.9", test="test_ä", verdict=CaseOutcome.PASSED, duration=0.5, at=2.0),
    model.RunFinished(exit_status=0, duration=3.0, at=3.0),
)


def write(path: Path, happened: Sequence[Any]) -> None:
    """Write a journal."""
    with journal.Journal(path) as record:
        for event in happened:
            record(event)


def test_every_kind_of_event_is_tried() -> None:
    """The strategies above know every kind of event."""
    assert set(events.KINDS.values()) == set(KINDS)


@given(st.lists(anything, max_size=5))
@settings(max_examples=60, deadline=None)
def test_what_is_written_is_read(happened: list[object]) -> None:
    """A journal gives back the events as they were."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "events.jsonl"
        write(path, happened)
        assert happened == list(journal.read(path))


def test_cut_at_every_byte(tmp_path: Path) -> None:
    """A journal that ends anywhere gives the events whose lines are whole; nothing is raised, nothing is said."""
    path = tmp_path / "events.jsonl"
    write(path, SMALL)
    whole = path.read_bytes()
    for size in range(len(whole) + 1):
        path.write_bytes(whole[:size])
        lines = whole[: size + 1].count(b"\n")  # a line without its line break is whole, too
        assert list(SMALL[:lines]) == list(journal.read(path))


def test_going_on_after_a_cut(tmp_path: Path) -> None:
    """What is appended to a torn journal is not lost with the torn line, which is then a damaged one."""
    path = tmp_path / "events.jsonl"
    write(path, SMALL[:2])
    path.write_bytes(path.read_bytes()[:-5])
    write(path, SMALL[2:])
    read = list(journal.read(path))
    assert [SMALL[0], SMALL[2]] == [read[0], read[2]]
    assert model.Message(level="warning", text=read[1].text) == read[1]  # type: ignore[union-attr]


@given(st.data())
@settings(max_examples=80, deadline=None)
def test_flipped_bytes_cost_their_lines(data: st.DataObject) -> None:
    """Whatever is damaged: reading does not raise, and lines that were not touched are there, in order."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "events.jsonl"
        write(path, SMALL)
        lines = path.read_bytes().splitlines(keepends=True)
        hit = data.draw(st.sets(st.integers(0, 2)))
        for number in hit:
            line = bytearray(lines[number])
            for place in data.draw(st.lists(st.integers(0, len(line) - 2), min_size=1, max_size=4)):
                line[place] = data.draw(st.integers(0, 255).filter(lambda byte: byte != ord("\n")))
            lines[number] = bytes(line)
        path.write_bytes(b"".join(lines))
        read = list(journal.read(path))
    untouched = [event for number, event in enumerate(SMALL) if number not in hit]
    assert untouched == [event for event in read if event in untouched]


@pytest.mark.parametrize(
    "line",
    [
        "\0" * 50,
        "{}",
        "[]",
        "7",
        "null",
        '{"event":[]}',
        '{"event":"RunFinished"}',
        '{"event":"StageStarted","cell":"a","stage":"nonsense","at":1}',
        '{"event":"CellFinished","result":{"id":"a","axes":7,"outcome":"passed"},"at":1}',
        "[" * 5000,
        "\udcff",
    ],
)
def test_damaged_lines_are_counted(tmp_path: Path, line: str) -> None:
    """A line that is no event is left out, and a warning before the end of the run says how many there were."""
    path = tmp_path / "events.jsonl"
    write(path, SMALL[:1])
    with path.open("ab") as file:
        file.write(2 * (line.encode("utf-8", "surrogateescape") + b"\n"))
    write(path, SMALL[1:])
    warning = f"2 lines are damaged in {path} and left out; to be sure, type: venvgrid run"
    expected = [*SMALL[:2], model.Message(level="warning", text=warning), SMALL[2]]
    assert expected == list(journal.read(path))


def test_damage_without_an_end_is_said_last(tmp_path: Path) -> None:
    """Also of a run that was killed one hears that its journal is damaged."""
    path = tmp_path / "events.jsonl"
    path.write_text("{]\n")
    warning = f"1 line is damaged in {path} and left out; to be sure, type: venvgrid run"
    assert [model.Message(level="warning", text=warning)] == list(journal.read(path))


def test_kinds_and_fields_of_later_versions(tmp_path: Path) -> None:
    """Unknown kinds of events and unknown fields are passed over without a word."""
    path = tmp_path / "events.jsonl"
    path.write_text('{"event":"Rescheduled","x":1}\n\n{"event":"Message","level":"info","text":"a","mood":"good"}\n')
    assert [model.Message(level="info", text="a")] == list(journal.read(path))


def test_journal_that_is_missing(tmp_path: Path) -> None:
    """A journal that cannot be read is an error that names it."""
    path = tmp_path / "events.jsonl"
    with pytest.raises(InfrastructureError, match=f"^cannot read the journal {re.escape(str(path))}: No such file"):
        list(journal.read(path))


def test_line_is_there_when_the_call_returns(tmp_path: Path) -> None:
    """An event is in the file at once: a kill of venvgrid does not lose it."""
    path = tmp_path / "events.jsonl"
    record = journal.Journal(path)
    for number, event in enumerate(SMALL, start=1):
        record(event)
        assert list(SMALL[:number]) == list(journal.read(path))
    record.close()
    record.close()


def test_journal_is_strict_json(tmp_path: Path) -> None:
    """Lone surrogates and numbers that JSON does not have do not get into the file."""
    path = tmp_path / "events.jsonl"
    write(
        path, [model.TestFinished(cell="\udcff", test="é", verdict=CaseOutcome.FAILED, duration=float("nan"), at=1.0)]
    )
    line = path.read_bytes().decode("utf-8")
    data = json.loads(line, parse_constant=pytest.fail)
    assert ("?", "é", 0.0) == (data["cell"], data["test"], data["duration"])


@full
def test_full_disk_is_named_once() -> None:
    """A journal that cannot be written stops the run with an error that says where and why, once."""
    with journal.Journal(Path("/dev/full")) as record, pytest.raises(InfrastructureError) as caught:
        record(SMALL[0])
    reason = f"cannot write the journal /dev/full: {os.strerror(errno.ENOSPC)}; make room on the disk"
    assert reason == str(caught.value)


def test_some_kinds_of_events_can_be_read_alone(tmp_path: Path) -> None:
    """The others are passed over; a damaged line counts as one, whatever it was."""
    told = factories.tested(factories.result("py3.12"), {"test_a": CaseOutcome.PASSED})
    path = tmp_path / "events.jsonl"
    with journal.Journal(path) as write:
        for event in told:
            write(event)
    with path.open("ab") as file:
        file.write(b"{damaged}\n")
    found = list(journal.read(path, only=(model.CellFinished,)))
    assert found[:-1] == [event for event in told if isinstance(event, model.CellFinished)]
    assert isinstance(found[-1], model.Message)
