"""The probe from outside: the variables that switch it on, and reading its stream while it grows."""
# ruff: noqa: SIM300 - expected == actual

from __future__ import annotations

import ast
import json
import math
import os
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st

from venvgrid.model import CaseOutcome
from venvgrid.outcomes.parsing import parse
from venvgrid.outcomes.probe import LINE_LIMIT, PLUGIN, STREAM_NAME, VARIABLE, Stream, switch_on
from venvgrid.outcomes.records import Attested, Collected, Finished, Record, Reported, Session, Started
from venvgrid.processes.guests import PROBE_FOLDER

TEST = {"t": "test", "id": "a.py::b", "verdict": "failed", "duration": 0.5, "crash": "ValueError: bad\nmore"}
LINES = [
    json.dumps(data).encode()
    for data in (
        {"t": "session", "v": 1, "pid": 7, "worker": None, "executable": "/e/bin/python", "prefix": "/e"}
        | {"version": "3.9.18", "implementation": "cpython", "pytest": "8.0"},
        {"t": "collected", "ids": 2, "worker": None},
        {"t": "start", "id": "a.py::b"},
        TEST | {"where": "a.py:3", "longrepr": "text"},
        {"t": "attest", "packages": {"numpy": "1.0"}, "origins": {"numpy": "/e/numpy.py"}, "imported": ["numpy"]}
        | {"project": {"version": "2", "origin": "/e/p.py", "imported": True}, "worker": "gw0"},
        {"t": "finish", "exitstatus": 1, "worker": None},
    )
]
RECORDS = [
    Session(
        source="1",
        pid=7,
        executable="/e/bin/python",
        prefix="/e",
        version="3.9.18",
        implementation="cpython",
        pytest="8.0",
    ),
    Collected(source="1", ids=2),
    Started(source="1", id="a.py::b"),
    Reported(
        source="1",
        id="a.py::b",
        verdict=CaseOutcome.FAILED,
        duration=0.5,
        kind="ValueError",
        message="bad",
        where="a.py:3",
        longrepr="text",
    ),
    Attested(
        source="1",
        worker="gw0",
        packages={"numpy": "1.0"},
        origins={"numpy": "/e/numpy.py"},
        imported=("numpy",),
        project_version="2",
        project_origin="/e/p.py",
        project_imported=True,
    ),
    Finished(source="1", exitstatus=1),
]


def test_every_kind_of_line_becomes_its_record() -> None:
    """The lines that the probe writes are understood."""
    assert RECORDS == [parse(line, "1") for line in LINES]


@pytest.mark.parametrize(
    "line",
    [
        *(b"", b"{", b"[]", b"null", b"1", b'"session"', b"\0\xff", b"[" * 100_000, b"1" * 5000),
        b'{"t":"else"}',
        b'{"t":[]}',
        b'{"t":"session"}',
        b'{"t":"collected","ids":"many"}',
        b'{"t":"start"}',
        b'{"t":"start","id":7}',
        b'{"t":"start","id":"' + b"x" * 20_000 + b'"}',
        b'{"t":"test","id":"a","verdict":"great"}',
        b'{"t":"test","id":"a","verdict":"failed","crash":7}',
        b'{"t":"test","id":"a","verdict":"passed","duration":[]}',
        b'{"t":"attest","packages":{"a":1}}',
        b'{"t":"attest","packages":[1]}',
        b'{"t":"finish"}',
        b'{"t":"finish","exitstatus":"x"}',
    ],
    ids=lambda line: line[:40].decode("ascii", "replace"),
)  # fmt: skip
def test_lines_that_are_not_the_probes_are_passed_over(line: bytes) -> None:
    """Whatever a test writes into the stream, reading it goes on."""
    assert None is parse(line, "1")


kinds = ["session", "collected", "start", "test", "collect", "stop", "attest", "finish"]
keys = ["t", "id", "ids", "verdict", "pid", "packages", "exitstatus", "project", "duration", "worker"]
anything = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(keys), inner),
    max_leaves=8,
)


@given(anything, st.sampled_from(kinds))
def test_no_json_breaks_the_reader(value: object, kind: str) -> None:
    """A record or None, never an exception."""
    data = {**value, "t": kind} if isinstance(value, dict) else value
    assert isinstance(parse(json.dumps(data).encode(), "1"), Record | None)


