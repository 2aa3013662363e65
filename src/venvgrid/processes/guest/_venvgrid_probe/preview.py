# -*- coding: utf-8 -*-
"""Previews, and what helps them: why a run is none, which tests go first, and what the tests had imported."""

from __future__ import absolute_import

import json
import os
import sys

from .results import to_text

# Options that start processes of their own, write reports, or follow from earlier runs: attribute, and what the user knows.
OPTIONS = (
    ("numprocesses", "pytest-xdist starts workers of its own"),
    ("tx", "pytest-xdist starts workers of its own"),
    ("looponfail", "pytest-xdist repeats the tests"),
    ("cov_source", "coverage is measured"),
    ("xmlpath", "a JUnit report is written"),
    ("report_log", "a report is written"),
    ("json_report", "a report is written"),
    ("htmlpath", "a report is written"),
    ("allure_report_dir", "a report is written"),
    ("lf", "--lf depends on the last run"),
    ("failedfirst", "--ff depends on the last run"),
    ("newfirst", "--nf depends on the last run"),
    ("stepwise", "--sw depends on the last run"),
)
# They change modules that others have imported before: the order of the imports matters.
PATCHING = ("gevent.monkey", "eventlet")
QUIET = ("PYTEST_", "PY_COLORS", "VENVGRID_", "PY_IGNORE_IMPORTMISMATCH")
MODULE = type(sys)


def objection(given):
    """Return why these options of pytest cannot be previewed, or ""."""
    for name, why in OPTIONS:
        value = getattr(given, name, None)
        if value and value != "0":
            return why
    return ""


def rank_of(name, first):
    """Return the place of a test among those that go first, or None. Installed tests are named without their environment."""
    for number, one in enumerate(first):
        if name == one or (one.startswith("site-packages") and name.endswith("/" + one)):
            return number
    return None


def reordered(items, first):
    """Return the tests that go first, in the order of `first`, and the others in their own. `first` names tests and modules."""
    places = dict([(one, number) for number, one in enumerate(first)])
    has_installed = any([one.startswith("site-packages") for one in first])
    chosen, others = [], []
    for item in items:
        name = to_text(item.nodeid)
        for one in (name, name.partition("::")[0]):
            rank = rank_of(one, first) if has_installed else places.get(one)
            if rank is not None:
                break
        if rank is None:
            others.append(item)
        else:
            chosen.append((rank, item))
    chosen.sort(key=lambda pair: pair[0])
    return [item for _, item in chosen], others


class Imports(object):
    """Notes the modules of other distributions, before and after conftest.py files and tests are imported."""

    def __init__(self, spec):
        self.path = spec["imported"]
        self.prefix = to_text(spec.get("prefix") or "")
        self.own = frozenset((spec.get("project") or {}).get("modules") or ())
        prefixes = (sys.prefix, os.path.realpath(sys.prefix))
        self.places = tuple([place.rstrip(os.sep) + os.sep for place in prefixes])
        self.early, self.environ = set(sys.modules), dict(os.environ)

    def write(self):
        changed = [name for name in set(self.environ) | set(os.environ) if self.environ.get(name) != os.environ.get(name)]
        value = {
            "prefix": self.prefix,
            "modules": list(self.found()),
            "variables": sorted([to_text(name) for name in changed if not name.startswith(QUIET)]),
            "patching": [name for name in PATCHING if name in sys.modules],
        }
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL  # through no link
        descriptor = os.open(self.path, flags, 0o644)
        try:
            os.write(descriptor, json.dumps(value).encode("ascii"))
        finally:
            os.close(descriptor)

    def found(self):
        """Yield a line for each module: whether pytest rewrote it, whether it was there early, its name. Quick: there are many."""
        attribute, places, early, is_of_others = MODULE.__getattribute__, self.places, self.early, self.is_of_others
        for name, module in list(sys.modules.items()):
            try:
                inside = attribute(module, "__dict__")  # an attribute of a lazy module may import
                file = inside.get("__file__")
                if file and file.startswith(places) and "-packages" in file and is_of_others(name):
                    rewritten = type(inside.get("__loader__")).__name__ == "AssertionRewritingHook"
                    yield "%d %d %s" % (rewritten, name in early, name)
            except Exception:  # no module, or no text
                continue

    def is_of_others(self, name):
        top, _, rest = name.partition(".")
        if top in self.own or top.startswith(("_venvgrid", "__editable__")):
            return False
        last = rest.rpartition(".")[2] or top
        return not (last.startswith("test_") or last == "conftest" or last.endswith("_test"))
