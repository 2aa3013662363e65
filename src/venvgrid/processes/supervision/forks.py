"""The one fork server of this process: starts it, and asks it for supervisors.

Linux 5.3 and newer have all that it takes. Where there is no fork server, and for a command for which it did not
answer, a Python is started for each supervisor instead.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import select
import signal
import socket
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from venvgrid.processes.parallel import inherited, mutex

if TYPE_CHECKING:
    from collections.abc import Callable

SCRIPT = Path(__file__).with_name("forkserver.py")
ANSWER_TIMEOUT = 30.0  # seconds; then the server is taken for dead (a test has stopped it)


class Server(Protocol):
    """The part of `subprocess.Popen` that is used here."""

    def kill(self) -> None:
        """Kill it."""

    def wait(self, timeout: float | None = None) -> int:
        """Reap it."""


class Forked:
    """A supervisor that the fork server has forked, by a descriptor: its id may be reused, that may not."""

    def __init__(self, pid: int, descriptor: int) -> None:
        self.pid = pid
        self._descriptor = descriptor

    def poll(self) -> int | None:
        """Return 0 if it has ended, else None."""
        poller = select.poll()
        poller.register(self._descriptor, select.POLLIN)
        return 0 if poller.poll(0) else None

    def send_signal(self, sig: int) -> None:
        """Send a signal."""
        with contextlib.suppress(ProcessLookupError):
            signal.pidfd_send_signal(self._descriptor, sig)

    def close(self) -> None:
        """Release its descriptor."""
        os.close(self._descriptor)


class _Running:
    """A fork server that runs. `inherits` is what its commands inherit from it besides variables."""

    def __init__(self, spawn: Callable[[int], Server], inherits: tuple[object, ...]) -> None:
        self.inherits = inherits
        self._control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        try:
            self._process = spawn(theirs.fileno())
        except BaseException:
            self._control.close()
            raise
        finally:
            theirs.close()

    def send(self, descriptors: tuple[int, ...]) -> None:
        socket.send_fds(self._control, [b"+"], descriptors)

    def close(self, *, kill: bool = False) -> None:
        """End it: it goes by itself when its supervisors have ended."""
        self._control.close()
        if kill:
            self._process.kill()
        with contextlib.suppress(Exception):  # TimeoutExpired: it still has supervisors
            self._process.wait(timeout=1.0)


_lock = mutex()
_running: dict[int, _Running] = {}  # by the process that has started it: a fork of venvgrid needs its own


def is_possible() -> bool:
    """Return whether this system has process descriptors."""
    try:
        os.close(os.pidfd_open(os.getpid()))
    except (AttributeError, OSError):
        return False
    return True


def ask(spawn: Callable[[int], Server], descriptors: tuple[int, ...]) -> _Running | None:
    """Ask for a supervisor with these descriptors, see `forkserver`; return who was asked, or None if it is dead.

    `spawn` starts the script with its end of the socket.

    Raises:
        OSError: the server cannot be started.
    """
    with _lock:
        inherits = (os.getcwd(), *inherited())  # noqa: PTH109
        server = _running.get(os.getpid())
        if server is not None and server.inherits != inherits:
            _forget(server)
            server = None
        if server is None:
            server = _running[os.getpid()] = _Running(spawn, inherits)
    try:
        server.send(descriptors)
    except OSError:  # it was killed, or another thread has given it up
        give_up(server)
        return None
    return server


def answer(status: int) -> Forked | OSError | None:
    """Return the supervisor that reports to `status`, an error of its start, or None if no answer comes.

    Raises:
        OSError: there are no more descriptors.
    """
    poller = select.poll()
    poller.register(status, select.POLLIN)
    if not poller.poll(1000 * ANSWER_TIMEOUT):
        return None
    kind, _, number = os.read(status, 64).strip().partition(b" ")
    if kind == b"error":
        return OSError(int(number), os.strerror(int(number)))
    if kind != b"supervisor":
        return None
    try:
        forked = Forked(int(number), os.pidfd_open(int(number)))
    except ProcessLookupError:
        return None
    if any(event & select.POLLHUP for _, event in poller.poll(0)):  # it has ended: that may be another process
        forked.close()
        return None
    return forked


def give_up(server: _Running) -> None:
    """Forget a server that does not answer; the supervisors that it has forked go on."""
    with _lock:
        _forget(server, kill=True)


def _forget(server: _Running, *, kill: bool = False) -> None:
    if _running.get(os.getpid()) is server:
        del _running[os.getpid()]
        server.close(kill=kill)


@atexit.register
def _end() -> None:
    if (server := _running.pop(os.getpid(), None)) is not None:
        server.close()
