# -*- coding: utf-8 -*-
"""Imports what each run would import anyway, and checks that forks do what new processes do."""

import os
import sys

INI = {"python_files": [], "enable_assertion_pass_hook": False}  # of pytest
HARMLESS = ("/dev/null", "/dev/zero", "/dev/urandom", "/dev/random", "/dev/tty", "/dev/pts/")


class Unfit(Exception):
    """Forks of this process would not do what a new process does."""


class Preload(object):
    """Imports modules, and notes those whose import belongs into each run: `left`."""

    def __init__(self, spec):
        self.modules = spec["modules"]
        self.roots = tuple(spec["roots"])
        self.below = tuple([root + "." for root in self.roots])
        library = os.path.dirname(os.__file__)
        places = list(spec["places"]) + [library, os.path.realpath(library)]
        self.places = tuple([place.rstrip(os.sep) + os.sep for place in places])
        self.rewritten = set([name for name, is_rewritten in self.modules if is_rewritten])
        self.descriptors = descriptors()
        self.left = []

    def run(self):
        import warnings

        import pytest

        hook = self.rewriting()
        left = set(self.left)
        try:
            for name, _ in self.modules:
                if name not in sys.modules and name not in left:
                    with warnings.catch_warnings(record=True) as told:
                        warnings.simplefilter("always")
                        left.update(self.one(name, told))
        finally:
            if hook in sys.meta_path:
                sys.meta_path.remove(hook)
        self.left = sorted(left)
        self.check("pytest")

    def rewriting(self):
        """Import pytest's own plugins; rewrite asserts where pytest does, which would warn of modules that are there already."""
        try:
            from _pytest.assertion import install_importhook
            from _pytest.config import get_config

            config = get_config()
            config.getini = INI.get  # no file was read
            hook = install_importhook(config)
            hook.mark_rewrite(*self.rewritten)
            return hook
        except Exception:
            self.left, self.modules = [name for name, _ in self.modules], []
            return None

    def one(self, name, told):
        """Import a module; return what must be left out: its import fails, warns, or brings what may change."""
        before, problem = set(sys.modules), False
        try:
            __import__(name)
        except BaseException:
            problem = True
        new = set(sys.modules) - before
        if problem or told or any([self.is_foreign(one) for one in new]):
            return [name] + [one for one in new if not one.startswith(("_pytest", "pytest."))]
        self.check(name)
        return []

    def is_foreign(self, name):
        if name in self.roots or name.startswith(self.below):
            return True
        module = sys.modules.get(name)
        if module is sys.modules["__main__"]:  # multiprocessing names it so
            return False
        inside = type(sys).__getattribute__(module, "__dict__") if isinstance(module, type(sys)) else {}
        file = inside.get("__file__")
        if name in self.rewritten and type(inside.get("__loader__")).__name__ != "AssertionRewritingHook":
            return True
        return bool(file) and not os.path.abspath(file).startswith(self.places)

    def check(self, name):
        """Raise Unfit if there are threads, or an open connection or device that forks would share."""
        if threads() > 1:
            raise Unfit("a thread runs after `import %s`" % name)
        for number in descriptors() - self.descriptors:
            try:
                target = os.readlink("/proc/self/fd/%d" % number)
            except OSError:
                continue
            if not target.startswith("/") or (target.startswith("/dev/") and not target.startswith(HARMLESS)):
                raise Unfit("`import %s` leaves %s open" % (name, target))


def threads():
    try:
        return len(os.listdir("/proc/self/task"))
    except OSError:
        threading = sys.modules.get("threading")
        return threading.active_count() if threading else 1


def descriptors():
    try:
        return set([int(name) for name in os.listdir("/proc/self/fd")])
    except OSError:
        return set()
