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
