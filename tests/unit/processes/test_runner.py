"""The logic around processes, without any."""
# ruff: noqa: SIM300 - expected == actual

from __future__ import annotations

import errno
import os
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from venvgrid.processes import capture, runner
from venvgrid.processes.children import Ending, ending_of, find_executable, wait_until
from venvgrid.processes.command import Cancellation, Command, Completed
from venvgrid.processes.diagnosis import start_failure
from venvgrid.processes.runner import run
from venvgrid.processes.supervision import supervisor

if TYPE_CHECKING:
    from pathlib import Path

posix = pytest.mark.skipif(os.name != "posix", reason="files are executable by their permissions on POSIX")

words = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]))
names = st.text(st.characters(exclude_characters="\0=", exclude_categories=["Cs"]), min_size=1)


@given(words, words, st.lists(words, min_size=1), st.dictionaries(names, words))
def test_request_arrives_as_it_was_sent(path: str, cwd: str, argv: list[str], env: dict[str, str]) -> None:
    """What the supervisor reads is what was asked of it: arguments and variables may hold anything but NUL."""
    request = supervisor.encode(path, cwd, tuple(argv), env)
    size, body = int(request[:12]), request[12:]
    expected = (
        os.fsencode(path),
        os.fsencode(cwd),
        [os.fsencode(word) for word in argv],
        {os.fsencode(name): os.fsencode(value) for name, value in env.items()},
    )
    assert (len(body), expected) == (size, supervisor.decode(body))


@pytest.mark.parametrize("env", [{"": "x"}, {"a=b": "x"}, {"a\0b": "x"}, {"a": "x\0y"}])
def test_request_that_cannot_be(env: dict[str, str]) -> None:
    """What no process can be given is refused before it is sent."""
    with pytest.raises(ValueError, match=r"illegal environment variable name|embedded null byte"):
        supervisor.encode("/bin/true", "/", ("true",), env)


@given(st.binary(), st.sampled_from("RSDZT"), st.integers(0, 99999), st.integers(0, 99999), st.integers(0, 99999))
def test_stat_of_a_process_with_any_name(name: bytes, state: str, parent: int, group: int, session: int) -> None:
    """A process may be named so that its line in /proc looks like another's."""
    entry = supervisor.ProcessStat(
        b"12 (%b) %b %d %d %d 0 -1 4194304\n" % (name, state.encode(), parent, group, session)
    )
    assert (state, parent, group, session) == (entry.state, entry.parent, entry.group, entry.session)


@posix
@pytest.mark.parametrize(
    ("code", "expected"),
    [
        (0, Ending(exit_code=0)),
        (255, Ending(exit_code=255)),
        (-11, Ending(signal="SIGSEGV")),
        (-9, Ending(signal="SIGKILL")),
        (-40, Ending(signal="SIG40")),
    ],
)
def test_return_code_on_posix(code: int, expected: Ending) -> None:
    """A negative return code is a signal, by its name."""
    assert expected == ending_of(code, platform="linux")


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        (0, Ending(exit_code=0, leaked=1)),
        (3221225477, Ending(signal="ACCESS_VIOLATION", leaked=1)),
        (-1073741819, Ending(signal="ACCESS_VIOLATION", leaked=1)),
        (4294967295, Ending(exit_code=4294967295, leaked=1)),
    ],
)
def test_return_code_on_windows(code: int, expected: Ending) -> None:
    """An NTSTATUS of an exception is a death, signed or not; any other number an exit code."""
    assert expected == ending_of(code, leaked=1, platform="win32")


def test_only_exit_code_zero_by_itself_is_ok() -> None:
    """No command that was stopped, or did not start, is ok, whatever its exit code."""
    good = Completed(argv=("true",), exit_code=0)
    bad = [
        replace(good, exit_code=1),
        replace(good, exit_code=None, signal="SIGKILL"),
        replace(good, timed_out=True),
        replace(good, cancelled=True),
        replace(good, error="could not start true: no"),
    ]
    assert (True, [False] * 5) == (good.ok, [one.ok for one in bad])


def test_cancellation_counts_to_two() -> None:
    """Set once it asks, set again it presses."""
    cancellation = Cancellation()
    seen = [(cancellation.is_set(), cancellation.is_urgent())]
    for _ in range(2):
        cancellation.set()
        seen.append((cancellation.is_set(), cancellation.is_urgent()))
    assert [(False, False), (True, False), (True, True)] == seen


def test_nothing_starts_after_a_cancellation(tmp_path: Path) -> None:
    """A command whose cancellation is set is not even looked for."""
    cancellation = Cancellation()
    cancellation.set()
    command = Command(argv=("no-such-command",), cwd=tmp_path, env={})
    assert Completed(argv=command.argv, exit_code=None, cancelled=True) == run(command, cancellation=cancellation)


@posix
def test_command_is_found_on_its_own_path(tmp_path: Path) -> None:
    """The PATH that counts is the command's; its relative entries are relative to the command's folder."""
    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "tool").write_text("#!/bin/sh\n")
    (tmp_path / "two" / "tool").chmod(0o755)
    env = {"PATH": f"{tmp_path / 'gone'}{os.pathsep}{tmp_path / 'one'}{os.pathsep}two"}
    assert str(tmp_path / "two" / "tool") == find_executable("tool", tmp_path, env)
    with pytest.raises(FileNotFoundError):
        find_executable("tool", tmp_path, {"PATH": str(tmp_path / "one")})


