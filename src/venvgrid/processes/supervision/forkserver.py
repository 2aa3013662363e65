"""Forks a supervisor for each command of a run. A script: `python -I -S forkserver.py CONTROL`.

The start of a Python takes 10 ms, a fork of this small one less than 1 ms. CONTROL is the descriptor of a socket to
venvgrid. Each message carries four descriptors: LIFELINE and STATUS of `supervisor`, stdout and stderr of the command.
The first line in STATUS is `supervisor PID`, or `error ERRNO`; the rest is said by the supervisor.

A supervisor does not depend on this process: it ends with its own LIFELINE. If a supervisor is killed, its descendants
become children of this process, which is a subreaper, and are killed. The end of CONTROL means that venvgrid is gone:
then this process ends after the last supervisor.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import socket
import sys
import time

TYPE_CHECKING = False  # as in `typing`, which is slow to import
if TYPE_CHECKING:
    from typing import NoReturn

    from venvgrid.processes.supervision import supervisor
else:
    sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))  # noqa: PTH100, PTH120  (pathlib is slow to import)
    import supervisor

    del sys.path[0]

DESCRIPTORS = 4  # of a message


class ForkServer:
    """The socket to venvgrid, and the supervisors that run."""

    def __init__(self, control: int) -> None:
        self.control = socket.socket(fileno=control)
        self.supervisors: set[int] = set()
        self.ends_at = float("inf")  # after venvgrid is gone
        self.woken, self.wake = os.pipe()
        for descriptor in (self.woken, self.wake):
            os.set_blocking(descriptor, False)
        signal.set_wakeup_fd(self.wake, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda _number, _frame: None)  # a handler, else the pipe is not written to
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGPIPE):
            signal.signal(number, signal.SIG_IGN)
        supervisor.become_subreaper()
        self.poller = select.poll()
        self.poller.register(self.control, select.POLLIN)
        self.poller.register(self.woken, select.POLLIN)

    def run(self) -> None:
        """Serve until venvgrid is gone and all supervisors have ended."""
        while self.supervisors or self.ends_at == float("inf"):
            timeout = None if self.ends_at == float("inf") else 1000 * (self.ends_at - time.monotonic())
            if timeout is not None and timeout <= 0:
                return
            for descriptor, _ in self.poller.poll(timeout):
                if descriptor == self.woken:
                    with contextlib.suppress(BlockingIOError):
                        os.read(self.woken, 4096)
                else:
                    self._serve()
            self._reap()

    def _serve(self) -> None:
        """Receive a message and start a supervisor."""
        data, descriptors, _flags, _address = socket.recv_fds(self.control, 1, DESCRIPTORS)
        if not data:
            self.poller.unregister(self.control)
            self.ends_at = time.monotonic() + supervisor.KILL_TIMEOUT
        elif len(descriptors) == DESCRIPTORS:  # fewer come if this process may have no more
            try:
                pid = os.fork()
            except OSError as error:
                os.write(descriptors[1], b"error %d\n" % (error.errno or 0))
            else:
                if pid == 0:
                    self._become_supervisor(*descriptors)
                self.supervisors.add(pid)
        for descriptor in descriptors:
            os.close(descriptor)

    def _become_supervisor(self, lifeline: int, status: int, out: int, err: int) -> NoReturn:
        """Supervise one command, in a new process."""
        try:
            signal.set_wakeup_fd(-1)
            for descriptor in (self.control.detach(), self.woken, self.wake):
                os.close(descriptor)
            os.setsid()
            os.dup2(out, 1)
            os.dup2(err, 2)
            os.close(out)
            os.close(err)
            os.write(status, b"supervisor %d\n" % os.getpid())
            supervisor.Supervisor(lifeline, status).run()
        except BaseException:  # noqa: BLE001  (the command's log is the place where it is seen)
            sys.excepthook(*sys.exc_info())
        finally:
            os._exit(0)

    def _reap(self) -> None:
        """Reap what has ended; kill the descendants of a supervisor that could not."""
        while True:
            try:
                pid, _ = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                self.supervisors.clear()
                return
            if pid == 0:
                break
            self.supervisors.discard(pid)
        for orphan in set(supervisor.children()) - self.supervisors:  # not reaped: its id is not reused
            with contextlib.suppress(OSError):
                os.kill(orphan, signal.SIGKILL)


if __name__ == "__main__":
    ForkServer(int(sys.argv[1])).run()
    os._exit(0)  # quicker: nothing is left to tidy up
