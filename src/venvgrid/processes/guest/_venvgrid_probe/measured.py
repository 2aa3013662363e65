# -*- coding: utf-8 -*-
"""Coverage of the installed project: a folder of the checkout that is to be measured stands for the installed one too.

`--cov=demo` means the folder ./demo for coverage, if there is one. But in a flat layout, too, the installed package runs. So its
folder is measured in addition, and files of the checkout that are installed are left out: they never run.
"""

from __future__ import absolute_import

import os

PATTERNS = ("run_omit", "run_include", "report_omit", "report_include")


def measure_installed(witness):
    """Change what coverage measures in this process, if a project is installed."""
    if witness is None or not witness.first:
        return
    from coverage import Coverage as kind

    if getattr(kind.__init__, "is_venvgrids", False):
        return
    original = kind.__init__

    def __init__(self, *arguments, **options):
        original(self, *arguments, **options)
        try:
            _redirect(self.config, _places(witness))
        except Exception:
            pass

    __init__.is_venvgrids = True
    kind.__init__ = __init__


def _places(witness):
    """Return pairs: the folder of a package in the checkout, and the one in the environment."""
    found = []
    for root in witness.first:
        name = root.replace(".", os.sep)
        for folder in witness.sources:
            pair = os.path.join(folder, name), os.path.join(witness.site, name)
            if os.path.isdir(pair[0]) and os.path.isdir(pair[1]):
                found.append(pair)
    return found


def _redirect(config, places):
    added, omitted = [], []
    for source in list(config.source or ()):
        if os.path.isdir(source):
            for checkout, installed in places:
                if _is_in(checkout, source):  # "." or "src"
                    added.append(installed)
                    omitted += _shadowed(checkout, installed)
                elif _is_in(source, checkout):
                    inner = _moved(source, checkout, installed)
                    if os.path.isdir(inner):
                        added.append(inner)
                        omitted += _shadowed(os.path.abspath(source), inner)
    for name in PATTERNS:
        patterns = getattr(config, name, None)
        if patterns:
            moved = [_moved(item, *pair) for item in patterns for pair in places if _is_in(item, pair[0])]
            setattr(config, name, list(patterns) + moved)
    if added:
        config.source = list(config.source) + added
        config.run_omit = list(config.run_omit or ()) + omitted


def _is_in(path, folder):
    return os.path.join(os.path.realpath(path), "").startswith(os.path.join(os.path.realpath(folder), ""))


def _moved(path, checkout, installed):
    return os.path.normpath(os.path.join(installed, os.path.relpath(os.path.realpath(path), os.path.realpath(checkout))))


def _shadowed(checkout, installed):
    """Return the files of a folder of the checkout that are installed."""
    found = []
    for folder, _, names in os.walk(installed):
        for name in names:
            file = os.path.join(checkout, os.path.relpath(folder, installed), name)
            if name.endswith(".py") and os.path.isfile(file):
                found.append(os.path.normpath(file))
    return found
