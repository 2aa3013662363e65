"""results.json and events.jsonl: the formats that other programs read, and their schemas."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import replace
from importlib import resources
from typing import Any

import factories as make
import hostile
import jsonschema  # type: ignore[import-untyped] # it has no types
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from venvgrid import model
from venvgrid.analysis.document import from_results, pieces, to_results
from venvgrid.model import (
    Attestation,
    CaseOutcome,
    Event,
    Interpreter,
    Message,
    Outcome,
    PlannedCell,
    Status,
    events,
    serialization,
)
from venvgrid.results.report import Report, build_report


def validator(name: str) -> jsonschema.Draft202012Validator:
    schema = json.loads(resources.files("venvgrid").joinpath("model/schemas", f"{name}.schema.json").read_text("utf-8"))
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


RESULTS, EVENTS = validator("results"), validator("events")


def strictly(data: object) -> Any:
    """Write JSON as a strict program would, and read it as one."""

    def refuse(constant: str) -> None:
        pytest.fail(f"{constant} is no JSON")

    text = json.dumps(data, ensure_ascii=False, allow_nan=False)
    return json.loads(text.encode("utf-8"), parse_constant=refuse)


def everything() -> list[Event]:
    """Return a run in which every kind of event and every field occurs."""
    excluded = PlannedCell(cell=make.cell("py3.8"), status=Status.EXCLUDED, reason="excluded by exclude[0]")
    cell = make.cell("py3.9", allow_failure=True, named=True)
    attested = Attestation(
        python="cpython 3.9.18 /e/bin/python", packages={"numpy": "1.0"}, project_origin="/e/p.py", collected=3
    )
    red = make.result(
        cell, Outcome.FAILED, reason="1 failed", failures=(make.failure(longrepr="E"),), attested=attested, notes=("n",)
    )
    return [
        make.started([excluded, cell, make.cell("py3.10")]),
        Message(level="warning", text="odd", at=0.5),
        *make.tested(red, {"t::a": CaseOutcome.PASSED}),
        make.one_test("py3.9", "t::b", CaseOutcome.FAILED, message="bad", attempt=2),
        make.finished(make.result("py3.10", Outcome.IMPOSSIBLE, reason="no wheel", cached=True)),
        make.ended(1),
    ]


def test_results_have_the_keys_of_the_documentation() -> None:
    """All of them, with the values of the run."""
    data = to_results(build_report(everything()))
    assert (data["format"], data["exit_status"], data["duration"], data["project"]) == (
        "venvgrid-results-1",
        1,
        21.3,
        {"name": "plotlib", "version": "1.0"},
    )
    red, impossible = data["cells"]
    assert {**red, "python": red["python"]["version"]} == {
        "id": "py3.9",
        "axes": {"python": "3.9"},
        "outcome": "failed",
        "reason": "1 failed",
        "allow_failure": True,
        "named": True,
        "cached": False,
        "since": "",
        "attempts": 1,
        "python": "3.12.1",
        "packages": {"numpy": "1.23.2"},
        "durations": {"resolve": 0.1, "build": 0.8, "test": 1.2},
        "tests": {"passed": 2, "failed": 1, "error": 0, "skipped": 0, "xfailed": 0, "xpassed": 0},
        "failures": [
            {
                "test": "tests/test_a.py::test_one",
                "kind": "ValueError",
                "message": "bad value",
                "signature": "ValueError: bad value",
                "duration": 0.0,
                "longrepr": "E",
                "hint": "",
                "through": [],
                "again": None,
            }
        ],
        "uncollected": 0,
        "words": "",
        "machine": "",
        "resumed": "",
        "attested": {
            "python": "cpython 3.9.18 /e/bin/python",
            "packages": {"numpy": "1.0"},
            "project_origin": "/e/p.py",
            "collected": 3,
        },
        "notes": ["n"],
        "log": "logs/py3.9.log",
    }
    assert (impossible["python"], impossible["tests"], impossible["cached"]) == (None, {}, True)
    assert data["excluded"] == [{"id": "py3.8", "axes": {"python": "3.8"}, "reason": "excluded by exclude[0]"}]
    assert data["warnings"] == ["odd"]


@pytest.mark.parametrize("outcome", Outcome)
def test_results_are_read_as_they_were_written(outcome: Outcome) -> None:
    """Every fact that the document has comes back: of the run, its cells and the excluded ones."""
    written = build_report([*everything(), make.finished(make.result("py3.11", outcome, since="2026", attempts=2))])
    read = from_results(strictly(to_results(written)))
    kept = ("run", "started", "duration", "exit_status", "venvgrid", "project", "project_version", "config", "grid")
    for name in (*kept, "config_digest", "command", "warnings", "finished"):
        assert getattr(read, name) == getattr(written, name)
    for name in ("cells", "excluded"):
        assert to_results(read)[name] == to_results(written)[name]
    assert [replace(cell, interpreter=None, tests={}) for cell in read.cells] == [
        replace(cell, interpreter=None, tests={}) for cell in written.cells
    ]


@pytest.mark.parametrize("data", [None, [], {}, {"format": "venvgrid-results-2"}, {"format": "venvgrid-results-1"}])
def test_another_document_is_refused(data: Any) -> None:
    """The message names the format."""
    with pytest.raises(ValueError, match="venvgrid-results-1"):
        from_results(data)


def test_a_number_too_large_for_a_duration_is_refused() -> None:
    """As any other damage: not with an error of arithmetic."""
    data = to_results(make.matplotlib_grid())
    data["cells"][0]["durations"]["test"] = 10**400
    with pytest.raises(ValueError, match="venvgrid-results-1"):
        from_results(data)


@pytest.mark.parametrize("outcome", Outcome)
def test_results_of_every_outcome_fit_their_schema(outcome: Outcome) -> None:
    """Also of a run that was killed."""
    RESULTS.validate(strictly(to_results(make.report(make.result("py3.9", outcome), status=1))))
    RESULTS.validate(strictly(to_results(build_report(everything()[:4]))))
    RESULTS.validate(strictly(to_results(build_report([]))))


def test_events_fit_their_schema() -> None:
    """Every kind, as the journal writes it."""
    written = [strictly(serialization.event_to_plain(event)) for event in everything()]
    assert {line["event"] for line in written} == set(events.KINDS)
    for line in written:
        EVENTS.validate(line)


def test_later_versions_may_add_keys_and_kinds() -> None:
    """The schemas pass over what they do not know, and refuse what is wrong."""
    data = strictly(to_results(make.matplotlib_grid()))
    RESULTS.validate({**data, "more": 1, "cells": [{**cell, "more": 1} for cell in data["cells"]]})
    EVENTS.validate({"event": "CellSuspended", "cell": "py3.9"})
    assert not RESULTS.is_valid({**data, "cells": [{**data["cells"][0], "outcome": "fine"}]})
    assert not RESULTS.is_valid({key: value for key, value in data.items() if key != "exit_status"})
    assert not EVENTS.is_valid({"event": "RunFinished", "exit_status": 0})
    assert not EVENTS.is_valid(
        {"event": "TestFinished", "cell": "a", "test": "t", "verdict": "ok", "duration": 1, "at": 1}
    )


@pytest.mark.parametrize("kind", events.KINDS.values(), ids=events.KINDS.keys())
def test_the_schema_of_events_describes_every_field(kind: type) -> None:
    """A field that is added is added there, too."""
    described = {
        case["if"]["properties"]["event"]["const"]: set(case["then"]["properties"]) for case in EVENTS.schema["allOf"]
    }
    assert {field.name for field in dataclasses.fields(kind)} == described[kind.__name__]


def test_the_schemas_describe_every_field_of_a_result() -> None:
    """As the journal has it, and as results.json has it under its own names."""
    fields = {field.name for field in dataclasses.fields(model.CellResult)}
    assert fields == set(EVENTS.schema["$defs"]["result"]["properties"])
    described = RESULTS.schema["$defs"]["cell"]["properties"]
    assert set(to_results(make.matplotlib_grid())["cells"][0]) == set(described)
    interpreter = EVENTS.schema["$defs"]["result"]["properties"]["interpreter"]["properties"]
    assert {field.name for field in dataclasses.fields(Interpreter)} == set(interpreter)


@settings(deadline=None)
@given(st.lists(hostile.texts, min_size=5, max_size=5), st.floats())
def test_any_run_gives_json_that_strict_programs_read(values: list[str], duration: float) -> None:
    """No NaN, no lone surrogate, and all other text as it was."""
    name, value, reason, message, longrepr = values
    cell = make.result(
        make.cell("c1", {name: value}),
        Outcome.FAILED,
        reason=reason,
        packages={name: value},
        durations={"test": duration},
        failures=(make.failure(name, message=message, longrepr=longrepr, duration=duration),),
        notes=(reason,),
    )
    data = to_results(make.report(cell, extra=[Message(level="warning", text=message)], status=1))
    read = strictly(data)
    RESULTS.validate(read)
    assert read == data
    if not any("\ud800" <= character <= "\udfff" for character in reason):
        assert read["cells"][0]["reason"] == reason


@pytest.mark.parametrize("report", [build_report(everything()), make.matplotlib_grid(), make.report()])
def test_the_text_in_pieces_is_that_of_the_document(report: Report) -> None:
    """Written cell by cell, results.json has the same bytes."""
    assert json.dumps(to_results(report), indent=1) + "\n" == "".join(pieces(report))
