# -*- coding: utf-8 -*-
"""venvgrid's probe: a pytest plugin that streams test results and attests what was tested. PYTEST_DONT_REWRITE

Loaded by pytest in the environment of a cell, into which it was copied. `venvgrid.outcomes.probe` activates it by two variables:
PYTEST_ADDOPTS loads it, VENVGRID_PROBE names its specification (a JSON file). It removes both from the environment when it is
loaded, so that tests and the pytest runs that they start see neither of them. It restores them at the end of its session, for
a second session of the same process.

Each process writes a file of its own into the folder "stream", one JSON object a line. "t" is its type: session, collected,
deselected, start, test, collect, stop, attest, finish. A pytest-xdist controller writes the results of tests, its workers only their
attestations.

One file, no dependencies, Python 2.7 to 3.15, pytest 4.6 to 9. It must not disturb the tests: hooks never raise, only the
configured process writes, and functions that are needed while tests run are bound beforehand, because tests replace os.open or
time.time, close every file descriptor, and fork.

The plugin's name is `_venvgrid_probe.plugin`. In an environment of venvgrid that is this module itself, in site-packages,
which coverage does not measure. On another interpreter the name is found on PYTHONPATH: in a folder without __init__.py, which
Python imports only if nothing else has the name. So a run on the wrong interpreter is detected as well.
"""

from __future__ import absolute_import, division

import json
import os
import re
import sys
import time

from pytest import hookimpl

NAME = "_venvgrid_probe"
VARIABLE = "VENVGRID_PROBE"
WORKER = "worker:"  # in front of the variable's value: for a worker of pytest-xdist
PLUGIN = NAME + ".plugin"
OPTION = "-p " + PLUGIN
if __name__ in sys.modules:
    sys.modules.setdefault(PLUGIN, sys.modules[__name__])
TEXT = type(u"")
MESSAGE_CAP = 4000  # characters
LONGREPR_CAP = 20000

# ---------------------------------------------------------------------------------------------------------------- hooks

_armed = []  # the switch, until the session is configured


def pytest_addoption(parser):
    """Arm the probe: pytest calls this when the plugin is registered, before any conftest.py is loaded."""
    del _armed[:]
    try:
        switch = _Switch.take()
        if switch is not None:
            _armed.append(switch)
            if not switch.is_worker:
                switch.writer = _Writer(switch.spec["stream"])
                switch.writer.add(_session(None))
                _note_opened(switch.spec)
                switch.stacks = _Stacks(switch.spec)
            _run_installed()
    except Exception:
        del _armed[:]


def pytest_configure(config):
    """Register the hooks of this session: it counts tests, or is a pytest-xdist worker that only attests."""
    switch = _armed.pop() if _armed else None
    if switch is None:
        return
    worker = getattr(config, "workerinput", None)
    if switch.is_worker and worker is not None:
        config.pluginmanager.register(_Worker(switch.spec, worker.get("workerid", "?")), NAME + "_run")
    elif not switch.is_worker:
        rootdir = getattr(config, "rootpath", None) or getattr(config, "rootdir", "")
        config.pluginmanager.register(_Run(switch, str(rootdir)), NAME + "_run")


class _Selection(object):
    """Counts the tests that a session leaves out."""

    deselected = 0

    def pytest_deselected(self, items):
        self.deselected += len(items)
        self.write_deselected(False)

    def write_deselected(self, last_failed):
        self.writer.add({"t": "deselected", "tests": self.deselected, "lf": last_failed})

    def look_for_last_failed(self, config):
        """Record that --lf left out tests: it skips whole files without saying so by a hook."""
        plugin = config.pluginmanager.get_plugin("lfplugin")
        if getattr(plugin, "active", False) and (
            getattr(plugin, "_skipped_files", 0) or (self.deselected and getattr(plugin, "lastfailed", None))
        ):
            self.write_deselected(True)


def _note_opened(spec):
    """Begin to note which files this process opens; see `_venvgrid_opened`."""
    try:
        path, unnoted = spec["opened"]
        space = {}
        with open(path) as file:
            exec(compile(file.read(), "<_venvgrid_opened>", "exec"), space)  # coverage does not measure such a name
        space["install"](spec["stream"], unnoted)
    except Exception:
        pass


