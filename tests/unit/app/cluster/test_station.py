"""The station of a worker: text in, text out, whatever comes."""

from __future__ import annotations

import base64
import json
import os
import shutil
import threading
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import pytest
from machinery import build

from venvgrid.app.cluster import station
from venvgrid.app.cluster.station import Station
from venvgrid.model.version import __version__
from venvgrid.running.executors.remote import jobs
from venvgrid.running.executors.remote.jobs import Blob, Job, Places
from venvgrid.running.executors.remote.machines import parse_inventory

if TYPE_CHECKING:
    from pathlib import Path

CONTENT = b"content"
DIGEST = sha256(CONTENT).hexdigest()


def make(tmp_path: Path, **options: Any) -> Station:
    """Make a worker with a cache of its own."""
    environ = {"PATH": os.environ["PATH"], "VENVGRID_CACHE_DIR": str(tmp_path / "cache"), "HOME": str(tmp_path)}
    return Station(environ, tmp_path, slots=1, **{"name": "w", **options})


def ask(of: Station, **question: Any) -> Any:
    return json.loads(of.answer(json.dumps(question)))


def job(tmp_path: Path, plan: str = "p", run: str = "r", digest: str = DIGEST) -> str:
    made = Job(
        run=run, plan=plan, bundle=Blob(digest=digest, size=7), attempt=1, together=1, task=build("a"), build=None
    )
    return jobs.render_job(made, Places(tmp_path / "project"))


def give(to: Station, content: bytes = CONTENT) -> None:
    """Give a worker a content."""
    data = base64.b64encode(content).decode()
    assert ask(to, op="put", digest=sha256(content).hexdigest(), offset=0, data=data, last=True) == {}


def test_a_worker_says_what_it_has(tmp_path: Path) -> None:
    """Its name, version, slots, memory and process; when it ends, by its own clock."""
    found = parse_inventory(json.dumps(ask(make(tmp_path, ends=5e9), op="inventory")))
    assert (found.name, found.venvgrid, found.slots, found.process) == ("w", __version__, 1, os.getpid())
    assert 0 < found.left < 5e9


@pytest.mark.parametrize(
    "question", ["", "[]", "{}", "3", '{"op": "x"}', '{"op": "put"}', '{"op": "get", "digest": "../x"}', '{"op": []}']
)
def test_nonsense_has_an_answer(tmp_path: Path, question: str) -> None:
    """A question that is none is answered with an error, and the worker goes on."""
    of = make(tmp_path)
    assert list(json.loads(of.answer(question))) == ["error"]
    assert ask(of, op="lacks", digests=[DIGEST]) == {"lacks": [DIGEST]}


def test_a_job_without_its_files_asks_for_them(tmp_path: Path) -> None:
    """First the bundle is missing; one that is no bundle is the worker's trouble, not a verdict."""
    of = make(tmp_path)
    assert jobs.parse_answer(of.execute(job(tmp_path))).needs == (DIGEST,)
    give(of)
    answer = jobs.parse_answer(of.execute(job(tmp_path)))
    assert answer.trouble.startswith("the bundle of the run cannot be used")
    assert (answer.error, answer.result) == ("", "")


def test_a_worker_is_for_one_plan(tmp_path: Path) -> None:
    """The first that comes, or the one it was started for; None stands for all. What it refuses is nobody's fault."""
    first, given, every = make(tmp_path, bound=""), make(tmp_path, bound="p"), make(tmp_path, bound=None)
    for of in (first, given, every):
        assert jobs.parse_answer(of.execute(job(tmp_path, "p"))).needs == (DIGEST,)
    for of in (first, given):
        refused = jobs.parse_answer(of.execute(job(tmp_path, "q")))
        assert (refused.refuses, refused.needs) == ("it was started for the plan p alone", ())
        assert of.inventory().bound == "p"
    assert jobs.parse_answer(every.execute(job(tmp_path, "q"))).needs == (DIGEST,)


