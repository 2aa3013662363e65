"""Runs one command and kills all of its descendants. A script: `python -I -S supervisor.py LIFELINE STATUS`.

LIFELINE and STATUS are file descriptors of pipes to venvgrid. LIFELINE carries the request (see `encode`), then single
bytes: TERMINATE and KILL. Its end means that venvgrid is dead: then everything is killed at once.
STATUS carries lines: `started PID`, or `error ERRNO`; then `ended WAIT_STATUS LEAKED`.

On Linux the supervisor is a child subreaper: every orphaned descendant becomes its child, even after it has left the
process group and the session. Other POSIX systems have the process group only.
Only direct children are signalled: their ids cannot be reused before the supervisor itself has reaped them.

There is one for every command. `forkserver` forks it, where that works. Else it is started, so it imports little, and
nothing of venvgrid: it is ready for the command in about 10 ms, of which an empty Python takes 4.
"""
# ruff: noqa: PTH123, PTH208 - pathlib would take half as long again to import

from __future__ import annotations

import contextlib
import os
import select
import signal
import sys
import time

TYPE_CHECKING = False  # as in `typing`, which is slow to import
if TYPE_CHECKING:
    from collections.abc import Mapping

TERMINATE = b"T"
KILL = b"K"

LEAK_GRACE = 0.2  # seconds for helpers to notice that their parent is gone (cargo-nextest's leak-timeout)
KILL_TIMEOUT = 10.0  # seconds after which a process that survives SIGKILL (uninterruptible, not ours) is left alone
POLL_INTERVAL = 0.01  # seconds

_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36
_SIZE_DIGITS = 12


def encode(path: str, cwd: str, argv: tuple[str, ...], env: Mapping[str, str]) -> bytes:
    """Encode a request: size in 12 digits; then path, cwd, number of arguments, arguments, variables, split by NUL.

    Raises:
        ValueError: a text holds NUL, or the name of a variable is empty or holds "=".
    """
    if any(not name or "=" in name for name in env):
        raise ValueError("illegal environment variable name")
    fields = [path, cwd, str(len(argv)), *argv, *(f"{name}={value}" for name, value in env.items())]
    if any("\0" in field for field in fields):
        raise ValueError("embedded null byte")
    body = b"\0".join(os.fsencode(field) for field in fields)
    return b"%0*d" % (_SIZE_DIGITS, len(body)) + body


def decode(body: bytes) -> tuple[bytes, bytes, list[bytes], dict[bytes, bytes]]:
    """Decode a request without its size: path, cwd, arguments, variables."""
    path, cwd, number, *rest = body.split(b"\0")
    count = int(number)
    pairs = (item.partition(b"=") for item in rest[count:])
    return path, cwd, rest[:count], {name: value for name, _, value in pairs}


def kill_group(group: int, grace: float = LEAK_GRACE) -> int:
    """Kill a process group whose leader has been reaped; return the number of its processes, 1 if unknown."""
    deadline = time.monotonic() + grace
    while _group_lives(group):
        if time.monotonic() >= deadline:
            table = processes()
            with contextlib.suppress(OSError):
                os.killpg(group, signal.SIGKILL)
            return sum(entry.group == group and entry.state not in "ZX" for entry in table.values()) if table else 1
        time.sleep(POLL_INTERVAL)
    return 0


class ProcessStat:
    """Fields of `/proc/PID/stat`."""

    __slots__ = ("group", "parent", "session", "state")

    def __init__(self, stat: bytes) -> None:
        # "pid (name) state ppid pgrp session …": the name may hold anything, parentheses too.
        state, parent, group, session = stat[stat.rindex(b")") + 2 :].split(b" ", 4)[:4]
        self.state = state.decode("ascii", "replace")
        self.parent, self.group, self.session = int(parent), int(group), int(session)


def processes() -> dict[int, ProcessStat]:
    """Return all processes in /proc by their ids; none where there is no /proc."""
    found = {}
    with contextlib.suppress(OSError):
        for name in os.listdir("/proc"):
            if name.isdigit():
                with contextlib.suppress(OSError, ValueError), open(f"/proc/{name}/stat", "rb") as file:
                    found[int(name)] = ProcessStat(file.read())
    return found


def _group_lives(group: int) -> bool:
    """Whether a group without its leader has members. If its leader exists, the id was reused: not ours."""
    with contextlib.suppress(OSError):
        os.killpg(group, 0)
        try:
            os.kill(group, 0)
        except ProcessLookupError:
            return True
    return False


def _prctl(option: int, value: int) -> bool:
    """Call prctl, where it exists; return whether it succeeded."""
    if not sys.platform.startswith("linux"):
        return False
    try:
        import ctypes  # noqa: PLC0415 - some Pythons are built without it

        return bool(ctypes.CDLL(None).prctl(option, value, 0, 0, 0) == 0)
    except (ImportError, OSError, AttributeError):
        return False


def become_subreaper() -> bool:
    """Become the parent of all orphaned descendants; return whether this system can."""
    return _prctl(_PR_SET_CHILD_SUBREAPER, 1)


