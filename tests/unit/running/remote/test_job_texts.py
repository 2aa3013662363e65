"""Jobs and answers are text: every value comes back equal, on another machine with its own folder."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from machinery import build, check, keep, machine

from venvgrid import testing
from venvgrid.model import Event, Mark, Plan, PlannedCell, Product, ProductAxis, Status
from venvgrid.running.executors.remote import jobs, machines
from venvgrid.running.executors.remote.jobs import Answer, Blob, Job, Places, SentFile
from venvgrid.running.tasks import BuildTask, Task, TaskFailed, TaskResult

ROOT = Path("/home/me/pröject (1)")
BLOB = Blob(digest="d" * 64, size=1)
ENDS = ("", "/a/b.py", ":3: error", " and more", "'", ")")
FOUND = [
    *(f"{start}{ROOT}{end}" for start in ("", "in ", "'", "x=", "a:") for end in ENDS),
    *(f"demo @ {ROOT.as_uri()}{end}" for end in ENDS),
    *("\0", "\0root\0", "\0nul\0", f"\0{ROOT}\0uri\0", f"{ROOT}2", f"/a{ROOT}", f"file:{ROOT}"),
]
TEXTS = st.text(max_size=9) | st.sampled_from(FOUND)
st.register_type_strategy(str, TEXTS)
st.register_type_strategy(Path, st.sampled_from([ROOT, ROOT / "a", Path("/usr/bin/python"), Path("a/b")]))
st.register_type_strategy(float, st.floats(allow_nan=False, allow_infinity=False))
PRODUCTS = st.lists(st.lists(TEXTS, min_size=1, max_size=3, unique=True), min_size=1, max_size=3).map(
    lambda found: Product(
        axes=tuple(
            ProductAxis(name=f"a{place}", values=tuple(values), parts=tuple(f"{place}.{n}" for n in range(len(values))))
            for place, values in enumerate(found)
        ),
        order=tuple(range(len(found))),
        marks=(Mark(values={"a0": tuple(found[0][:1])}, status=Status.EXCLUDED, reason="excluded"),),
    )
)
st.register_type_strategy(
    Plan, st.builds(Plan, cells=st.lists(st.from_type(PlannedCell), max_size=3).map(tuple) | PRODUCTS)
)
SOME = settings(max_examples=8, suppress_health_check=[HealthCheck.too_slow], deadline=None)


@pytest.mark.parametrize("kind", get_args(Task), ids=lambda kind: kind.__name__)
@SOME
@given(data=st.data())
def test_a_job_goes_through_text(kind: type[Any], data: st.DataObject) -> None:
    """Law: whatever a task holds, the job is the same after JSON; JSON of ASCII, whatever the names are."""
    task, built = data.draw(st.from_type(kind)), data.draw(st.none() | st.from_type(BuildTask))
    job = Job(run="r", plan="p", bundle=BLOB, attempt=2, together=3, task=task, build=built, wheel=BLOB)
    text = jobs.render_job(job, Places(ROOT))
    assert text.isascii()
    assert jobs.parse_job(json.loads(text), Places(ROOT)) == job


@pytest.mark.parametrize("kind", get_args(TaskResult), ids=lambda kind: kind.__name__)
@SOME
@given(data=st.data())
def test_a_result_goes_through_text(kind: type[Any], data: st.DataObject) -> None:
    """Law: whatever a result holds is the same after its way."""
    value, places = data.draw(st.from_type(kind)), Places(ROOT)
    assert jobs.parse_result(jobs.render_value(value, places), places) == value


@pytest.mark.parametrize("kind", get_args(Event), ids=lambda kind: kind.__name__)
@SOME
@given(data=st.data())
def test_an_event_goes_through_text(kind: type[Any], data: st.DataObject) -> None:
    """Law: whatever an event holds is the same after its way."""
    value, places = data.draw(st.from_type(kind)), Places(ROOT)
    assert jobs.parse_event(jobs.render_value(value, places), places) == value


@given(text=TEXTS, there=st.sampled_from(["/", "/x", "/home/you/ü", "/a\\1b"]))
def test_another_machine_has_its_own_folder_and_sends_ours_back(text: str, there: str) -> None:
    """Law: what goes there and comes back unchanged is what was sent, whatever folder they have."""
    here, other = Places(ROOT), Places(Path(there) / "files")
    arrived = other.restored(here.marked(text))
    assert here.restored(here.marked(text)) == text
    if str(Path(there) / "files") not in text:
        assert here.restored(other.marked(arrived)) == text


@pytest.mark.parametrize(
    ("text", "arrived"),
    [
        ("/src", "/there/files"),
        ("/src/a.py:3", "/there/files/a.py:3"),
        ('File "/src/a.py"', 'File "/there/files/a.py"'),
        ("demo @ file:///src", "demo @ file:///there/files"),
        ("--rootdir=/src", "--rootdir=/there/files"),
        ("/usr/src/python", "/usr/src/python"),
        ("/src2/a", "/src2/a"),
        ("/src.old", "/src.old"),
        ("/src-1", "/src-1"),
        ("examples/src/a.py", "examples/src/a.py"),
        ("../src", "../src"),
        ("https://host/src/x", "https://host/src/x"),
    ],
)
def test_only_the_project_is_translated(text: str, arrived: str) -> None:
    """A path below the project is that of the other machine; what only looks like one stays."""
    assert Places(Path("/there/files")).restored(Places(Path("/src")).marked({"a": [text, 1]})) == {"a": [arrived, 1]}


def test_an_answer_goes_through_text() -> None:
    """What a machine says comes back whole, files included."""
    files = (SentFile(name="logs/a.log", packed="eA=="), SentFile(name="b", blob=BLOB))
    for answer in (
        Answer(attempt=1, machine="m", result="{}", events=("{}", "[]"), files=files),
        Answer(attempt=1, machine="m", long_result=BLOB),
        Answer(attempt=1, machine="m", needs=("d",), refuses="r", trouble="t", error="e"),
    ):
        assert jobs.parse_answer(jobs.render_answer(answer)) == answer


@pytest.mark.parametrize("text", ["", "{", "[]", "3", "null", '{"attempt": "x", "machine": 1}', '{"machine": "m"}'])
def test_what_is_no_answer_is_refused(text: str) -> None:
    """Any text is either an answer or one of the errors that the executor expects."""
    with pytest.raises((ValueError, KeyError, TypeError)):
        jobs.parse_answer(text)
    with pytest.raises((ValueError, KeyError, TypeError)):
        jobs.parse_result(text, Places(ROOT))


def test_a_result_belongs_to_its_task() -> None:
    """A failure can be that of any task, all else of one kind only, and a test's result has the id of its cell."""
    tasks: list[Task] = [build("a"), check("a"), keep("a")]
    done = [testing.FakeWorker().execute(task, lambda _event: None) for task in tasks]
    for task in tasks:
        assert jobs.is_result_of(task, TaskFailed(reason="r", detail="d"))
        assert [jobs.is_result_of(task, result) for result in done].count(True) == 1
    assert not jobs.is_result_of(check("b"), done[1])


def test_an_inventory_goes_through_text_and_knows_what_is_left() -> None:
    """All that a machine says arrives; its end is counted by its own clock."""
    made = machine(ends=1100.0, now=1000.0, bound="p", process=3)
    assert machines.parse_inventory(made.render()) == made
    assert made.left == 100.0
    assert json.loads(made.render())["venvgrid"] == made.venvgrid


def test_an_interpreter_is_the_same_wherever_it_is() -> None:
    """Where it lies does not matter; version, build and platform do."""
    one = testing.interpreter("3.12.1")
    assert machines.identity(one) == machines.identity(replace(one, executable="/elsewhere/python"))
    for other in (testing.interpreter("3.12.2"), testing.interpreter("3.12.1", free_threaded=True)):
        assert machines.identity(one) != machines.identity(other)
    assert machines.identity(one) != machines.identity(replace(one, platform="linux-aarch64"))
