"""The inside of the probe, piece by piece, on the Python of today; all of it on every Python is tried end to end."""
# ruff: noqa: SIM300, SLF001 - expected == actual

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
from inside import probe

from venvgrid.outcomes.probe import switch_on
from venvgrid.processes.guests import PROBE_FOLDER

if TYPE_CHECKING:
    from pathlib import Path


plugin, results, stream, switch = (probe(name) for name in ("plugin", "results", "stream", "switch"))


def report(when: str = "call", outcome: str = "passed", name: str = "TestReport", **values: object) -> object:
    """A report as pytest makes them, as far as the probe looks at it."""
    return type(name, (), {"when": when, "outcome": outcome, "duration": 0.5, "nodeid": "t", **values})()


SETUP, CALL, TEARDOWN = report("setup"), report(), report("teardown")


@pytest.mark.parametrize(
    ("reports", "expected"),
    [
        ([SETUP, CALL, TEARDOWN], "passed"),
        ([SETUP, TEARDOWN], None),
        ([SETUP], None),
        ([SETUP, report(outcome="failed"), TEARDOWN], "failed"),
        ([report("setup", "failed"), TEARDOWN], "error"),
        ([SETUP, CALL, report("teardown", "failed")], "error"),
        ([SETUP, report(outcome="failed"), report("teardown", "failed")], "failed"),
        ([report("setup", "skipped"), TEARDOWN], "skipped"),
        ([SETUP, report(outcome="skipped"), TEARDOWN], "skipped"),
        ([SETUP, report(outcome="skipped", wasxfail="bug"), TEARDOWN], "xfailed"),
        ([SETUP, report(wasxfail="bug"), TEARDOWN], "xpassed"),
        ([SETUP, report(outcome="skipped"), report("teardown", "failed")], "error"),
        ([SETUP, report(outcome="rerun"), SETUP, CALL, TEARDOWN], "passed"),
        ([SETUP, report(outcome="retried"), report(outcome="failed"), TEARDOWN], "failed"),
        ([SETUP, report(outcome="failed", name="SubTestReport"), CALL, TEARDOWN], "failed"),
        ([SETUP, report(outcome="skipped", name="SubtestReport"), CALL, TEARDOWN], "passed"),
        ([SETUP, report(name="SubtestReport"), TEARDOWN], None),
        ([report("???", "failed")], "failed"),
        ([SETUP, report(outcome="a plugin's own"), TEARDOWN], "failed"),
    ],
)
def test_phases_and_subtests_come_to_one_verdict(reports: list[object], expected: str | None) -> None:
    """The worst counts; setup and teardown alone prove nothing; what is unknown is not green."""
    test = results.TestResult(0.0)
    for item in reports:
        test.add(item)
    assert expected == test.verdict


def test_durations_are_of_the_probes_own_clock() -> None:
    """In this process by the clock, of a worker's test by its reports, never negative."""
    local, remote, backwards = results.TestResult(10.0), results.TestResult(10.0), results.TestResult(10.0)
    for item in (
        report("setup", duration=0.25),
        report(duration=0.5),
        report(duration=float("nan")),
        report(duration=-5),
    ):
        local.add(item)
    for item in (report("setup", node=1, duration=0.25), report(node=1, duration=0.5)):
        remote.add(item)
    assert (2.0, 0.75, 0.0) == (
        local.duration(lambda: 12.0),
        remote.duration(lambda: 99.0),
        backwards.duration(lambda: 3.0),
    )


# the switch


@pytest.fixture
def switched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """An environment in which the probe is on, and what the user had set in it."""
    user = {"PYTEST_ADDOPTS": "-x -p no:doctest", "PYTHONPATH": "/mine"}
    variables = {**user, **switch_on(tmp_path / "run", prefix=sys.prefix, options="-o a=b", user_env=user)}
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(sys, "path", [str(tmp_path / "run" / "path"), str(PROBE_FOLDER.parent), "/else"])
    return variables


def environment() -> dict[str, str | None]:
    """The variables that matter."""
    return {name: os.environ.get(name) for name in ("PYTEST_ADDOPTS", "PYTHONPATH", "VENVGRID_PROBE")}


def test_the_switch_removes_itself_and_nothing_else(switched: dict[str, str]) -> None:
    """What the user had set is as it was; the path entry is gone, for there is another copy."""
    assert switched["VENVGRID_PROBE"] == switch.Switch.take().path
    assert {"PYTEST_ADDOPTS": "-x -p no:doctest", "PYTHONPATH": "/mine", "VENVGRID_PROBE": None} == environment()
    assert [str(PROBE_FOLDER.parent), "/else"] == sys.path