class _Worker(_Selection):
    """The hooks of a pytest-xdist worker: it only attests, its controller streams the results."""

    def __init__(self, spec, name):
        self.spec = spec
        self.name = name
        self.writer = _Writer(spec["stream"], name)
        self.writer.add(_session(name))
        _note_opened(spec)
        self.stacks = _Stacks(spec)

    def pytest_runtest_logstart(self, nodeid):
        self.stacks.start()
        _look()

    def pytest_runtest_logreport(self, report):
        _look()
        self.stacks.report(report)

    @hookimpl(hookwrapper=True, tryfirst=True)
    def pytest_sessionfinish(self, session, exitstatus):
        yield
        _end(self.writer, self.spec, self.name, getattr(session, "exitstatus", exitstatus))


class _Run(_Selection):
    """The hooks of a session whose tests count."""

    def __init__(self, switch, rootdir):
        self.switch = switch
        self.writer = switch.writer
        self.rootdir = rootdir
        self.running = {}
        self.reruns = {}  # plugins may start and finish a test for each of its runs
        self.ended = False
        # freezegun replaces what modules hold, not what an instance holds.
        self.clock = getattr(time, "perf_counter", time.time)
        self.began = self.clock()

    def pytest_collectreport(self, report):
        if report.outcome not in ("passed", "rerun"):
            verdict = "skipped" if report.outcome == "skipped" else "error"
            record = {"t": "collect", "id": _text(report.nodeid), "verdict": verdict}
            record.update(self.details(report))
            self.writer.add(record)

    def pytest_collection_finish(self, session):
        items = getattr(session, "items", None)
        self.look_for_last_failed(session.config)
        if items is not None:
            self.writer.add({"t": "collected", "ids": len(set([_text(item.nodeid) for item in items])), "worker": None})

    @hookimpl(optionalhook=True)
    def pytest_xdist_node_collection_finished(self, node, ids):
        self.writer.add({"t": "collected", "ids": len(set([_text(i) for i in ids])), "worker": _text(node.gateway.id)})

    @hookimpl(optionalhook=True)
    def pytest_xdist_setupnodes(self, config, specs):
        for spec in specs:
            if getattr(spec, "popen", False):  # a worker on another machine has no probe
                rest = spec.env.get("PYTEST_ADDOPTS", os.environ.get("PYTEST_ADDOPTS", ""))
                part = self.switch.part
                spec.env.update({VARIABLE: WORKER + self.switch.path, "PYTEST_ADDOPTS": str(part + " " + rest)})

    def pytest_runtest_logstart(self, nodeid):
        self.switch.stacks.start()
        _look()
        self.running[nodeid] = _Test(self.clock())
        self.writer.add({"t": "start", "id": _text(nodeid)})

    def pytest_runtest_logreport(self, report):
        self.switch.stacks.report(report)
        if report.outcome in ("rerun", "retried"):
            self.reruns[report.nodeid] = self.reruns.get(report.nodeid, 0) + 1
        test = self.running.get(report.nodeid)
        if test is None:  # a report of a test that never started, such as a worker that crashed
            test = self.running[report.nodeid] = _Test(None)
        try:
            test.add(report)
        except Exception:
            test.verdict, test.report = "error", report
        if report.when not in ("setup", "call", "teardown"):  # "???": a crash, the last report of this test
            self.write_result(report.nodeid, lost=True)

    def pytest_runtest_logfinish(self, nodeid):
        _look()
        self.write_result(nodeid)

    def write_result(self, nodeid, lost=False):
        """Write the result of a test, if it has one."""
        test = self.running.pop(nodeid, None)
        if test is None or test.verdict is None:
            return
        record = {"t": "test", "id": _text(nodeid), "verdict": test.verdict}
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
            return _details(report, self.rootdir)
        except Exception as error:
            return {"longrepr": "venvgrid could not read this failure: %r" % (error,)}

    def pytest_internalerror(self, excrepr):
        try:
            self.writer.add({"t": "stop", "why": "internal error", "longrepr": _cap(_text(str(excrepr)), LONGREPR_CAP)})
        except Exception:
            self.writer.add({"t": "stop", "why": "internal error"})

    def pytest_keyboard_interrupt(self, excinfo):
        try:
            message = excinfo.exconly(tryshort=True)
        except Exception:
            message = "KeyboardInterrupt"
        self.writer.add({"t": "stop", "why": "interrupt", "crash": _cap(_text(message), MESSAGE_CAP)})

    @hookimpl(hookwrapper=True, tryfirst=True)
    def pytest_sessionfinish(self, session, exitstatus):
        yield  # other plugins first: they may import, fail, and change the exit status
        for nodeid in list(self.running):
            self.write_result(nodeid)
        self.ended = True
        _end(self.writer, self.switch.spec, None, getattr(session, "exitstatus", exitstatus))

    def pytest_unconfigure(self):
        if not self.ended:  # pytest --help
            self.writer.add({"t": "finish", "exitstatus": None, "worker": None})
        self.writer.close()
        self.switch.restore()


