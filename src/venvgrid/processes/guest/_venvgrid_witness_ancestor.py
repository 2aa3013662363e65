# -*- coding: utf-8 -*-
"""Finds the witness's specification for a process that tests started with a cleaned environment. Linux."""

import os


def of_ancestor(variable, read):
    """Return the variable of the nearest ancestor that had it when it was started, or ""."""
    pid, start = os.getppid(), variable + "="
    while pid > 1:
        for entry in read("/proc/%d/environ" % pid).split("\0"):
            if entry.startswith(start):
                return entry[len(start) :]
        pid = int(read("/proc/%d/stat" % pid).rpartition(")")[2].split()[1])
    return ""