def test_a_machine_writes_only_where_it_may(tmp_path: Path) -> None:
    """Each worker has a folder of its own in the cache; all share the contents, which have digests for names."""
    one, two = make(tmp_path, name=""), make(tmp_path, name="")
    assert one.inventory().name != two.inventory().name
    give(one)
    assert ask(two, op="lacks", digests=[DIGEST]) == {"lacks": []}
    assert base64.b64decode(ask(two, op="get", digest=DIGEST, offset=0, size=99)["data"]) == CONTENT


def test_a_session_that_was_stopped_begins_anew(tmp_path: Path) -> None:
    """A machine that was out of reach has stopped its cells. When it is back, the run may send it others."""

    class Stopped:
        run, is_stopped, closed = "r", True, False

        def stop(self, *, urgent: bool) -> None:
            del urgent

        def close(self) -> None:
            self.closed = True

    of, session = make(tmp_path), Stopped()
    give(of)
    of._session = session  # type: ignore[assignment]  # noqa: SLF001
    answer = jobs.parse_answer(of.execute(job(tmp_path)))
    assert session.closed
    assert answer.trouble.startswith("the bundle of the run cannot be used"), "it is opened again"


class Slow(Station):
    """A worker whose sessions wait until they are told to go on."""

    began: threading.Event
    go_on: threading.Event
    order: list[str]

    def _session_of(self, run: str, bundle: str, together: int) -> Any:
        del bundle, together
        slow = self

        class Session:
            places = Places(slow._place)

            def lacks(self, _job: Job) -> list[str]:
                return []

            def do(self, _job: Job) -> jobs.Answer:
                slow.order.append(run)
                slow.began.set()
                slow.go_on.wait(30)
                slow.order.append(run)
                return jobs.Answer(attempt=1, machine="w", result="{}")

        return Session()


def test_two_runs_wait_for_each_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker does nothing of a second run while cells of the first one run: it would end them."""
    environ = {"PATH": os.environ["PATH"], "VENVGRID_CACHE_DIR": str(tmp_path / "cache"), "HOME": str(tmp_path)}
    monkeypatch.setattr(station, "WATCH", 0.01)
    asked = threading.Event()

    def is_wanted(key: str) -> bool:
        if key == "k2":
            asked.set()
        return True

    of = Slow(environ, tmp_path, slots=1, name="w", is_wanted=is_wanted)
    of.began, of.go_on, of.order = threading.Event(), threading.Event(), []
    give(of)
    first = threading.Thread(target=of.execute, args=(job(tmp_path, run="one"), "k1"))
    first.start()
    assert of.began.wait(30)
    second = threading.Thread(target=of.execute, args=(job(tmp_path, run="two"), "k2"))
    second.start()
    assert asked.wait(30), "it waits, and looks whether it is still wanted"
    of.go_on.set()
    for thread in (first, second):
        thread.join(30)
    assert of.order == ["one", "one", "two", "two"]


def test_a_job_that_nobody_wants_stops_waiting(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its coordinator was stopped while the worker was busy for another run."""
    monkeypatch.setattr(station, "WATCH", 0.01)
    of = make(tmp_path, is_wanted=lambda key: key != "gone")
    of._running["k"] = "other"  # noqa: SLF001
    assert jobs.parse_answer(of.execute(job(tmp_path), "gone")).trouble == "another run has it"


@pytest.mark.parametrize(
    ("free", "result", "trouble"),
    [
        (0, {"TestDone": "OSError: [Errno 28] No space left on device"}, "No space left on device"),
        (0, {"TestDone": "AssertionError"}, ""),
        (1 << 30, {"TestDone": "a test prints: No space left on device"}, ""),
        (1 << 30, {"TaskFailed": "error: x.py: No space left on device"}, "No space left on device"),
        (0, {"TaskFailed": "error: no such package"}, ""),
    ],
)
def test_a_full_disk_is_no_verdict(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, free: int, result: dict[str, str], trouble: str
) -> None:
    """What tools say of a full disk is the machine's trouble: of a build always, of a test if the disk is full."""
    of = make(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: type("Usage", (), {"free": free}))
    answer = of._checked(jobs.Answer(attempt=1, machine="w", result=json.dumps(result)))  # noqa: SLF001
    assert answer.trouble.partition(" (")[0] == trouble
    assert (answer.result == "") is bool(trouble)
