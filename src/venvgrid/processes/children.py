"""Running commands on POSIX: in a process group of their own, or under the supervisor.

`runner` starts them. Windows has `windows_job` instead.
"""

from __future__ import annotations

import contextlib
import errno
import os
import select
import shutil
import signal
import sys
import time
from typing import TYPE_CHECKING, Protocol

from venvgrid.model.values import dataclass
from venvgrid.processes.diagnosis import NTSTATUS
from venvgrid.processes.supervision import supervisor

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path


class Handle(Protocol):
    """The part of `subprocess.Popen` that is used here."""

    @property
    def pid(self) -> int:
        """The process id."""

    def poll(self) -> int | None:
        """Reap the process if it has ended; return its return code as Popen counts, or None."""

    def send_signal(self, sig: int) -> None:
        """Send a signal."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """How a command ended; `error` is set if it could not be started after all."""

    exit_code: int | None = None
    signal: str = ""
    leaked: int = 0
    error: OSError | None = None


class Child(Protocol):
    """A running command."""

    @property
    def pid(self) -> int:
        """The root of the process tree of the command."""

    def wait(self, timeout: float) -> bool:
        """Wait up to `timeout` seconds for the end; return whether the command has ended."""

    def terminate(self) -> None:
        """Ask the command and its group to end."""

    def kill(self) -> None:
        """Kill the command and all of its descendants that can be found."""

    def finish(self) -> Ending:
        """Kill leaked descendants, release all resources, and return the ending. Must be the last call."""


class GroupChild:
    """A command in a session of its own: its descendants are known by their process group only."""

    def __init__(self, process: Handle) -> None:
        self._process = process
        self._killed = False
        self._poller, self._descriptor = _watch_exit(process.pid)

    @property
    def pid(self) -> int:
        """See `Child`."""
        return self._process.pid

    def wait(self, timeout: float) -> bool:
        """See `Child`."""
        if self._poller is not None:
            self._poller.poll(timeout * 1000)
            return self._process.poll() is not None
        return wait_until(lambda: self._process.poll() is not None, timeout)

    def terminate(self) -> None:
        """See `Child`."""
        self._signal(signal.SIGTERM)

    def kill(self) -> None:
        """See `Child`."""
        self._killed = True
        self._signal(signal.SIGKILL)

    def finish(self) -> Ending:
        """See `Child`."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
        if (code := self._process.poll()) is None:
            return Ending(signal="SIGKILL")  # killed, but not dead yet
        if self._killed:  # with its group: the rest is no leak
            supervisor.kill_group(self._process.pid, grace=0.0)
            return ending_of(code)
        return ending_of(code, supervisor.kill_group(self._process.pid))

    def _signal(self, number: int) -> None:
        if self._process.poll() is None:  # afterwards the id may be reused
            with contextlib.suppress(OSError):
                os.killpg(self._process.pid, number)