def _end(writer, spec, worker, exitstatus):
    try:
        record = _attest(spec)
    except Exception as error:
        record = {"t": "attest", "error": repr(error)}
    record["worker"] = worker
    writer.add(record)
    try:
        exitstatus = int(exitstatus)
    except Exception:
        exitstatus = None
    writer.add({"t": "finish", "exitstatus": exitstatus, "worker": worker})


# ------------------------------------------------------------------------------------------------------ the results


class _Test(object):
    """The result of one test, from the reports of its phases and subtests."""

    __slots__ = ("started", "reported", "remote", "verdict", "report", "ran")

    def __init__(self, started):
        self.started = started
        self.reported = 0.0
        self.remote = started is None
        self.verdict = None
        self.report = None  # of the phase that did not pass
        self.ran = False  # the body of the test, at least in part

    def add(self, report):
        outcome = report.outcome
        self.ran = self.ran or report.when == "call"
        if hasattr(report, "node"):  # it ran in a worker, so the clock of this process is no measure
            self.remote = True
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


def _details(report, rootdir):
    longrepr = report.longrepr
    if longrepr is None:
        return {}
    if isinstance(longrepr, tuple) and len(longrepr) == 3:  # of a skip: file, line, reason
        return {"crash": _cap(_text(longrepr[2]), MESSAGE_CAP)}
    record = {}
    place = getattr(longrepr, "reprcrash", None)
    if place is None and getattr(longrepr, "reprlocation_lines", None):  # of a doctest
        place = longrepr.reprlocation_lines[0][0]
    if place is not None:
        record["crash"] = _cap(_text(place.message), MESSAGE_CAP)
        record["where"] = u"%s:%s" % (_relative(_text(place.path), rootdir), place.lineno)
    text = getattr(report, "longreprtext", None)
    record["longrepr"] = _cap(_text(str(longrepr) if text is None else text), LONGREPR_CAP)
    return record


def _relative(path, rootdir):
    if rootdir and path.startswith(rootdir + os.sep):
        path = path[len(rootdir) + 1 :]
    return path.replace("\\", "/")


def _text(value):
    if isinstance(value, TEXT):
        return value
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    return TEXT(value)


def _cap(text, limit):
    if len(text) <= limit:
        return text
    half = limit // 2
    return u"%s\n[... %d characters left out by venvgrid ...]\n%s" % (text[:half], len(text) - 2 * half, text[-half:])


# ------------------------------------------------------------------------------------------------------------ the stream


class _Stacks(object):
    """Schedules a dump of all stacks by faulthandler shortly before the time limit; not on Python 2.7."""

    def __init__(self, spec):
        self.file = None
        self.is_cancelled = False
        self.clock = time.time
        self.moment = spec.get("stacks_at") or 0
        try:
            import faulthandler

            if self.moment:
                self.later = faulthandler.dump_traceback_later
                self.file = open(os.path.join(spec["stacks"], "%d.txt" % os.getpid()), "w")
                self.arm()
        except Exception:
            self.file = None

    def arm(self):
        left = self.moment - self.clock()
        if left > 0:
            self.later(left, exit=False, file=self.file)

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


