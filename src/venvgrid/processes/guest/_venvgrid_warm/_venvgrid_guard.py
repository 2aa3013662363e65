# -*- coding: utf-8 -*-
"""The socket of the server, and the two processes of each run."""

import json
import os
import sys
import time

TICK = 0.01  # seconds
_PR_SET_PDEATHSIG, _PR_SET_CHILD_SUBREAPER, _SIGKILL = 1, 36, 9


class Server(object):
    """Accepts connections. `serve` returns in the process of the tests only, with its request."""

    def __init__(self, folder):
        import ctypes
        import select
        import signal
        import socket

        self.select, self.signal, self.ctypes = select, signal, ctypes
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(os.path.join(folder, "s"))
        self.listener.listen(64)

    def serve(self):
        while True:
            connection = self.accept()
            sys.stdout.flush()
            sys.stderr.flush()
            pid = os.fork()
            if pid == 0:
                self.listener.close()
                return self.guard(connection)
            connection.close()
            reap()

    def accept(self):
        while True:
            try:
                return self.listener.accept()[0]
            except (OSError, IOError):  # Python 2.7 does not repeat interrupted calls
                time.sleep(TICK)

    def prctl(self, option, value):
        try:
            self.ctypes.CDLL(None).prctl(option, value, 0, 0, 0)
        except Exception:  # not Linux
            pass

    def guard(self, connection):
        os.setsid()
        self.prctl(_PR_SET_PDEATHSIG, _SIGKILL)
        self.prctl(_PR_SET_CHILD_SUBREAPER, 1)
        line = b""
        while not line.endswith(b"\n"):
            data = connection.recv(1 << 16)
            if not data:
                os._exit(0)
            line += data
        request, me = json.loads(line.decode("utf-8")), os.getpid()
        pid = os.fork()
        if pid == 0:
            connection.close()
            os.setpgid(0, 0)
            self.prctl(_PR_SET_PDEATHSIG, _SIGKILL)
            if os.getppid() != me:
                os._exit(127)
            return request
        try:
            Guard(self.select.select, connection, pid).run()
        finally:
            os._exit(0)


class Guard(object):
    """Waits for the end of the tests, or of the connection, and kills all that is left."""

    def __init__(self, select, connection, pid):
        self.select, self.connection, self.pid = select, connection, pid
        self.status, self.leaked, self.is_open, self.killed = None, set(), True, False  # is_open: nobody asked for the end
        try:
            os.setpgid(pid, pid)
        except OSError:
            pass

    def tell(self, text):
        try:
            self.connection.sendall(text.encode("ascii"))
        except Exception:
            self.is_open = False

    def run(self):
        self.tell("started %d\n" % os.getpid())
        while self.status is None:
            if not self.is_open:
                self.kill()
                time.sleep(TICK / 10)
            elif self.select([self.connection], [], [], TICK)[0]:
                self.is_open = False
                continue
            self.take(reap())
        if not os.path.isdir("/proc/self/task"):  # no subreaper: the rest is known by its group only
            try:
                os.killpg(self.pid, _SIGKILL)
            except OSError:
                pass
        while self.take(reap()):
            for pid in children():
                self.leaked.add(pid)
                try:
                    os.kill(pid, _SIGKILL)
                except OSError:
                    pass
            time.sleep(TICK / 10)
        self.tell("ended %d %d\n" % (self.status, len(self.leaked)))

    def kill(self):
        if not self.killed:  # not reaped yet: the id is not reused
            self.killed = True
            for send, pid in ((os.killpg, self.pid), (os.kill, self.pid)):
                try:
                    send(pid, _SIGKILL)
                except OSError:
                    pass

    def take(self, found):
        """Take the status of the tests from what was reaped; return whether any child is left."""
        ended, is_left = found
        self.status = ended.get(self.pid, self.status)
        return is_left


def reap():
    """Reap children that have ended; return their statuses, and whether any other is left."""
    ended = {}
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except OSError:
            return ended, False
        if pid == 0:
            return ended, True
        ended[pid] = status


def children():
    try:
        with open("/proc/%d/task/%d/children" % (os.getpid(), os.getpid()), "rb") as stream:
            return [int(pid) for pid in stream.read().split()]
    except (OSError, IOError, ValueError):
        return []
