# -*- coding: utf-8 -*-
"""The variables that activate the probe: removed from the environment during the session."""

from __future__ import absolute_import

import json
import os
import re
import sys

NAME = "_venvgrid_probe"
VARIABLE = "VENVGRID_PROBE"
WORKER = "worker:"  # in front of the variable's value: for a worker of pytest-xdist
PLUGIN = NAME + ".plugin"
OPTION = "-p " + PLUGIN


class Switch(object):
    """The variables that activate the probe: removed from the environment during the session."""

    def __init__(self, path, spec):
        self.path = path
        self.spec = spec
        self.options = spec.get("options") or ""
        self.part = (OPTION + " " + self.options).strip()
        self.is_worker = False
        self.writer = None
        self.stacks = None
        self.reached = None
        self.imports = None
        self.exec_ = None
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
        if any(os.path.isfile(os.path.join(entry, NAME, "__init__.py")) for entry in others):
            sys.path[:] = others

    def restore(self, environment=os.environ):
        environment[VARIABLE] = self.path
        for name, part, glue, wanted in (
            ("PYTEST_ADDOPTS", self.part, " ", self.was_option),
            ("PYTHONPATH", self.spec.get("path"), os.pathsep, self.was_path),
        ):
            if wanted:
                rest = environment.get(name)
                environment[name] = str(part + glue + rest if rest else part)


class Exec(object):
    """Hands the variables on if pytest is started again in place of this process, until the tests are collected.

    A conftest.py does so to set a variable that Python or the loader of libraries reads at the start. `writer` says that
    the session has ended, and begins it again with the record `session` if the program cannot be started.
    """

    def __init__(self, switch, writer, session):
        self.switch, self.writer, self.session = switch, writer, session
        self.pid, self.originals = os.getpid(), {}

    def arm(self):
        for name in ("execv", "execve"):  # all others call these two
            self.originals[name] = getattr(os, name)
            setattr(os, name, self.handing_on(getattr(os, name)))

    def disarm(self):
        while self.originals:
            name, original = self.originals.popitem()
            if getattr(getattr(os, name), "is_venvgrids", False):
                setattr(os, name, original)

    def handing_on(self, original):
        def run(path, argv, env=None):
            if os.getpid() != self.pid or not self.originals:
                return original(path, argv) if env is None else original(path, argv, env)
            self.writer.add({"t": "stop", "why": "exec"})
            try:
                if env is not None:
                    env = dict(env)
                    self.switch.restore(env)
                    return original(path, argv, env)
                self.switch.restore()
                return original(path, argv)
            except Exception:
                if env is None:
                    self.switch.remove()
                    os.environ.pop(VARIABLE, None)
                self.writer.add(self.session)
                raise

        run.is_venvgrids = True
        return run


def _set_or_remove(name, value):
    if value:
        os.environ[name] = value
    else:
        os.environ.pop(name, None)
