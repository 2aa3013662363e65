"""The only door to other programs: a command is a value, and so is what became of it.

Nothing outlives its command: each has its own process group, which is ended when the command ends, takes too long or is
cancelled.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO

POLL_INTERVAL = 0.05
CANCEL_GRACE = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """What to run. `env` is the whole environment of the child; `timeout` and `grace_period` are seconds."""

    argv: tuple[str, ...]
    cwd: Path
    env: Mapping[str, str]
    timeout: float | None = None
    grace_period: float = 5.0
    log: Path | None = None  # takes stdout and stderr together, appended and bounded
    supervised: bool = False  # nothing that it starts survives it, nor venvgrid's own death


@dataclass(frozen=True, slots=True, kw_only=True)
class Completed:
    """What became of a command. `exit_code` is None if it did not start or a signal ended it."""

    argv: tuple[str, ...]
    exit_code: int | None
    signal: str = ""  # "SIGSEGV"
    timed_out: bool = False
    cancelled: bool = False
    duration: float = 0.0
    stdout: str = ""
    stderr: str = ""
    error: str = ""  # why it could not be started, one line
    leaked: int = 0  # descendants that outlived it and were killed

    @property
    def ok(self) -> bool:
        """Whether it ended by itself and with exit code 0."""
        return self.exit_code == 0 and not (self.timed_out or self.cancelled or self.error)


class Cancellation:
    """A thread-safe switch: set once, the commands that hold it are stopped; set again, they are killed at once."""

    def __init__(self) -> None:
        self._count = 0
        self._lock = threading.Lock()

    def set(self) -> None:
        """Stop the commands that hold it; the second time without a grace period."""
        with self._lock:
            self._count += 1

    def is_set(self) -> bool:
        """Whether `set` was called."""
        return self._count > 0

    def is_urgent(self) -> bool:
        """Whether `set` was called more than once."""
        return self._count > 1


Runner = Callable[[Command], Completed]


def run(
    command: Command,
    *,
    cancellation: Cancellation | None = None,
    poll: Callable[[], None] | None = None,
) -> Completed:
    """Run a command to its end and say what became of it.

    `poll` is called about every 50 ms from this thread while the command runs, and once after it; what it raises ends
    the command and is raised again.
    """
    cancellation = cancellation or Cancellation()
    began = time.monotonic()
    try:
        process = _start(command)
    except OSError as error:
        reason = f"could not start {command.argv[0]}: {error.strerror or error}"
        return Completed(argv=command.argv, exit_code=None, error=reason, duration=time.monotonic() - began)
    streams = [stream for stream in (process.stdout, process.stderr) if stream is not None]
    buffers: list[bytearray] = [bytearray() for _ in streams]
    threads = [
        threading.Thread(target=_drain, args=(stream, buffer), daemon=True)
        for stream, buffer in zip(streams, buffers, strict=True)
    ]
    for thread in threads:
        thread.start()
    timed_out = cancelled = False
    try:
        deadline = None if command.timeout is None else began + command.timeout
        while process.poll() is None:
            if cancellation.is_set():
                cancelled = True
                _stop(process, CANCEL_GRACE, cancellation)
            elif deadline is not None and time.monotonic() >= deadline:
                timed_out = True
                _stop(process, command.grace_period, cancellation)
            else:
                if poll is not None:
                    poll()
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(POLL_INTERVAL)
    finally:
        _kill_group(process, signal.SIGKILL if os.name == "posix" else signal.SIGTERM)
        process.wait()
        for thread in threads:
            thread.join(1.0)
    if poll is not None:
        poll()
    duration = time.monotonic() - began
    stdout, stderr = ([bytes(buffer).decode("utf-8", "replace") for buffer in buffers] + [""])[:2]
    if command.log is not None:
        with command.log.open("ab") as file:
            file.write(bytes(buffers[0]))
    code = process.returncode
    return Completed(
        argv=command.argv,
        exit_code=code if code >= 0 else None,
        signal="" if code >= 0 else signal.Signals(-code).name,
        timed_out=timed_out,
        cancelled=cancelled,
        duration=duration,
        stdout=stdout,
        stderr=stderr,
    )


def _start(command: Command) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        command.argv,
        cwd=command.cwd,
        env=dict(command.env),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT if command.log is not None else subprocess.PIPE,
        start_new_session=True,
    )


def _drain(stream: IO[bytes], buffer: bytearray) -> None:
    with stream:
        while chunk := os.read(stream.fileno(), 65536):
            buffer += chunk


def _stop(process: subprocess.Popen[bytes], grace: float, cancellation: Cancellation) -> None:
    _kill_group(process, signal.SIGTERM)
    deadline = time.monotonic() + grace
    while process.poll() is None and time.monotonic() < deadline and not cancellation.is_urgent():
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(POLL_INTERVAL)
    if process.poll() is None:
        _kill_group(process, signal.SIGKILL if os.name == "posix" else signal.SIGTERM)
        process.wait()


def _kill_group(process: subprocess.Popen[bytes], number: int) -> None:
    if os.name == "posix":
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, number)
    else:
        process.terminate()
