"""The only door to other programs: a command is a value, and so is what became of it.

A command ends when its main process ends, not when its output does. Nothing outlives it that can be found: see
`children` and, for commands that run foreign code, `supervisor`. `run` may be called from several threads at once.
"""

from __future__ import annotations

import contextlib
import errno
import os
import select
import signal
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Any

from venvgrid.model.errors import InfrastructureError
from venvgrid.processes import capture, memory, supervisor
from venvgrid.processes.children import Child, GroupChild, SupervisedChild, find_executable
from venvgrid.processes.command import Cancellation, Command, Completed
from venvgrid.processes.diagnosis import start_failure

if TYPE_CHECKING:
    from collections.abc import Callable

POLL_INTERVAL = 0.05
STOPPED = (
    2.0  # seconds that a turn may be late on a busy machine; beyond it we were stopped: by ^Z, or with the machine
)
CANCEL_GRACE = 1.0
CHUNK = 64 * 1024
DRAIN_LIMIT = 1024 * 1024  # bytes that are read after the end: as much as a pipe holds, should someone keep on writing
DRAIN_PATIENCE = 60.0  # seconds for a machine that is too busy, or a disk too slow, to take them

# All that the supervisor's own Python may need. Its environment can be read by the tests, so it holds nothing else.
_SUPERVISOR_VARIABLES = ("LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "DYLD_FRAMEWORK_PATH")


def run(
    command: Command,
    *,
    cancellation: Cancellation | None = None,
    poll: Callable[[], None] | None = None,
) -> Completed:
    """Run a command to its end and say what became of it.

    `poll` is called about every 50 ms from this thread while the command runs, and once after it; what it raises ends
    the command and is raised again.

    Raises:
        InfrastructureError: the log cannot be opened.
    """
    cancellation = cancellation or Cancellation()
    began = time.monotonic()
    if cancellation.is_set():
        return Completed(argv=command.argv, exit_code=None, cancelled=True)
    try:
        started = _start(command)
    except _NotStartedError as error:
        return Completed(argv=command.argv, exit_code=None, error=str(error), duration=time.monotonic() - began)
    try:
        timed_out, cancelled, over_memory = watch(started.child, command, cancellation, poll)
    except BaseException:
        started.child.kill()
        started.child.wait(supervisor.GIVE_UP)
        raise
    finally:
        ending = started.child.finish()
        texts = [pump.finish() for pump in started.pumps]
    if poll is not None:
        poll()
    is_lost = any(text is None for text in texts)
    lost = f"the output of {command.argv[0]} could not be read to its end" if is_lost else ""
    return Completed(
        argv=command.argv,
        exit_code=None if is_lost else ending.exit_code,
        signal=ending.signal,
        timed_out=timed_out,
        cancelled=cancelled,
        over_memory=over_memory,
        duration=time.monotonic() - began,
        stdout=texts[0] or "",
        stderr=(texts[1] or "") if len(texts) > 1 else "",
        error=start_failure(command.argv[0], command.cwd, ending.error) if ending.error else lost,
        leaked=ending.leaked,
    )


def watch(
    child: Child,
    command: Command,
    cancellation: Cancellation,
    poll: Callable[[], None] | None,
) -> tuple[bool, bool, bool]:
    """Wait for the end, or bring it about; give whether it timed out, was cancelled, or held too much memory."""
    deadline = time.monotonic() + command.timeout if command.timeout is not None else float("inf")
    kill_at = float("inf")
    look_at = time.monotonic() if command.memory else float("inf")
    timed_out = cancelled = over_memory = False
    while True:
        before = time.monotonic()
        turn = min(POLL_INTERVAL, max(0.0, min(deadline, kill_at) - before))
        if child.wait(turn):
            break
        if (late := time.monotonic() - before - turn) > STOPPED:
            deadline += late  # nobody read what it printed: it may have stood still as long
        if poll is not None:
            poll()
        now = time.monotonic()
        if now >= look_at and command.memory:
            look_at = now + memory.LOOKED_AT_EVERY
            over_memory = (memory.of_tree(child.number) or 0) > command.memory
        if over_memory:
            kill_at = now  # it may be about to take all that the machine has
        elif cancellation.is_set() and not cancelled:
            cancelled = True
            kill_at = min(kill_at, now + CANCEL_GRACE)
            child.terminate()
        elif now >= deadline:
            timed_out, deadline = not cancelled, float("inf")
            kill_at = min(kill_at, now + command.grace_period)
            child.terminate()
        if now >= kill_at or cancellation.is_urgent():
            child.kill()
            child.wait(supervisor.GIVE_UP)
            break
    return timed_out, cancelled, over_memory


class _NotStartedError(Exception):
    """Why a command could not be started, in one line."""


class Pump(threading.Thread):
    """Moves what comes through a pipe into a sink, however fast or slow the rest of us is.

    `text` is what the sink knows of it when all has been read, None until then.
    """

    def __init__(self, stream: IO[bytes], sink: capture.Sink, listen: Callable[[bytes], None] | None = None) -> None:
        """Read from `stream` once it is started; `listen` hears what is read."""
        super().__init__(name="venvgrid-output", daemon=True)
        self._stream = stream
        self._sink = sink
        self._listen = listen
        self.text: str | None = None
        self._is_over = False
        self._drained = 0  # bytes since the end

    def run(self) -> None:
        """Read until the pipe ends, or until it is empty and nobody waits for more."""
        with self._stream:
            descriptor = self._stream.fileno()
            while self._may_read(descriptor) and (data := os.read(descriptor, CHUNK)):
                self._sink.write(data)
                if self._listen is not None:
                    self._listen(data)
                self._drained += len(data) if self._is_over else 0
        self.text = self._sink.finish()

    def _may_read(self, descriptor: int) -> bool:
        """Wait for output; False if the command has ended and there is none."""
        if os.name != "posix":
            return True  # reading blocks: the job is closed before `finish`, so that the pipe does end
        poller = select.poll()
        poller.register(descriptor, select.POLLIN)
        while True:
            is_over = self._is_over  # before the look at the pipe: what was printed last must not be lost between
            if poller.poll(0 if is_over else 100):
                return self._drained < DRAIN_LIMIT
            if is_over:
                return False

    def command_ended(self) -> None:
        """Say that nobody waits for more than what is in the pipe now."""
        self._is_over = True

    def finish(self) -> str | None:
        """Take what is still there and give the text; None if that cannot be done."""
        self.command_ended()
        self.join(DRAIN_PATIENCE)
        return self.text


@dataclass(frozen=True, slots=True)
class _Started:
    child: Child
    pumps: list[Pump]


def _start(command: Command) -> _Started:
    """Start a command.

    Raises:
        _NotStartedError, InfrastructureError: it cannot be started, its log cannot be opened.
    """
    sinks = _sinks(command)
    try:
        process, child = _open(command, find_executable(command.argv[0], command.cwd, command.env))
    except OSError as error:
        _discard(sinks)
        raise _NotStartedError(start_failure(command.argv[0], command.cwd, error)) from error
    except ValueError as error:  # a NUL in an argument, "=" in the name of a variable
        _discard(sinks)
        raise _NotStartedError(f"could not start {command.argv[0]}: {error}") from error
    streams = [stream for stream in (process.stdout, process.stderr) if stream is not None]
    pumps = [Pump(stream, sink, command.listen) for stream, sink in zip(streams, sinks, strict=True)]
    try:
        for pump in pumps:
            pump.start()
    except RuntimeError as error:  # no more threads
        child.kill()
        child.wait(supervisor.GIVE_UP)
        child.finish()
        raise _NotStartedError(f"could not start {command.argv[0]}: {error}") from error
    return _Started(child, pumps)


def _sinks(command: Command) -> list[capture.Sink]:
    if command.log is None:
        return [capture.TailBuffer(), capture.TailBuffer()]
    try:
        return [capture.Log(command.log, clean=command.clean() if command.clean else None)]
    except OSError as error:
        if error.errno in {errno.EMFILE, errno.ENFILE}:  # will pass: the cell can be tried again
            raise _NotStartedError(start_failure(command.argv[0], command.cwd, error)) from error
        reason = f"cannot write the log {command.log}: {error.strerror or error}; make room or check its permissions"
        raise InfrastructureError(reason) from error


def _discard(sinks: list[capture.Sink]) -> None:
    for sink in sinks:
        sink.finish()


def _open(command: Command, path: str) -> tuple[subprocess.Popen[bytes], Child]:
    if command.supervised and sys.platform != "win32":  # a job object does both
        return _open_supervised(command, path)

    def popen(**options: Any) -> subprocess.Popen[bytes]:
        options.update(_streams(command))
        return subprocess.Popen(command.argv, executable=path, cwd=command.cwd, env=dict(command.env), **options)

    if sys.platform == "win32":
        from venvgrid.processes import windows_job  # noqa: PLC0415 - imports ctypes, which takes its time

        return windows_job.start(popen)
    process = popen(start_new_session=True)
    return process, GroupChild(process)


def _open_supervised(command: Command, path: str) -> tuple[subprocess.Popen[bytes], Child]:
    request = supervisor.encode(path, str(command.cwd), command.argv, command.env)
    with contextlib.ExitStack() as theirs, contextlib.ExitStack() as ours:
        lifeline, our_lifeline = _pipe(theirs, ours)
        our_status, status = _pipe(ours, theirs)
        process = subprocess.Popen(
            (sys.executable, "-I", "-S", supervisor.__file__, str(lifeline), str(status)),
            env={name: os.environ[name] for name in _SUPERVISOR_VARIABLES if name in os.environ},
            start_new_session=True,
            pass_fds=(lifeline, status),
            **_streams(command),
        )
        ours.pop_all()
    child = SupervisedChild(process, our_lifeline, our_status)
    child.order(request)
    return process, child


def _pipe(reader: contextlib.ExitStack, writer: contextlib.ExitStack) -> tuple[int, int]:
    """Make a pipe whose ends are closed with what they are given to."""
    reading, writing = os.pipe()
    reader.callback(os.close, reading)
    writer.callback(os.close, writing)
    return reading, writing


def _streams(command: Command) -> Any:
    stderr = subprocess.PIPE if command.log is None else subprocess.STDOUT
    return {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": stderr, "bufsize": 0}


def attach(command: Command) -> int:
    """Run a command on this terminal, with its streams and signals, and give its exit status.

    On POSIX it takes the place of this process and does not return.

    Raises:
        InfrastructureError: it cannot be started.
    """
    try:
        os.chdir(command.cwd)
        if sys.platform != "win32":
            sys.stdout.flush()
            for number in (signal.SIGPIPE, signal.SIGXFSZ):  # which Python ignores, and a shell should not
                signal.signal(number, signal.SIG_DFL)
            os.execvpe(command.argv[0], command.argv, dict(command.env))  # noqa: S606 - there is to be no shell
        return subprocess.call(command.argv, env=dict(command.env))
    except OSError as error:
        raise InfrastructureError(start_failure(command.argv[0], command.cwd, error)) from error