@pytest.mark.parametrize("duration", ["-1.0", "NaN", "Infinity", "-Infinity", "1e999"])
def test_impossible_durations_become_zero(duration: str) -> None:
    """A test that sets the clock does not spoil what durations are used for."""
    record = parse(b'{"t":"test","id":"a","verdict":"passed","duration":%s}' % duration.encode(), "1")
    assert Reported(source="1", id="a", verdict=CaseOutcome.PASSED) == record


def test_lone_surrogates_are_spelled_out() -> None:
    """Names that are no UTF-8 stay apart, and every report can hold them."""
    record = parse(b'{"t":"start","id":"a[\\udcff]"}', "1")
    assert Started(source="1", id="a[\\udcff]") == record


def test_the_place_is_read_from_the_text_where_pytest_gives_none() -> None:
    """A module that cannot be imported has no traceback entry, only text."""
    text = "Traceback:\na.py:1: in <module>\n    import nope\nE   ImportError: No module named nope"
    line = json.dumps({"t": "collect", "id": "a.py", "verdict": "error", "longrepr": text}).encode()
    expected = Reported(
        source="1",
        id="a.py",
        verdict=CaseOutcome.ERROR,
        kind="ImportError",
        message="No module named nope",
        where="a.py:1",
        longrepr=text,
        collecting=True,
    )
    assert expected == parse(line, "1")


def test_the_reason_of_a_skip_is_kept() -> None:
    """Without "Skipped: ", which all of them have."""
    record = parse(b'{"t":"test","id":"a","verdict":"skipped","crash":"Skipped: no display"}', "1")
    assert Reported(source="1", id="a", verdict=CaseOutcome.SKIPPED, message="no display") == record


def test_the_stream_need_not_exist_yet(tmp_path: Path) -> None:
    """The command may take its time to start pytest."""
    assert [] == Stream(tmp_path / "later").read_new()


def test_files_of_several_processes_are_told_apart(tmp_path: Path) -> None:
    """Each process writes its own; other files do not matter."""
    (tmp_path / "2-b.jsonl").write_bytes(LINES[2] + b"\n")
    (tmp_path / "1-a.jsonl").write_bytes(LINES[2] + b"\n")
    (tmp_path / "other.txt").write_bytes(LINES[2] + b"\n")
    assert ["1-a", "2-b"] == [record.source for record in Stream(tmp_path).read_new()]


@given(st.lists(st.sampled_from([*LINES, b"torn {", b""]), max_size=12), st.lists(st.integers(0, 10_000), max_size=8))
def test_reading_in_pieces_gives_the_same_as_reading_at_once(lines: list[bytes], cuts: list[int]) -> None:
    """Wherever the writer was when it was read: each record comes once, whole, and in order."""
    data = b"".join(line + b"\n" for line in lines)
    with TemporaryDirectory() as folder:
        path = Path(folder) / "1.jsonl"
        path.touch()
        stream = Stream(Path(folder))
        found = []
        written = 0
        for cut in [*sorted(cut % (len(data) + 1) for cut in cuts), len(data)]:
            with path.open("ab") as file:
                file.write(data[written:cut])
            written = cut
            found += stream.read_new()
        expected = [parse(line, "1") for line in lines]
        assert [record for record in expected if record is not None] == found
        assert lines.count(b"torn {") == stream.ignored


def test_a_line_without_an_end_waits(tmp_path: Path) -> None:
    """What a killed process had begun to write is no record."""
    (tmp_path / "1.jsonl").write_bytes(LINES[2] + b"\n" + LINES[5])
    assert [RECORDS[2]] == Stream(tmp_path).read_new()


def test_an_endless_line_is_dropped_and_reading_goes_on(tmp_path: Path) -> None:
    """No more than a line is ever held."""
    path = tmp_path / "1.jsonl"
    stream = Stream(tmp_path)
    found = []
    with path.open("ab") as file:
        for _ in range(4):
            file.write(b"x" * LINE_LIMIT)
            file.flush()
            found += stream.read_new()
        file.write(b"\n" + LINES[2] + b"\n")
    found += stream.read_new()
    assert ([RECORDS[2]], 1) == (found, stream.ignored)