def test_command_with_a_folder_is_not_searched(tmp_path: Path) -> None:
    """A name with a folder is taken as seen from the command's folder."""
    name = os.path.join(".", "tool")  # noqa: PTH118 - a Path would drop the dot
    assert str(tmp_path / "tool") == find_executable(name, tmp_path, {"PATH": ""})


def test_reason_names_what_is_missing(tmp_path: Path) -> None:
    """The same error number means different things; the line says which."""
    missing = FileNotFoundError(errno.ENOENT, "No such file or directory")
    script = tmp_path / "script"
    script.touch()
    inner = "the interpreter that it names (in its #! line, or its loader) does not exist"
    assert [
        "could not start ./x: No such file or directory",
        f"could not start {script}: {inner}",
        f"could not start x: there is no folder {tmp_path / 'gone'} to run it in",
        f"could not start {tmp_path}: it is a directory",
    ] == [
        start_failure("./x", tmp_path, missing),
        start_failure(str(script), tmp_path, missing),
        start_failure("x", tmp_path / "gone", missing),
        start_failure(str(tmp_path), tmp_path, PermissionError(errno.EACCES, "Permission denied")),
    ]


def test_waiting_ends_with_the_condition_or_the_time() -> None:
    """Waiting says whether the condition came true; without time it still looks once."""
    answers = iter([False, False, True])
    assert (True, True, False) == (
        wait_until(lambda: next(answers), 60.0),
        wait_until(lambda: True, 0.0),
        wait_until(lambda: False, 0.0),
    )


@posix
def test_what_is_printed_just_before_the_end_is_not_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    """A look at the pipe finds nothing; then the command prints and ends: its output is read all the same."""
    reading, writing = os.pipe()

    class Poller:
        """Once too early; then as it is."""

        looks = 0

        def register(self, _descriptor: int, _mask: int) -> None:
            """Accept any descriptor."""

        def poll(self, _timeout: float) -> list[int]:
            """Return whether there is output."""
            Poller.looks += 1
            if Poller.looks == 1:
                os.write(writing, b"the last words")
                os.close(writing)
                pump.command_ended()
                return []
            return [reading]

    pump = capture.Pump(os.fdopen(reading, "rb", buffering=0), capture.TailBuffer())
    monkeypatch.setattr("venvgrid.processes.capture.select.poll", Poller)
    pump.run()
    assert ("the last words", 3) == (pump.text, Poller.looks)


@posix
@pytest.mark.parametrize("size", [1, 1000])
def test_all_that_is_in_the_pipe_at_the_end_is_read(size: int) -> None:
    """However small the pieces are in which it was written."""
    reading, writing = os.pipe()
    for _ in range(60):
        os.write(writing, b"x" * size)
    pump = capture.Pump(os.fdopen(reading, "rb", buffering=0), capture.TailBuffer())
    pump.command_ended()
    pump.run()
    os.close(writing)
    assert "x" * 60 * size == pump.text


@posix
def test_small_pieces_are_gathered(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is written while the pump waits a moment comes in one piece; after a large piece it does not wait."""
    reading, writing = os.pipe()
    pieces = [[b"x"], [b"y"] * 10, [b"z" * capture.SMALL], []]
    seen: list[bytes] = []
    sink = capture.TailBuffer()
    pump = capture.Pump(os.fdopen(reading, "rb", buffering=0), sink, listen=seen.append)

    def write_next(_seconds: float = 0.0) -> bool:
        for piece in pieces.pop(0):
            os.write(writing, piece)
        return False

    def read_large(data: bytes) -> None:
        seen.append(data)
        if len(data) >= capture.SMALL:
            os.close(writing)

    monkeypatch.setattr(pump, "_listen", read_large)
    monkeypatch.setattr(pump._over, "wait", write_next)  # noqa: SLF001
    write_next()
    pump.run()
    assert ([1, 10, capture.SMALL], [[]]) == ([len(item) for item in seen], pieces)


class Clock:
    """Time that passes only when something waits."""

    def __init__(self) -> None:
        self.now = 0.0

    def monotonic(self) -> float:
        return self.now


class Waited:
    """A command that takes 10 seconds; venvgrid itself is stopped in the first second, for as long as is said."""

    pid = 0

    def __init__(self, clock: Clock, stopped: float) -> None:
        self.clock, self.stopped, self.takes = clock, stopped, 10.0
        self.ended = False

    def wait(self, timeout: float) -> bool:
        self.clock.now += timeout
        if self.clock.now > 1.0:
            self.clock.now, self.stopped = self.clock.now + self.stopped, 0.0
        return self.ended or self.clock.now >= self.takes

    def terminate(self) -> None:
        self.ended = True

    kill = terminate


@pytest.mark.parametrize(("limit", "stopped", "timed_out"), [(8.0, 3.0, False), (8.0, 0.0, True), (5.0, 3.0, True)])
def test_time_in_which_venvgrid_was_stopped_is_not_the_commands(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, *, limit: float, stopped: float, timed_out: bool
) -> None:
    """Nobody has read its output then; after ^Z and `fg` it gets what is left of its limit."""
    clock = Clock()
    monkeypatch.setattr(runner, "time", clock)
    command = Command(argv=("tests",), cwd=tmp_path, env={}, timeout=limit)
    child = Waited(clock, stopped)
    found = runner.watch(child, command, Cancellation(), None)  # type: ignore[arg-type]
    assert found == (timed_out, False, False)
