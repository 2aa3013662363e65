# -*- coding: utf-8 -*-
"""The result of one test, from the reports of pytest."""

from __future__ import absolute_import

import os

TEXT = type(u"")
MESSAGE_CAP = 4000  # characters
LONGREPR_CAP = 20000


class TestResult(object):
    """The result of one test, from the reports of its phases and subtests."""

    __slots__ = ("started", "reported", "remote", "verdict", "report", "ran", "node", "over")

    def __init__(self, started):
        self.started = started
        self.reported = 0.0
        self.remote = started is None
        self.verdict = None
        self.report = None  # of the phase that did not pass
        self.ran = False  # the body of the test, at least in part
        self.node = None  # the worker that runs it
        self.over = False  # its teardown was reported

    def add(self, report):
        outcome = report.outcome
        self.ran = self.ran or report.when == "call"
        self.over = report.when == "teardown"
        if hasattr(report, "node"):  # it ran in a worker, so the clock of this process is no measure
            self.remote, self.node = True, report.node
        is_part = type(report).__name__.lower() == "subtestreport"
        if not is_part and report.duration > 0:  # neither negative nor NaN
            self.reported += report.duration
        if outcome == "passed":
            # Setup and teardown alone are no proof: --setup-only, or an interrupt in between.
            if report.when == "call" and not is_part and self.verdict in (None, "passed"):
                self.verdict = "xpassed" if hasattr(report, "wasxfail") else "passed"
        elif outcome == "skipped":
            if not is_part and self.verdict not in ("failed", "error"):
                self.verdict = "xfailed" if hasattr(report, "wasxfail") else "skipped"
                self.report = report
        elif outcome not in ("rerun", "retried") and self.verdict not in ("failed", "error"):
            self.verdict = "error" if report.when in ("setup", "teardown") else "failed"
            self.report = report

    def duration(self, clock):
        return self.reported if self.remote else max(0.0, clock() - self.started)


def reported(tests, node):
    """Return which of the tests of one id a report of this worker is about, or None."""
    for test in tests:
        if test.node is node:
            return test
    for test in tests:
        if test.node is None:
            return test
    return None


def ended(tests):
    """Return which of the tests of one id ended: pytest names no worker then."""
    for test in tests:
        if test.over:
            return test
    return tests[0]


def details_of(report, rootdir):
    longrepr = report.longrepr
    if longrepr is None:
        return {}
    if isinstance(longrepr, tuple) and len(longrepr) == 3:  # of a skip: file, line, reason
        return {"crash": cap(to_text(longrepr[2]), MESSAGE_CAP)}
    record = {}
    place = getattr(longrepr, "reprcrash", None)
    if place is None and getattr(longrepr, "reprlocation_lines", None):  # of a doctest
        place = longrepr.reprlocation_lines[0][0]
    if place is not None:
        record["crash"] = cap(to_text(place.message), MESSAGE_CAP)
        record["where"] = u"%s:%s" % (_relative(to_text(place.path), rootdir), place.lineno)
    text = getattr(report, "longreprtext", None)
    record["longrepr"] = cap(to_text(str(longrepr) if text is None else text), LONGREPR_CAP)
    return record


def _relative(path, rootdir):
    if rootdir and path.startswith(rootdir + os.sep):
        path = path[len(rootdir) + 1 :]
    return path.replace("\\", "/")


def to_text(value):
    if isinstance(value, TEXT):
        return value
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    return TEXT(value)


def cap(text, limit):
    if len(text) <= limit:
        return text
    half = limit // 2
    return u"%s\n[... %d characters left out by venvgrid ...]\n%s" % (text[:half], len(text) - 2 * half, text[-half:])