def test_the_switch_can_be_restored(switched: dict[str, str]) -> None:
    """For a second session of the same process: all is as it was."""
    switch.Switch.take().restore()
    assert {name: switched[name] for name in environment()} == environment()


@pytest.mark.usefixtures("switched")
def test_what_a_wrapper_added_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    """A script between venvgrid and pytest may append options of its own."""
    monkeypatch.setenv("PYTEST_ADDOPTS", f"--before {os.environ['PYTEST_ADDOPTS']} --after")
    switch.Switch.take()
    assert "--before -o a=b -x -p no:doctest --after" == os.environ["PYTEST_ADDOPTS"]


@pytest.mark.usefixtures("switched")
def test_the_only_copy_stays_on_the_path(monkeypatch: pytest.MonkeyPatch) -> None:
    """On another interpreter there is no other, and its workers must import it."""
    path = [entry for entry in sys.path if entry != str(PROBE_FOLDER.parent)]
    monkeypatch.setattr(sys, "path", list(path))
    switch.Switch.take()
    assert path == sys.path


def test_without_the_switch_nothing_happens(monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody runs pytest in the environment by hand, or the specification is gone."""
    monkeypatch.delenv("VENVGRID_PROBE", raising=False)
    assert None is switch.Switch.take()
    monkeypatch.setenv("VENVGRID_PROBE", "/nowhere/probe.json")
    plugin.pytest_addoption(None)
    assert [] == plugin._armed


# the writer


def lines(folder: Path) -> list[Any]:
    """What was written."""
    return [json.loads(line) for path in sorted(folder.iterdir()) for line in path.read_bytes().splitlines()]


def test_a_writer_survives_the_loss_of_its_descriptor(tmp_path: Path) -> None:
    """Closed, and reused for another file."""
    folder = tmp_path / "stream"
    folder.mkdir()
    writer = stream.Writer(str(folder))
    writer.add({"n": 1})
    os.close(writer.fd)
    writer.add({"n": 2})
    os.close(writer.fd)
    with (tmp_path / "other").open("wb", buffering=0) as other:
        assert writer.fd == other.fileno()
        writer.add({"n": 3})
        writer.close()
        other.write(b"mine")
    assert ([{"n": 1}, {"n": 2}, {"n": 3}], b"mine") == (lines(folder), (tmp_path / "other").read_bytes())


def test_a_torn_line_does_not_spoil_the_next(tmp_path: Path) -> None:
    """A disk that was full for a moment."""
    writer = stream.Writer(str(tmp_path))
    real, calls = writer.write, []

    def full_for_a_moment(fd: int, data: bytes) -> int:
        calls.append(data)
        if len(calls) == 2:
            raise OSError(errno.ENOSPC, "no space")
        return int(real(fd, data[:5] if len(calls) == 1 else data))

    writer.write = full_for_a_moment
    writer.add({"n": 1})
    writer.add({"n": 2})
    (path,) = tmp_path.iterdir()
    assert [b'{"n":', b'{"n":2}'] == path.read_bytes().splitlines()


def test_only_the_process_that_was_configured_writes(tmp_path: Path) -> None:
    """A forked child has another id."""
    writer = stream.Writer(str(tmp_path))
    writer.getpid = lambda: -1
    writer.add({"n": 1})
    assert [] == list(tmp_path.iterdir())


FORKED = """
import faulthandler, os, signal, sys, time
sys.path.insert(0, sys.argv[1])
import stream
stacks = stream.Stacks({"stacks_at": time.time() + 600, "stacks": sys.argv[2]})
armed, stacks.later = [], lambda *_, **__: armed.append(1)
child = os.fork()
if not child:
    signal.alarm(10)
    faulthandler.cancel_dump_traceback_later()
    os._exit(0)
assert os.waitpid(child, 0)[1] == 0
stacks.start()
assert armed == [1]
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_forked_child_does_not_wait_for_the_dump_of_its_parent(tmp_path: Path) -> None:
    """A failure cancels the dump, by pytest: in a child of pytest-forked, that would wait for ever."""
    argv = [sys.executable, "-c", FORKED, str(PROBE_FOLDER), str(tmp_path)]
    subprocess.run(argv, check=True, env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"})