def _spawn(request: bytes) -> int:
    """Start the command in its own process group and return its process id.

    Raises:
        OSError: it cannot be started.
    """
    path, cwd, argv, env = decode(request)
    supervisor = os.getpid()
    failed, failure = os.pipe()
    pid = os.fork()
    if pid == 0:
        code = 0
        try:
            os.setpgid(0, 0)
            _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)  # for when the supervisor is killed as well
            if os.getppid() == supervisor:
                os.chdir(cwd)
                _reset_signals()
                os.execve(path, argv, env)  # noqa: S606 - the purpose of this script
        except OSError as error:
            code = error.errno or 0
        finally:
            os.write(failure, b"%d" % code)
            os._exit(127)
    os.close(failure)
    with contextlib.suppress(OSError):  # parent and child both try: the group must exist before a signal is sent to it
        os.setpgid(pid, pid)
    reason = os.read(failed, 16)
    os.close(failed)
    if reason:
        os.waitpid(pid, 0)
        raise OSError(int(reason), os.strerror(int(reason)))
    return pid


def _reset_signals() -> None:
    """Restore default dispositions and an empty mask: venvgrid may have inherited others (nohup)."""
    for number in signal.valid_signals():
        if number not in {signal.SIGKILL, signal.SIGSTOP}:
            with contextlib.suppress(OSError, ValueError):
                signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, [])


class Supervisor:
    """The running command, its children, and the two pipes."""

    def __init__(self, lifeline: int, status: int) -> None:
        self.lifeline = lifeline
        self.status = status
        self.main = 0
        self.main_status: int | None = None
        self.orphaned = False  # venvgrid is gone
        self.killed: set[int] = set()
        self.leaked = 0
        for descriptor in (lifeline, status):
            os.set_inheritable(descriptor, False)  # noqa: FBT003
        woken, wake = os.pipe()
        for descriptor in (woken, wake):
            os.set_blocking(descriptor, False)
        self.woken = woken
        signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda _number, _frame: None)  # a handler, else the pipe is not written to
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGPIPE):
            signal.signal(number, signal.SIG_IGN)
        self.subreaper = become_subreaper()
        self.poller = select.poll()
        self.poller.register(lifeline, select.POLLIN)
        self.poller.register(woken, select.POLLIN)

    def run(self) -> None:
        """Run the requested command to its end, and kill its remaining descendants."""
        if (request := self._request()) is None:
            return
        try:
            self.main = _spawn(request)
        except OSError as error:
            self._report(b"error %d\n" % (error.errno or 0))
            return
        self._report(b"started %d\n" % self.main)
        killed = False
        while self.main_status is None:
            requests = self._wait(None)
            if self.orphaned or KILL in requests:
                killed = True
                self._signal_group(signal.SIGKILL)
            elif TERMINATE in requests:
                self._signal_group(signal.SIGTERM)
        self._kill_descendants(grace=0.0 if killed else LEAK_GRACE)
        self._report(b"ended %d %d\n" % (self.main_status, 0 if killed else self.leaked))

    def _request(self) -> bytes | None:
        size = self._read_exactly(_SIZE_DIGITS)
        return None if size is None else self._read_exactly(int(size))

    def _read_exactly(self, size: int) -> bytes | None:
        data = b""
        while len(data) < size:
            if not (chunk := os.read(self.lifeline, size - len(data))):
                return None
            data += chunk
        return data

    def _report(self, line: bytes) -> None:
        with contextlib.suppress(OSError):
            os.write(self.status, line)

    def _wait(self, timeout: float | None) -> bytes:
        """Wait for a child to end or a request to come; reap; return the requests."""
        requests = b""
        for descriptor, _ in self.poller.poll(None if timeout is None else timeout * 1000):
            if descriptor == self.woken:
                with contextlib.suppress(BlockingIOError):
                    os.read(self.woken, 4096)
            else:
                requests = os.read(self.lifeline, 64)
                if not requests:
                    self.orphaned = True
                    self.poller.unregister(self.lifeline)
        self._reap()
        return requests

    def _reap(self) -> bool:
        """Reap every child that has ended; return whether any is left."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return False
            if pid == 0:
                return True
            if pid == self.main:
                self.main_status = status
            elif pid in self.killed:
                self.killed.remove(pid)
                self.leaked += os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL

    def _signal_group(self, number: int) -> None:
        if self.main_status is None:  # not reaped yet: the id is not reused
            with contextlib.suppress(OSError):
                os.killpg(self.main, number)

    def _kill_descendants(self, grace: float) -> None:
        """Kill remaining descendants; those that end by themselves within the grace period do not count as leaked."""
        if not self.subreaper:
            self.leaked = kill_group(self.main, grace)
            return
        now = time.monotonic()
        patience, limit = now + grace, now + KILL_TIMEOUT
        while self._reap() and time.monotonic() < limit:
            if self.orphaned or time.monotonic() >= patience:
                for pid in children():
                    self.killed.add(pid)
                    with contextlib.suppress(OSError):
                        os.kill(pid, signal.SIGKILL)
            if KILL in self._wait(POLL_INTERVAL):
                patience = now


def children() -> list[int]:
    """Return the process ids of this process's children, zombies included."""
    own = os.getpid()
    try:
        with open(f"/proc/{own}/task/{own}/children", "rb") as file:
            return [int(pid) for pid in file.read().split()]
    except (OSError, ValueError):  # a kernel without CONFIG_PROC_CHILDREN
        return [pid for pid, entry in processes().items() if entry.parent == own]


if __name__ == "__main__":
    Supervisor(int(sys.argv[1]), int(sys.argv[2])).run()
    os._exit(0)  # quicker: nothing is left to tidy up