class _Writer(object):
    """Appends lines to the file of this process."""

    count = 0

    def __init__(self, folder, worker="main"):
        _Writer.count += 1
        name = "%015d-%d-%d-%s.jsonl" % (time.time() * 1000, os.getpid(), _Writer.count, worker)
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


# ------------------------------------------------------------------------------------------------------------ the switch


class _Switch(object):
    """The variables that activate the probe: removed from the environment during the session."""

    def __init__(self, path, spec):
        self.path = path
        self.spec = spec
        self.options = spec.get("options") or ""
        self.part = (OPTION + " " + self.options).strip()
        self.is_worker = False
        self.writer = None
        self.stacks = None
        self.was_option = False
        self.was_path = False

    @classmethod
    def take(cls):
        value = os.environ.pop(VARIABLE, "")
        path = value[len(WORKER) :] if value.startswith(WORKER) else value
        if not path:
            return None
        with open(path, "rb") as file:
            switch = cls(path, json.loads(file.read().decode("utf-8")))
        switch.is_worker = path != value
        switch.remove()
        return switch

    def remove(self):
        options = os.environ.get("PYTEST_ADDOPTS", "")
        rest = re.sub(r"(^|\s)-p\s*%s(?=\s|$)" % re.escape(PLUGIN), "", options, count=1).strip()
        if self.options and rest.startswith(self.options):
            rest = rest[len(self.options) :].strip()
        self.was_option = rest != options
        _set_or_remove("PYTEST_ADDOPTS", rest)
        folder = self.spec.get("path")
        if not folder:
            return
        entries = os.environ.get("PYTHONPATH", "").split(os.pathsep)
        self.was_path = folder in entries
        _set_or_remove("PYTHONPATH", os.pathsep.join([entry for entry in entries if entry != folder]))
        others = [entry for entry in sys.path if entry != folder]
        # Another interpreter has no other copy, and its xdist workers need one.
        if any(os.path.isfile(os.path.join(entry, NAME + ".py")) for entry in others):
            sys.path[:] = others

    def restore(self):
        os.environ[VARIABLE] = self.path
        for name, part, glue, wanted in (
            ("PYTEST_ADDOPTS", self.part, " ", self.was_option),
            ("PYTHONPATH", self.spec.get("path"), os.pathsep, self.was_path),
        ):
            if wanted:
                rest = os.environ.get(name)
                os.environ[name] = str(part + glue + rest if rest else part)


def _set_or_remove(name, value):
    if value:
        os.environ[name] = value
    else:
        os.environ.pop(name, None)


# --------------------------------------------------------------------------------------------- the installed project


def _witness():
    """Return the witness of this process, or None: it knows which modules come from the environment."""
    return getattr(sys.modules.get("_venvgrid_witness"), "active", None)


def _look():
    """Let the witness see modules that a test put into sys.modules."""
    witness = _witness()
    if witness is not None:
        witness.look()


def _run_installed():
    """Make pytest import tests inside the project's package by their names, as they are installed.

    pytest compares the file that it collected, of the checkout, with that of the module, and imports by path in the import
    mode "importlib". Both are right for all other files.
    """
    witness = _witness()
    if witness is None or not witness.first:
        return
    witness.front()
    for name in ("_pytest.python", "_pytest.config", "_pytest.doctest"):
        module = sys.modules.get(name)
        if module is None:
            try:
                module = __import__(name, fromlist=["_"])
            except ImportError:
                continue
        if hasattr(module, "import_path"):
            module.import_path = _by_name(module.import_path, witness)
    local = getattr(sys.modules.get("py._path.local") or sys.modules.get("_pytest._py.path"), "LocalPath", None)
    if local is not None and hasattr(local, "pyimport"):
        local.pyimport = _by_name(local.pyimport, witness)