class SupervisedChild:
    """A command under `supervisor.py`, with the ends of its pipes: `lifeline` to write to, `status` to read from.

    `release` is called last: then the process is asked for nothing more.
    """

    def __init__(self, process: Handle, lifeline: int, status: int, release: Callable[[], None] = lambda: None) -> None:
        self._process = process
        self._release = release
        self._lifeline = lifeline
        self._status = status
        self._received = b""
        self._poller = select.poll()
        self._poller.register(status, select.POLLIN)

    @property
    def pid(self) -> int:
        """See `Child`."""
        return self._process.pid

    def send(self, request: bytes) -> None:
        """Send the supervisor a request; `wait` notices if the supervisor is gone."""
        view = memoryview(request)
        with contextlib.suppress(BrokenPipeError):
            while view:
                view = view[os.write(self._lifeline, view) :]

    def wait(self, timeout: float) -> bool:
        """See `Child`."""
        deadline = time.monotonic() + timeout
        while self._poller.poll(max(0.0, deadline - time.monotonic()) * 1000):
            if not (data := os.read(self._status, 4096)):
                return True
            self._received += data
        return False

    def terminate(self) -> None:
        """See `Child`."""
        self.send(supervisor.TERMINATE)

    def kill(self) -> None:
        """See `Child`."""
        self.send(supervisor.KILL)

    def finish(self) -> Ending:
        """See `Child`."""
        os.close(self._lifeline)
        os.close(self._status)
        try:
            return self._ending()
        finally:
            self._release()

    def _ending(self) -> Ending:
        messages = {line.split()[0]: line.split()[1:] for line in self._received.splitlines()}
        if not messages.keys() & {b"error", b"ended"}:
            return self._without_supervisor(messages.get(b"started"))
        wait_until(lambda: self._process.poll() is not None, supervisor.KILL_TIMEOUT)
        if b"error" in messages:
            number = int(messages[b"error"][0])
            return Ending(error=OSError(number, os.strerror(number)))
        status, leaked = map(int, messages[b"ended"])
        return ending_of(os.waitstatus_to_exitcode(status), leaked)

    def _without_supervisor(self, started: list[bytes] | None) -> Ending:
        """Clean up after a supervisor that was killed (the kernel then kills the command) or hangs."""
        self._process.send_signal(signal.SIGKILL)
        wait_until(lambda: self._process.poll() is not None, supervisor.KILL_TIMEOUT)
        if not started:
            return Ending(error=OSError(errno.ECHILD, "its supervisor ended before it started it; see the output"))
        supervisor.kill_group(int(started[0]), grace=0.0)
        for pid, entry in supervisor.processes().items():
            if entry.session == self._process.pid:
                with contextlib.suppress(OSError):
                    os.kill(pid, signal.SIGKILL)
        return Ending(signal="SIGKILL")


def ending_of(code: int, leaked: int = 0, platform: str = sys.platform) -> Ending:
    """Return the ending that a return code (as `Popen.returncode` counts) stands for on a platform."""
    if platform == "win32":
        name = NTSTATUS.get(code & 0xFFFFFFFF, "")
        return Ending(exit_code=None if name else code, signal=name, leaked=leaked)
    if code >= 0:
        return Ending(exit_code=code, leaked=leaked)
    try:
        name = signal.Signals(-code).name
    except ValueError:  # a real-time signal between the first and the last
        name = f"SIG{-code}"
    return Ending(signal=name, leaked=leaked)


def wait_until(condition: Callable[[], bool], timeout: float) -> bool:
    """Poll a condition for up to `timeout` seconds, often at first, then every 5 ms; return whether it came true."""
    deadline = time.monotonic() + timeout
    pause = 0.0005
    while not condition():
        left = deadline - time.monotonic()
        if left <= 0:
            return False
        time.sleep(min(pause, left))
        pause = min(2 * pause, 0.005)
    return True


def _watch_exit(pid: int) -> tuple[select.poll | None, int]:
    """Return a poller that wakes up when a child ends, and its descriptor; (None, -1) without pidfd (Linux 5.3)."""
    try:
        descriptor = os.pidfd_open(pid)
    except (AttributeError, OSError):
        return None, -1
    poller = select.poll()
    poller.register(descriptor, select.POLLIN)
    return poller, descriptor


def find_executable(name: str, cwd: Path, env: Mapping[str, str]) -> str:
    """Return the path of a command, looked up in the PATH of its `env`, relative to its `cwd`.

    Raises:
        FileNotFoundError: it is not on PATH.
    """
    if os.path.dirname(name):  # noqa: PTH120 - a Path drops the "./"
        return str(cwd / name)
    search = next((value for key, value in env.items() if key.upper() == "PATH"), os.defpath)
    found = shutil.which(name, path=os.pathsep.join(str(cwd / folder) for folder in search.split(os.pathsep)))
    if found is None:
        raise FileNotFoundError(errno.ENOENT, "there is no such command on its PATH")
    return found
