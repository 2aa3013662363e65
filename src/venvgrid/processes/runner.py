"""Runs other programs; no other module does.

A command ends when its main process ends, not when its output does. Descendants that can be found do not outlive it:
see `children` and, for commands that run foreign code, `supervisor`. `run` is thread-safe.
"""

from __future__ import annotations

import contextlib
import errno
import os
import signal
import subprocess
import sys
import time
from typing import IO, TYPE_CHECKING, Any

from venvgrid.model import InfrastructureError
from venvgrid.processes import capture, memory
from venvgrid.processes.children import Child, GroupChild, SupervisedChild, find_executable
from venvgrid.processes.command import Cancellation, Command, Completed
from venvgrid.processes.diagnosis import start_failure
from venvgrid.processes.supervision import supervisor

if TYPE_CHECKING:
    from collections.abc import Callable

POLL_INTERVAL = 0.05  # seconds
MAX_LATENESS = 2.0  # seconds of a poll on a busy machine; beyond, venvgrid itself was stopped: by ^Z, or asleep
CANCEL_GRACE = 1.0  # seconds

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


def start(command: Command) -> tuple[Child, list[capture.Pump]]:
    """Start a command and its pumps. Raises NotStartedError, or InfrastructureError if its log cannot be opened."""
    sinks = _sinks(command)
    try:
        streams, child = _open(command, find_executable(command.argv[0], command.cwd, command.env))
    except (OSError, ValueError) as error:  # ValueError: a NUL in an argument, "=" in the name of a variable
        for sink in sinks:
            sink.finish()
        if isinstance(error, OSError):
            raise NotStartedError(start_failure(command.argv[0], command.cwd, error)) from error
        raise NotStartedError(f"could not start {command.argv[0]}: {error}") from error
    pumps = [capture.Pump(stream, sink, command.listen) for stream, sink in zip(streams, sinks, strict=True)]
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


def _open(command: Command, path: str) -> tuple[list[IO[bytes]], Child]:
    if command.supervised and sys.platform != "win32":  # a job object does both
        return _open_supervised(command, path)

    def popen(**options: Any) -> subprocess.Popen[bytes]:
        options.update(_streams(command))
        return subprocess.Popen(command.argv, executable=path, cwd=command.cwd, env=dict(command.env), **options)

    if sys.platform == "win32":
        from venvgrid.processes import windows_job  # noqa: PLC0415 - imports ctypes, which takes its time

        process, child = windows_job.start(popen)
        return _outputs(process), child
    process = popen(start_new_session=True)
    return _outputs(process), GroupChild(process)


def _open_supervised(command: Command, path: str) -> tuple[list[IO[bytes]], Child]:
    from venvgrid.processes.supervision import forks  # noqa: PLC0415  (where all is up to date, nothing is started)

    folder = os.path.abspath(command.cwd)  # noqa: PTH100  (a fork server has a working directory of its own)
    request = supervisor.encode(os.path.join(folder, path), folder, command.argv, command.env)  # noqa: PTH118
    opened = (_ask_for_supervisor(command) if forks.is_possible() else None) or _start_supervisor(command)
    opened[1].send(request)
    return opened


def _ask_for_supervisor(command: Command) -> tuple[list[IO[bytes]], SupervisedChild] | None:
    """Have a supervisor forked; return None if the fork server does not answer.

    Raises:
        OSError: there are no more descriptors or processes.
    """
    from venvgrid.processes.supervision import forks  # noqa: PLC0415

    with contextlib.ExitStack() as theirs, contextlib.ExitStack() as ours:
        lifeline, our_lifeline = _pipe(theirs, ours)
        our_status, status = _pipe(ours, theirs)
        outputs = [_pipe(ours, theirs) for _ in range(1 if command.log else 2)]
        server = forks.ask(_start_fork_server, (lifeline, status, outputs[0][1], outputs[-1][1]))
        theirs.close()  # now: the end of `status` tells that nobody else has it
        forked = forks.answer(our_status) if server else None
        if server and forked is None:
            forks.give_up(server)
        if isinstance(forked, OSError):
            raise forked
        if forked is None:
            return None
        ours.pop_all()
    child = SupervisedChild(forked, our_lifeline, our_status, release=forked.close)
    return [os.fdopen(reading, "rb", buffering=0) for reading, _ in outputs], child


def _start_fork_server(control: int) -> subprocess.Popen[bytes]:
    from venvgrid.processes.supervision import forks  # noqa: PLC0415

    quiet: Any = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.DEVNULL)
    return _start_script(str(forks.SCRIPT), (control,), quiet)


def _start_supervisor(command: Command) -> tuple[list[IO[bytes]], SupervisedChild]:
    """Start a Python that supervises one command."""
    with contextlib.ExitStack() as theirs, contextlib.ExitStack() as ours:
        lifeline, our_lifeline = _pipe(theirs, ours)
        our_status, status = _pipe(ours, theirs)
        process = _start_script(supervisor.__file__, (lifeline, status), _streams(command))
        ours.pop_all()
    return _outputs(process), SupervisedChild(process, our_lifeline, our_status)


def _start_script(script: str, descriptors: tuple[int, ...], streams: Any) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        (sys.executable, "-I", "-S", script, *map(str, descriptors)),
        env={name: os.environ[name] for name in _SUPERVISOR_VARIABLES if name in os.environ},
        start_new_session=True,
        pass_fds=descriptors,
        **streams,
    )


def _outputs(process: subprocess.Popen[bytes]) -> list[IO[bytes]]:
    return [stream for stream in (process.stdout, process.stderr) if stream is not None]


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