def _by_name(original, witness):
    if getattr(original, "is_venvgrids", False):
        return original

    def import_path(path, *arguments, **options):
        __tracebackhide__ = True  # the project's tracebacks are as without the probe
        name = witness.module_of(os.path.abspath(str(path)))
        if not name:
            return original(path, *arguments, **options)
        if str(options.get("mode", "")).endswith("importlib"):
            __import__(name)
            return sys.modules[name]
        before = os.environ.get(IGNORE)
        os.environ[IGNORE] = "1"
        try:
            return original(path, *arguments, **options)
        finally:
            if before is None:
                os.environ.pop(IGNORE, None)
            else:
                os.environ[IGNORE] = before

    import_path.is_venvgrids = True
    return import_path


IGNORE = "PY_IGNORE_IMPORTMISMATCH"


# ------------------------------------------------------------------------------------------------------- the attestation


def _session(worker):
    info = sys.version_info
    level = {"alpha": "a", "beta": "b", "candidate": "rc"}.get(info[3])
    implementation = getattr(sys, "implementation", None)
    return {
        "t": "session",
        "v": 1,
        "pid": os.getpid(),
        "worker": worker,
        "executable": _text(sys.executable or ""),
        "prefix": _text(os.path.realpath(sys.prefix)),
        "version": "%d.%d.%d" % info[:3] + ("%s%d" % (level, info[4]) if level else ""),
        "implementation": implementation.name if implementation else _old_implementation(),
        "pytest": _text(getattr(sys.modules.get("pytest"), "__version__", "")),
    }


def _old_implementation():
    import platform

    return platform.python_implementation().lower()


def _attest(spec):
    _look()
    project = spec.get("project") or {}
    wanted = list(spec.get("distributions") or ())
    found = _installed(set([_normal(name) for name in wanted]))
    own = set([_normal(project.get("name") or "")])
    found.update(_installed(own, [_witness().site] if _witness() else []) or _installed(own))
    prefix = os.path.realpath(spec.get("prefix") or sys.prefix)
    packages, origins, imported = {}, {}, []
    for name in wanted:
        version, metadata = found.get(_normal(name), ("", None))
        packages[name] = version
        origins[name], is_imported = _origin_of(name, (spec.get("modules") or {}).get(name), metadata, prefix)
        if is_imported:
            imported.append(name)
    record = {"t": "attest", "packages": packages, "origins": origins, "imported": imported, "project": None}
    if project.get("name"):
        version, metadata = found.get(_normal(project["name"]), ("", None))
        origin, is_imported = _origin_of(project["name"], project.get("modules"), metadata, prefix)
        record["project"] = {"version": version, "origin": origin, "imported": is_imported}
    return record


def _normal(name):
    return re.sub(r"[-_.]+", "-", name).lower()


def _installed(wanted, path=None):
    """Return the first copy of each distribution on sys.path, as an import would find it: name -> (version, metadata)."""
    found = {}
    for entry in sys.path if path is None else path:
        try:
            entry = entry or os.getcwd()
            names = sorted(os.listdir(entry)) if os.path.isdir(entry) else []
        except Exception:
            continue
        if entry.endswith(".egg") and "EGG-INFO" in names:
            name = _named(os.path.basename(entry))[0]
            if name in wanted:
                found.setdefault(name, _version(os.path.join(entry, "EGG-INFO")))
        for file_name in names:
            if file_name.endswith((".dist-info", ".egg-info")):
                name = _named(file_name)[0]
                if name in wanted and name not in found:
                    found[name] = _version(os.path.join(entry, file_name))
    return found


def _named(file_name):
    """Parse name and version from "foo_bar-1.0-py2.7.egg-info" and the like."""
    base = os.path.splitext(file_name)[0]
    match = re.match(r"(.+?)-(v?\d[^-]*)", base)
    return (_normal(match.group(1)), match.group(2)) if match else (_normal(base), "unknown")


def _version(metadata):
    for path in (os.path.join(metadata, "METADATA"), os.path.join(metadata, "PKG-INFO"), metadata):
        if os.path.isfile(path):
            match = re.search(r"(?mi)^Version:[ \t]*(\S+)", _read(path))
            if match:
                return match.group(1), metadata
    return _named(os.path.basename(metadata))[1], metadata


