# -*- coding: utf-8 -*-
"""What a process writes: its lines of the stream, and the stacks of its threads."""

from __future__ import absolute_import

import json
import os
import sys
import time


class Writer(object):
    """Appends lines to the file of this process."""

    count = 0

    def __init__(self, folder, worker="main"):
        Writer.count += 1
        name = "%015d-%d-%d-%s.jsonl" % (time.time() * 1000, os.getpid(), Writer.count, worker)
        self.path = os.path.join(os.path.abspath(folder), name)
        self.fd = None
        self.identity = None
        self.torn = False
        # Bound now: tests replace attributes of the modules.
        self.open, self.write, self.fstat, self.shut = os.open, os.write, os.fstat, os.close
        self.getpid = os.getpid
        self.pid = os.getpid()
        self.encode = json.JSONEncoder(ensure_ascii=True, separators=(",", ":")).encode
        self.flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT
        for flag in ("O_BINARY", "O_NOINHERIT", "O_CLOEXEC"):
            self.flags |= getattr(os, flag, 0)

    def add(self, record):
        if self.getpid() != self.pid:  # a fork: only the parent writes
            return
        try:
            line = self.encode(record) + "\n"
            self.put(line if isinstance(line, bytes) else line.encode("ascii"))
        except Exception:  # a full disk: a cell with missing records does not pass
            self.torn = True

    def put(self, line):
        fd = self.fd
        if fd is None or not self.owns(fd):
            fd = self.fd = self.open(self.path, self.flags, 0o644)
            found = self.fstat(fd)
            self.identity = (found.st_dev, found.st_ino) if found.st_ino else None
        if self.torn:
            line = b"\n" + line
        self.torn = True
        while line:
            line = line[self.write(fd, line) :]
        self.torn = False
        if self.identity is None:  # no inode numbers (Python 2.7 on Windows): `owns` cannot check it later
            self.close()

    def owns(self, fd):
        """Whether a descriptor is still that of the stream: a test may have closed it and opened another file."""
        try:
            found = self.fstat(fd)
        except OSError:
            return False
        return (found.st_dev, found.st_ino) == self.identity

    def close(self):
        fd, self.fd = self.fd, None
        if fd is not None and self.getpid() == self.pid and (self.identity is None or self.owns(fd)):
            self.shut(fd)


class Stacks(object):
    """Schedules a dump of all stacks by faulthandler shortly before the time limit; from Python 3.7, where tests can fork.

    A child that is forked meanwhile would wait for ever for the thread of the dump, which it does not have, as soon as it
    cancels the dump: pytest does so for each failure. So the dump is cancelled before a fork and scheduled again after it; from
    Python 3.12 with the next test, because Python warns in the parent of a fork if it has threads.
    """

    def __init__(self, spec):
        self.file = None
        self.is_cancelled = False
        self.clock = time.time
        self.moment = spec.get("stacks_at") or 0
        try:
            import faulthandler

            if self.moment and (hasattr(os, "register_at_fork") or not hasattr(os, "fork")):
                self.later, self.cancel = faulthandler.dump_traceback_later, faulthandler.cancel_dump_traceback_later
                self.file = open(os.path.join(spec["stacks"], "%d.txt" % os.getpid()), "w")
                self.arm()
                self.watch_forks()
        except Exception:
            self.file = None

    def watch_forks(self):
        if hasattr(os, "register_at_fork"):
            import weakref

            # Python 3.8 crashes at its end if the file is still open then: it must not live as long as the hooks.
            me = weakref.ref(self)
            os.register_at_fork(before=lambda: me() and me().pause())
            if sys.version_info < (3, 12):
                os.register_at_fork(after_in_parent=lambda: me() and me().start())

    def arm(self):
        left = self.moment - self.clock()
        if left > 0:
            self.later(left, exit=False, file=self.file)

    def pause(self):
        if self.file is not None and not self.is_cancelled:
            self.cancel()
            self.is_cancelled = True

    def report(self, report):
        # pytest cancels the dump when a test fails, for a debugger.
        self.is_cancelled = self.is_cancelled or report.outcome == "failed"

    def start(self):
        if self.is_cancelled and self.file is not None:
            self.is_cancelled = False
            try:
                self.arm()
            except Exception:
                self.file = None
