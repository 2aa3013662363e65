# -*- coding: utf-8 -*-
"""The hooks of one session: of a process whose tests count, and of a worker of pytest-xdist."""

from __future__ import absolute_import

import os
import sys
import time
from collections import Counter

from pytest import File, Package, hookimpl

from .attestation import attest, session_record
from .installed import look, look_at_compiled
from .preview import reordered
from .results import LONGREPR_CAP, MESSAGE_CAP, TestResult, cap, details_of, ended, reported, to_text
from .stream import Stacks, Writer
from .switch import VARIABLE, WORKER


class Selection(object):
    """Notes the tests that a session leaves out, and those that fail before other plugins run them again."""

    deselected = 0
    only = ()  # ids of the tests that run, where not all do
    first = ()  # ids of tests that go first
    only_first = False  # the others are left out, if any of the first is there
    reached = None  # the map of this session

    def pytest_collectstart(self, collector):
        if self.reached is not None and isinstance(collector, File) and not isinstance(collector, Package):
            self.reached.collects(collector.nodeid, str(getattr(collector, "path", None) or collector.fspath))

    def write_reached(self):
        try:
            if self.reached is not None:
                self.reached.write(self.writer)
        except Exception:
            pass

    @hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, config, items):
        if self.only:
            chosen = [item for item in items if self.is_wanted(to_text(item.nodeid))]
            others = [item for item in items if item not in chosen]
            items[:] = chosen
            if others:
                config.hook.pytest_deselected(items=others)
        if self.first:
            chosen, others = reordered(items, self.first)
            if self.only_first and chosen:
                items[:] = chosen
                self.writer.add({"t": "left", "tests": len(others)})
            else:
                items[:] = chosen + others

    def is_wanted(self, name):
        """Tests that are installed are named without the place of their environment."""
        return any(name == one or (one.startswith("site-packages") and name.endswith("/" + one)) for one in self.only)

    @hookimpl(hookwrapper=True, trylast=True)
    def pytest_runtest_makereport(self, item, call):
        if call.when == "call":
            look_at_compiled()
        outcome = yield  # pytest's own report: plugins that change it come later
        try:
            if call.when == "call" and outcome.get_result().outcome == "failed":
                self.writer.add({"t": "tried", "id": to_text(item.nodeid)})
        except Exception:
            pass

    def pytest_deselected(self, items):
        self.deselected += len(items)
        self.write_deselected(False)

    def write_deselected(self, last_failed):
        self.writer.add({"t": "deselected", "tests": self.deselected, "lf": last_failed})

    def look_for_last_failed(self, config):
        """Record that --lf left out tests: it skips whole files without saying so by a hook. --sw deselects them."""
        plugin = config.pluginmanager.get_plugin("lfplugin")
        is_last_failed = getattr(plugin, "active", False) and (
            getattr(plugin, "_skipped_files", 0) or (self.deselected and getattr(plugin, "lastfailed", None))
        )
        if is_last_failed:
            self.write_deselected(True)
        notes = getattr(sys, "_venvgrid_opened", None)
        if notes and (is_last_failed or (self.deselected and getattr(config.option, "stepwise", False))):
            notes.doubt("left out tests because of an earlier run")


class Worker(Selection):
    """The hooks of a pytest-xdist worker: it only attests, its controller streams the results."""

    def __init__(self, switch, name):
        self.spec = spec = switch.spec
        self.name, self.reached = name, switch.reached
        self.only, self.first = spec.get("only") or (), spec.get("first") or ()
        self.only_first = spec.get("only_first") or False
        self.writer = Writer(spec["stream"], name)
        self.writer.add(session_record(name))
        self.stacks = Stacks(spec)

    def pytest_collection_finish(self, session):
        self.look_for_last_failed(session.config)

    def pytest_runtest_logstart(self, nodeid):
        self.stacks.start()
        look()
        if self.reached is not None:
            self.reached.works(nodeid.partition("::")[0])

    def pytest_runtest_logreport(self, report):
        look()
        self.stacks.report(report)

    @hookimpl(hookwrapper=True, tryfirst=True)
    def pytest_sessionfinish(self, session, exitstatus):
        yield
        _end(self.writer, self.spec, self.name, session, exitstatus)
        self.write_reached()