def _read(path):
    try:
        with open(path, "rb") as file:
            return file.read(1 << 24).decode("utf-8", "replace")
    except Exception:
        return u""


def _origin_of(name, modules, metadata, prefix):
    """Return where the code of a distribution came from: (file or "", was it imported). Files outside of `prefix` go first."""
    imported, names = [], _modules(name, modules, metadata)
    for module in names:
        try:
            imported += _imported(module, prefix)
        except Exception:  # tests put anything into sys.modules
            continue
    if imported:
        return sorted(imported, key=lambda path: _is_below(path, prefix))[0], True
    for module in names:
        try:
            path = _find(module)
        except Exception:
            continue
        if path:
            return _real(path), False
    return "", False


# Top-level names that many projects share, and tests have too.
COMMON = "test tests testing doc docs example examples benchmarks scripts tools utils util helpers common src setup conftest"
COMMON = set(COMMON.split())


def _modules(name, given, metadata):
    """Return the importable names of a distribution; the one that equals its own name comes first."""
    names = _recorded(metadata) if metadata and os.path.isdir(metadata) else []
    if not names:
        names = list(given or ()) or (_read(os.path.join(metadata, "top_level.txt")).split() if metadata else [])
    same = [module for module in names if _normal(module) == _normal(name)]
    names = same + [module for module in names if module not in same and module.split(".")[0] not in COMMON]
    return names or [re.sub(r"[-.]+", "_", name), re.sub(r"[-_.]+", "_", name).lower()]


def _recorded(metadata):
    """Return names from RECORD: of a namespace package ("google") the parts of the distribution ("google.cloud.x")."""
    paths = [line.split(",")[0].strip('"') for line in _read(os.path.join(metadata, "RECORD")).splitlines()]
    paths = [path for path in paths if not path.startswith(("..", "/", "__editable__"))]
    modules = [path.split("/") for path in paths if path.endswith((".py", ".so", ".pyd"))]
    packages = set([tuple(parts[:-1]) for parts in modules if parts[-1] == "__init__.py"])
    names = set()
    for parts in modules:
        for depth in range(1, len(parts)):
            if tuple(parts[:depth]) in packages:
                names.add(".".join(parts[:depth]))
                break
        else:
            names.add(".".join(parts[:-1] + [parts[-1].split(".")[0]]))
    return sorted([name for name in names if re.match(r"[^\W\d]\w*(\.[^\W\d]\w*)*$", name)])


def _imported(name, prefix):
    """Return the file of a module as a list of one, or [] if it was not imported."""
    module = sys.modules.get(name)
    path = getattr(module, "__file__", None)
    if isinstance(path, (TEXT, str)):
        return [_real(path)]
    if module is None or not getattr(module, "__path__", None):
        return []
    # A namespace package: other distributions have parts of it, so only a file outside of the environment counts.
    inner = [value for key, value in sorted(sys.modules.items()) if key.startswith(name + ".")]
    files = [getattr(value, "__file__", None) for value in inner]
    paths = [_real(path) for path in files if isinstance(path, (TEXT, str))]
    return [path for path in paths if not _is_below(path, prefix)][:1]


def _is_below(path, folder):
    return os.path.normcase(path).startswith(os.path.normcase(folder).rstrip(os.sep) + os.sep)


def _find(name):
    """Return the file that an import of a module would find, without importing it."""
    top, _, rest = name.partition(".")
    if sys.version_info[0] == 2:
        import imp

        path = imp.find_module(top)[1]
        places = [path]
    else:
        from importlib.util import find_spec

        spec = find_spec(top)
        if spec is None:
            return None
        path = spec.origin if spec.has_location else None
        places = list(spec.submodule_search_locations or ())
    if not rest:
        return path or (places and places[0])
    for place in places:
        base = os.path.join(place, *rest.split("."))
        for file in (os.path.join(base, "__init__.py"), base + ".py"):
            if os.path.isfile(file):
                return file
    return None


def _real(path):
    """Resolve links of the folder, not of the file itself: an installer may link files from its cache."""
    folder, name = os.path.split(os.path.abspath(path))
    return _text(os.path.join(os.path.realpath(folder), name))