def test_switching_on_writes_what_the_probe_needs(tmp_path: Path) -> None:
    """The specification, a folder with nothing but the probe, and an empty stream."""
    folder = tmp_path / "run"
    variables = switch_on(
        folder,
        prefix="/env",
        distributions=("numpy",),
        modules={"numpy": ("numpy",)},
        project=("proj", ("proj",)),
        options="-o x=y",
    )
    expected = {
        "stream": str(folder / STREAM_NAME),
        "path": str(folder / "path"),
        "prefix": "/env",
        "distributions": ["numpy"],
        "modules": {"numpy": ["numpy"]},
        "project": {"name": "proj", "modules": ["proj"]},
        "options": "-o x=y",
        "stacks": str(folder / "stacks"),
        "stacks_at": 0,
    }
    assert expected == json.loads(Path(variables[VARIABLE]).read_text(encoding="utf-8"))
    files = [path for path in (folder / "path").rglob("*") if path.is_file()]
    assert {"_venvgrid_probe"} == {path.parent.name for path in files}
    assert {path.name for path in PROBE_FOLDER.glob("*.py")} - {"__init__.py"} == {path.name for path in files}
    assert (f"-p {PLUGIN} -o x=y", str(folder / "path")) == (variables["PYTEST_ADDOPTS"], variables["PYTHONPATH"])


def test_what_the_user_had_set_stays_in_force(tmp_path: Path) -> None:
    """The probe comes first, the user's own options and paths after it."""
    user = {"PYTEST_ADDOPTS": "-x --tb=short", "PYTHONPATH": os.pathsep.join(["/a", "/b"])}
    variables = switch_on(tmp_path / "run", prefix="/env", user_env=user)
    assert f"-p {PLUGIN} -x --tb=short" == variables["PYTEST_ADDOPTS"]
    assert os.pathsep.join([str(tmp_path / "run" / "path"), "/a", "/b"]) == variables["PYTHONPATH"]


@pytest.mark.skipif(os.name == "nt", reason="a folder's name may not hold a semicolon's counterpart there")
def test_a_folder_that_cannot_be_on_a_path_is_left_off(tmp_path: Path) -> None:
    """A separator in it would make two entries of it."""
    assert "PYTHONPATH" not in switch_on(tmp_path / "a:b", prefix="/env")


def test_a_folder_serves_one_run(tmp_path: Path) -> None:
    """The stream of an earlier attempt must not count for the next."""
    switch_on(tmp_path / "run", prefix="/env")
    with pytest.raises(FileExistsError):
        switch_on(tmp_path / "run", prefix="/env")


@pytest.mark.parametrize("file", sorted(PROBE_FOLDER.glob("*.py")), ids=lambda file: file.stem)
def test_the_probe_is_old_python(file: Path) -> None:
    """No syntax that Python 2.7 lacks, as far as its grammar of today tells: none of these nodes."""
    tree = ast.parse(file.read_text(encoding="utf-8"), feature_version=(3, 7))
    newer = (
        ast.JoinedStr,
        ast.AnnAssign,
        ast.NamedExpr,
        ast.AsyncFunctionDef,
        ast.YieldFrom,
        ast.Nonlocal,
    )
    found = [type(node).__name__ for node in ast.walk(tree) if isinstance(node, newer)]
    annotated = [
        node.name
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef)
        and (node.returns or node.args.kwonlyargs or any(argument.annotation for argument in node.args.args))
    ]
    assert ([], []) == (found, annotated)


def test_the_probe_keeps_its_unicode_prefixes() -> None:
    """On Python 2.7 a bare literal is bytes; formatters for Python 3 strip the prefix."""
    assert 'TEXT = type(u"")' in (PROBE_FOLDER / "results.py").read_text(encoding="utf-8")


def test_records_hold_no_impossible_number() -> None:
    """Durations are finite, whatever came."""
    record = parse(b'{"t":"test","id":"a","verdict":"passed","duration":1e308}', "1")
    assert isinstance(record, Reported)
    assert math.isfinite(record.duration)
