# -*- coding: utf-8 -*-
"""The installed project: the witness of this process, and tests inside the project's package that run as installed."""

from __future__ import absolute_import

import os
import sys
import time

IGNORE = "PY_IGNORE_IMPORTMISMATCH"
PAUSE = 0.05  # seconds from one look at what compiled code holds open to the next
looked = [0.0]  # when


def current_witness():
    """Return the witness of this process, or None: it knows which modules come from the environment."""
    return getattr(sys.modules.get("_venvgrid_witness"), "active", None)


def look():
    """Let the witness see modules that a test put into sys.modules."""
    witness = current_witness()
    if witness is not None:
        witness.look()


def look_at_compiled(clock=time.time):  # bound now: tests replace it
    """Let what compiled code has opened and connected be noted, while the fixtures of a test still hold it.

    Not more often than PAUSE: a look takes longer than many a test.
    """
    compiled = getattr(getattr(sys, "_venvgrid_opened", None), "compiled", None)
    if compiled is not None and not 0 <= clock() - looked[0] < PAUSE:
        compiled.look()
        looked[0] = clock()


def resolve_names(arguments, witness):
    """Return the arguments of --pyargs with the project's names as paths of the environment.

    Pytest resolves names when it collects. Before that, it takes the folder of the same name in a flat layout for what is
    meant and loads its conftest.py: then that of the environment is the same module under another name.
    """
    found = []
    for argument in arguments:
        name, colons, test = argument.partition("::")
        for site in (witness.site, witness.overlay):
            place = os.path.join(site, *name.split("."))
            place = place if os.path.isdir(place) else place + ".py"
            if site and name.partition(".")[0] in witness.first and os.path.exists(place):
                argument = place + colons + test
        found.append(argument)
    return found


def run_installed():
    """Make pytest import tests inside the project's package by their names, as they are installed.

    pytest compares the file that it collected, of the checkout, with that of the module, and imports by path in the import
    mode "importlib". Both are right for all other files.
    """
    witness = current_witness()
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


def _module_of(witness, file):
    """Return the name of the project's module whose source in the checkout is a file, or ""."""
    base = os.path.splitext(file)[0]
    for folder in witness.sources:
        if base.startswith(folder.rstrip(os.sep) + os.sep):
            name = base[len(folder.rstrip(os.sep)) + 1 :].replace(os.sep, ".")
            if name.endswith(".__init__"):
                name = name[: -len(".__init__")]
            if any(name == root or name.startswith(root + ".") for root in witness.first):
                return name
    return ""


def _by_name(original, witness):
    if getattr(original, "is_venvgrids", False):
        return original

    def import_path(path, *arguments, **options):
        __tracebackhide__ = True  # the project's tracebacks are as without the probe
        name = _module_of(witness, os.path.abspath(str(path)))
        if not name:
            return original(path, *arguments, **options)
        if str(options.get("mode", "")).endswith("importlib"):
            witness.by_path = True  # from now on, the tests beside this one are found
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
