# -*- coding: utf-8 -*-
"""The hooks of the plugin: arm the probe when pytest starts, and choose the hooks of the session. PYTEST_DONT_REWRITE"""

from __future__ import absolute_import

import os

from pytest import hookimpl

from .attestation import session_record
from .installed import current_witness, resolve_names, run_installed
from .measured import measure_installed
from .preview import Imports, objection
from .reached import Reached
from .session import Run, Worker
from .stream import Stacks, Writer
from .switch import NAME, Exec, Switch

_armed = []  # the switch, until the session is configured


def pytest_addoption(parser):
    """Arm the probe: pytest calls this when the plugin is registered, before any conftest.py is loaded."""
    del _armed[:]
    try:
        switch = Switch.take()
        if switch is not None:
            _armed.append(switch)
            if not switch.is_worker:
                switch.writer = Writer(switch.spec["stream"])
                session = session_record(None, switch.spec.get("variables"))
                switch.writer.add(session)
                switch.exec_ = Exec(switch, switch.writer, session)
                switch.exec_.arm()
                switch.stacks = Stacks(switch.spec)
            if switch.spec.get("reach"):
                switch.reached = Reached(switch.spec["reach"])
            run_installed()
    except Exception:
        del _armed[:]


@hookimpl(hookwrapper=True)
def pytest_load_initial_conftests(early_config):
    """Let coverage measure the installed project, and load its conftest files: pytest and pytest-cov do it in this hook."""
    given, witness = early_config.known_args_namespace, current_witness()
    for switch in _armed:
        begin(switch, given)
    arguments = getattr(given, "file_or_dir", None)
    try:
        if getattr(given, "cov_source", None):
            measure_installed(witness)
        if arguments and getattr(given, "pyargs", False) and witness is not None:
            given.file_or_dir = resolve_names(arguments, witness)
    except Exception:
        pass
    yield
    if arguments:
        given.file_or_dir = arguments


def begin(switch, given):
    """Decline a preview with these options, or look at what is imported before the project's own files are."""
    try:
        why = objection(given) if switch.spec.get("preview") else ""
        if not why and switch.spec.get("imported") and not switch.is_worker:
            switch.imports = Imports(switch.spec)
    except Exception:
        return
    if why:
        switch.writer.add({"t": "left", "tests": 0, "why": why})
        os._exit(0)


def pytest_configure(config):
    """Register the hooks of this session: it counts tests, or is a pytest-xdist worker that only attests."""
    switch = _armed.pop() if _armed else None
    if switch is None:
        return
    worker = getattr(config, "workerinput", None)
    if switch.is_worker and worker is not None:
        config.pluginmanager.register(Worker(switch, worker.get("workerid", "?")), NAME + "_run")
    elif not switch.is_worker:
        rootdir = getattr(config, "rootpath", None) or getattr(config, "rootdir", "")
        config.pluginmanager.register(Run(switch, str(rootdir)), NAME + "_run")