class Run(Selection):
    """The hooks of a session whose tests count."""

    def __init__(self, switch, rootdir):
        self.switch, self.reached = switch, switch.reached
        self.only, self.first = switch.spec.get("only") or (), switch.spec.get("first") or ()
        self.only_first = switch.spec.get("only_first") or False
        self.writer = switch.writer
        self.rootdir = rootdir
        self.running = {}  # by id
        self.same = {}  # ids of several tests, and of how many
        self.reruns = {}  # plugins may start and finish a test for each of its runs
        self.ended = False
        # freezegun replaces what modules hold, not what an instance holds.
        self.clock = getattr(time, "perf_counter", time.time)
        self.began = self.clock()

    def pytest_collectreport(self, report):
        if report.outcome not in ("passed", "rerun"):
            verdict = "skipped" if report.outcome == "skipped" else "error"
            record = {"t": "collect", "id": to_text(report.nodeid), "verdict": verdict}
            record.update(self.details(report))
            self.writer.add(record)

    def pytest_collection_finish(self, session):
        self.switch.exec_.disarm()
        if self.reached is not None:
            self.reached.works("")
        items = getattr(session, "items", None)
        self.look_for_last_failed(session.config)
        if items is not None:
            self.write_collected([item.nodeid for item in items], None)
        if self.switch.imports is not None:
            try:
                self.switch.imports.write()
            except Exception:
                pass

    @hookimpl(optionalhook=True)
    def pytest_xdist_node_collection_finished(self, node, ids):
        self.write_collected(ids, to_text(node.gateway.id))

    def write_collected(self, ids, worker):
        """Write how many tests there are, and first which of them share their id: plugins make items of files."""
        self.same.update([(name, count) for name, count in Counter(ids).items() if count > 1])
        for name in self.same:
            self.writer.add({"t": "same", "id": to_text(name), "tests": self.same[name]})
        self.writer.add({"t": "collected", "ids": len(ids), "worker": worker})

    @hookimpl(optionalhook=True)
    def pytest_xdist_setupnodes(self, config, specs):
        for spec in specs:
            if getattr(spec, "popen", False):  # a worker on another machine has no probe
                rest = spec.env.get("PYTEST_ADDOPTS", os.environ.get("PYTEST_ADDOPTS", ""))
                part = self.switch.part
                spec.env.update({VARIABLE: WORKER + self.switch.path, "PYTEST_ADDOPTS": str(part + " " + rest)})

    def pytest_runtest_logstart(self, nodeid):
        self.switch.stacks.start()
        look()
        if self.reached is not None:
            self.reached.works(nodeid.partition("::")[0])
        if nodeid not in self.same:  # else another worker may run the other one
            self.running.pop(nodeid, None)
        self.running.setdefault(nodeid, []).append(TestResult(self.clock()))
        self.writer.add({"t": "start", "id": to_text(nodeid)})

    def pytest_runtest_logreport(self, report):
        self.switch.stacks.report(report)
        if report.outcome in ("rerun", "retried"):
            self.reruns[report.nodeid] = self.reruns.get(report.nodeid, 0) + 1
        tests = self.running.setdefault(report.nodeid, [])
        test = reported(tests, getattr(report, "node", None))
        if test is None:  # a report of a test that never started, such as a worker that crashed
            test = TestResult(None)
            tests.append(test)
        try:
            test.add(report)
        except Exception:
            test.verdict, test.report = "error", report
        if report.when not in ("setup", "call", "teardown"):  # "???": a crash, the last report of this test
            self.write_result(report.nodeid, test, lost=True)

    def pytest_runtest_logfinish(self, nodeid):
        look()
        tests = self.running.get(nodeid)
        if tests:
            self.write_result(nodeid, ended(tests))

    def write_result(self, nodeid, test, lost=False):
        """Write the result of a test, if it has one."""
        self.running[nodeid].remove(test)
        if not self.running[nodeid]:
            del self.running[nodeid]
        if test.verdict is None:
            return
        record = {"t": "test", "id": to_text(nodeid), "verdict": test.verdict}
        record["duration"] = round(min(test.duration(self.clock), max(0.0, self.clock() - self.began)), 6)
        if test.report is not None:
            record.update(self.details(test.report))
        if lost:
            record["lost"] = True
        if not test.ran:
            record["ran"] = False
        if nodeid in self.reruns:
            record["reruns"] = self.reruns[nodeid]
        self.writer.add(record)

    def details(self, report):
        """Return why a test did not pass: {"crash", "where", "longrepr"}, as far as pytest knows."""
        try:
            return details_of(report, self.rootdir)
        except Exception as error:
            return {"longrepr": "venvgrid could not read this failure: %r" % (error,)}

    def pytest_internalerror(self, excrepr):
        try:
            self.writer.add({"t": "stop", "why": "internal error", "longrepr": cap(to_text(str(excrepr)), LONGREPR_CAP)})
        except Exception:
            self.writer.add({"t": "stop", "why": "internal error"})

    def pytest_keyboard_interrupt(self, excinfo):
        try:
            message = excinfo.exconly(tryshort=True)
        except Exception:
            message = "KeyboardInterrupt"
        self.writer.add({"t": "stop", "why": "interrupt", "crash": cap(to_text(message), MESSAGE_CAP)})

    @hookimpl(hookwrapper=True, tryfirst=True)
    def pytest_sessionfinish(self, session, exitstatus):
        yield  # other plugins first: they may import, fail, and change the exit status
        for nodeid, test in [(name, test) for name, tests in self.running.items() for test in tests]:
            self.write_result(nodeid, test)
        self.ended = True
        _end(self.writer, self.switch.spec, None, session, exitstatus)
        self.write_reached()

    def pytest_unconfigure(self):
        self.switch.exec_.disarm()
        if not self.ended:  # pytest --help
            self.writer.add({"t": "finish", "exitstatus": None, "worker": None})
        self.writer.close()
        self.switch.restore()


def _end(writer, spec, worker, session, exitstatus):
    exitstatus = getattr(session, "exitstatus", exitstatus)
    try:
        record = attest(spec)
        record["seed"] = _seed(session.config)
    except Exception as error:
        record = {"t": "attest", "error": repr(error)}
    record["worker"] = worker
    writer.add(record)
    try:
        exitstatus = int(exitstatus)
    except Exception:
        exitstatus = None
    writer.add({"t": "finish", "exitstatus": exitstatus, "worker": worker})


def _seed(config):
    """Return the seed of pytest-randomly or pytest-random-order, as text."""
    for name in ("randomly_seed", "random_order_seed"):
        value = getattr(config.option, name, None)
        if value is not None:
            return to_text(str(value))
    return ""
