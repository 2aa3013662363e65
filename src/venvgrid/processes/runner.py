"""Runs other programs; no other module does.

A command ends when its main process ends, not when its output does. Descendants that can be found do not outlive it:
see `children` and, for commands that run foreign code, `supervisor`. `run` is thread-safe.
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
from typing import IO, TYPE_CHECKING, Any

from venvgrid.model import InfrastructureError
from venvgrid.processes import capture, memory, supervisor
from venvgrid.processes.children import Child, GroupChild, SupervisedChild, find_executable
from venvgrid.processes.command import Cancellation, Command, Completed
from venvgrid.processes.diagnosis import start_failure

if TYPE_CHECKING:
    from collections.abc import Callable

POLL_INTERVAL = 0.05  # seconds
MAX_LATENESS = 2.0  # seconds of a poll on a busy machine; beyond, venvgrid itself was stopped: by ^Z, or asleep
CANCEL_GRACE = 1.0  # seconds
CHUNK = 64 * 1024
DRAIN_LIMIT = 1024 * 1024  # bytes read after the end, as much as a pipe holds: a descendant may keep on writing
DRAIN_TIMEOUT = 60.0  # seconds, for a busy machine or a slow disk

# Variables for the supervisor's own Python. Tests can read its environment, so it holds nothing else.
_SUPERVISOR_VARIABLES = ("LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "DYLD_FRAMEWORK_PATH")


def run(
    command: Command,
    *,
    cancellation: Cancellation | None = None,
    poll: Callable[[], None] | None = None,
) -> Completed:
    """Run a command to its end and return its result.

    `poll` is called about every 50 ms from this thread while the command runs, and once after it. An exception from it
    kills the command and is raised again.

    Raises:
        InfrastructureError: the log cannot be opened.
    """
    cancellation = cancellation or Cancellation()
    began = time.monotonic()
    if cancellation.is_set():
        return Completed(argv=command.argv, exit_code=None, cancelled=True)
    try:
        child, pumps = start(command)
    except NotStartedError as error:
        return Completed(argv=command.argv, exit_code=None, error=str(error), duration=time.monotonic() - began)
    try:
        timed_out, cancelled, over_memory = watch(child, command, cancellation, poll)
    except BaseException:
        child.kill()
        child.wait(supervisor.KILL_TIMEOUT)
        raise
    finally:
        ending = child.finish()
        texts = [pump.finish() for pump in pumps]
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
    """Wait for a command and enforce its limits; return whether it timed out, was cancelled, exceeded its memory."""
    deadline = time.monotonic() + command.timeout if command.timeout is not None else float("inf")
    kill_at = float("inf")
    sample_at = time.monotonic() if command.memory else float("inf")
    timed_out = cancelled = over_memory = False
    while True:
        before = time.monotonic()
        turn = min(POLL_INTERVAL, max(0.0, min(deadline, kill_at) - before))
        if child.wait(turn):
            break
        if (late := time.monotonic() - before - turn) > MAX_LATENESS:
            deadline += late  # its output was not read: it may have been blocked as long
        if poll is not None:
            poll()
        now = time.monotonic()
        if now >= sample_at and command.memory:
            sample_at = now + memory.SAMPLE_INTERVAL
            over_memory = (memory.resident_bytes(child.pid) or 0) > command.memory
        if over_memory:
            kill_at = now  # no grace period: it may soon exhaust the machine
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
            child.wait(supervisor.KILL_TIMEOUT)
            break
    return timed_out, cancelled, over_memory


class NotStartedError(Exception):
    """A command could not be started; the message is one line."""


class Pump(threading.Thread):
    """A thread that moves output from a pipe into a sink.

    `text` is the text of the sink when all has been read, None until then.
    """

    patience = 100  # ms after which it looks whether the command has ended but something else keeps its output open

    def __init__(self, stream: IO[bytes], sink: capture.Sink, listen: Callable[[bytes], None] | None = None) -> None:
        """Prepare to read from `stream`; `listen` is called with all bytes."""
        super().__init__(name="venvgrid-output", daemon=True)
        self._stream = stream
        self._sink = sink
        self._listen = listen
        self.text: str | None = None
        self._is_over = False
        self._drained = 0  # bytes since the end

    def run(self) -> None:
        """Read until the pipe ends, or until it is empty after the end of the command."""
        with self._stream:
            descriptor = self._stream.fileno()
            while self._may_read(descriptor) and (data := os.read(descriptor, CHUNK)):
                self._sink.write(data)
                if self._listen is not None:
                    self._listen(data)
                self._drained += len(data) if self._is_over else 0
        self.text = self._sink.finish()

    def _may_read(self, descriptor: int) -> bool:
        """Wait for output; return False if the command has ended and the pipe is empty."""
        if os.name != "posix":
            return True  # a blocking read does: the job is closed before `finish`, which ends the pipe
        poller = select.poll()
        poller.register(descriptor, select.POLLIN)
        while True:
            is_over = self._is_over  # before the poll: else output in between would be lost
            if poller.poll(0 if is_over else self.patience):
                return self._drained < DRAIN_LIMIT
            if is_over:
                return False

    def command_ended(self) -> None:
        """Stop reading as soon as the pipe is empty."""
        self._is_over = True

    def finish(self) -> str | None:
        """Read the rest and return the text, or None if that takes too long."""
        self.command_ended()
        self.join(DRAIN_TIMEOUT)
        return self.text


def start(command: Command) -> tuple[Child, list[Pump]]:
    """Start a command and its pumps. Raises NotStartedError, or InfrastructureError if its log cannot be opened."""
    sinks = _sinks(command)
    try:
        process, child = _open(command, find_executable(command.argv[0], command.cwd, command.env))
    except (OSError, ValueError) as error:  # ValueError: a NUL in an argument, "=" in the name of a variable
        for sink in sinks:
            sink.finish()
        if isinstance(error, OSError):
            raise NotStartedError(start_failure(command.argv[0], command.cwd, error)) from error
        raise NotStartedError(f"could not start {command.argv[0]}: {error}") from error
    streams = [stream for stream in (process.stdout, process.stderr) if stream is not None]
    pumps = [Pump(stream, sink, command.listen) for stream, sink in zip(streams, sinks, strict=True)]
    try:
        for pump in pumps:
            pump.start()
    except RuntimeError as error:  # no more threads
        child.kill()
        child.wait(supervisor.KILL_TIMEOUT)
        child.finish()
        raise NotStartedError(f"could not start {command.argv[0]}: {error}") from error
    return child, pumps


def _sinks(command: Command) -> list[capture.Sink]:
    if command.log is None:
        return [capture.TailBuffer(), capture.TailBuffer()]
    try:
        return [capture.Log(command.log, clean=command.clean() if command.clean else None)]
    except OSError as error:
        if error.errno in {errno.EMFILE, errno.ENFILE}:  # temporary: the cell can be tried again
            raise NotStartedError(start_failure(command.argv[0], command.cwd, error)) from error
        reason = f"cannot write the log {command.log}: {error.strerror or error}; make room or check its permissions"
        raise InfrastructureError(reason) from error


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
    child.send(request)
    return process, child


def _pipe(reader: contextlib.ExitStack, writer: contextlib.ExitStack) -> tuple[int, int]:
    """Make a pipe; each stack closes its end."""
    reading, writing = os.pipe()
    reader.callback(os.close, reading)
    writer.callback(os.close, writing)
    return reading, writing


def _streams(command: Command) -> Any:
    stderr = subprocess.PIPE if command.log is None else subprocess.STDOUT
    return {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": stderr, "bufsize": 0}


def attach(command: Command, *, replaces: bool = True) -> int:
    """Run a command on this terminal, with its streams and signals, and return its exit status.

    With `replaces`, on POSIX, the command replaces this process, and the call does not return. Without it Ctrl-C is
    for the command alone.

    Raises:
        InfrastructureError: it cannot be started.
    """
    try:
        if replaces and sys.platform != "win32":
            os.chdir(command.cwd)
            sys.stdout.flush()
            for number in (signal.SIGPIPE, signal.SIGXFSZ):  # Python ignores them, a shell should not
                signal.signal(number, signal.SIG_DFL)
            os.execvpe(command.argv[0], command.argv, dict(command.env))  # noqa: S606 - without a shell, on purpose
        return _call(command)
    except OSError as error:
        raise InfrastructureError(start_failure(command.argv[0], command.cwd, error)) from error


def _call(command: Command) -> int:
    earlier = signal.signal(signal.SIGINT, lambda *_: None)  # not SIG_IGN, which the command would inherit
    try:
        return subprocess.call(command.argv, cwd=command.cwd, env=dict(command.env))
    finally:
        signal.signal(signal.SIGINT, earlier)
