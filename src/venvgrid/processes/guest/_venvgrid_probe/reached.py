# -*- coding: utf-8 -*-
"""The map of a session: which files of the project each test module reaches. It orders later runs and decides no verdict.

A file reaches another one if its code imports it, if its globals hold something that was defined there, or if it is in a package
whose `__init__` is there. A test module also reaches the files that are opened while it is collected or its tests run. Code comes
from the witness (Python 3.8 and newer); older Pythons know globals and functions only. PYTEST_DONT_REWRITE
"""

from __future__ import absolute_import

import os
import re
import sys
import time

from .installed import current_witness
from .results import to_text

MODULE, FUNCTION, CODE = type(sys), type(to_text), type(to_text.__code__)
COMPILED = (".pyc", ".pyo")
DEPTH = 12  # frames of importlib between a module and the one that imports it
LIMIT = 20000  # of files, and of what one test module opened


class Reached(object):
    """Records one session. `spec` has the folder for the record, and prefixes of files: the project's and others."""

    def __init__(self, spec):
        self.folder = spec["folder"]
        self.own, self.checkout, self.others = [tuple(spec[name]) for name in ("own", "checkout", "others")]
        self.codes, self.importers, self.tests, self.opened = {}, set(), {}, {}
        self.current, self.frame, self.join, self.split = "", sys._getframe, os.path.join, os.path.split
        self.seconds, self.began, self.clock = {}, None, getattr(time, "perf_counter", time.time)
        notes = getattr(sys, "_venvgrid_opened", None)
        self.notes = notes if hasattr(notes, "work") else None
        witness = current_witness()
        if witness is not None:
            witness.reached = self.executed
        if self.notes is not None:
            self.notes.reach = self.own

    def is_own(self, file):
        return file.startswith(self.own) or (file.startswith(self.checkout) and not file.startswith(self.others))

    def executed(self, arguments):
        """Keep the code of a module and the file that imported it; the witness calls this at audit events."""
        code, frame = arguments[0], self.frame(2)
        file = code.co_filename
        if not self.is_own(file) or code.co_name != "<module>":
            return
        self.codes[file] = code
        for _ in range(DEPTH):
            if frame is None:
                return
            importer = frame.f_code.co_filename
            if importer in self.codes and importer != file:
                self.importers.add((importer, file))
                return
            frame = frame.f_back

    def collects(self, module, path):
        """Begin with the collection of a test module."""
        self.tests[module] = path
        self.works(module)

    def works(self, module):
        """Begin with the tests of a test module; "" for none."""
        if module != self.current or not module:
            now = self.clock()
            if self.began is not None:  # tests run: all are collected
                self.seconds[self.current] = self.seconds.get(self.current, 0.0) + now - self.began
            self.began = now if self.began is not None or not module else None
            self.current = module
            if self.notes is not None:
                self.notes.work = self.opened.setdefault(module, set()) if module in self.tests else set()

    def write(self, writer):
        """Write the record of this session, with the bound functions of the stream's writer."""
        self.works("")
        witness = current_witness()
        if witness is not None:
            witness.reached = len
        if self.notes is not None:
            self.notes.work, self.notes.reach = set(), ()
        if not self.tests or writer.getpid() != writer.pid:
            return
        data = writer.encode(self.record())
        data = data if isinstance(data, bytes) else data.encode("ascii")
        name = self.split(writer.path)[1] + ".json"  # a process may have several sessions
        fd = writer.open(self.join(self.folder, name), writer.flags, 0o644)
        try:
            while data:
                data = data[writer.write(fd, data) :]
        finally:
            writer.shut(fd)

    def record(self):
        modules = {}
        for name, module in list(sys.modules.items()):
            inside = MODULE.__getattribute__(module, "__dict__") if isinstance(module, MODULE) else {}
            file = inside.get("__file__")
            if type(file) is str and self.is_own(file) and len(modules) < LIMIT:
                modules[name] = _source(file), inside
        files = dict([(name, file) for name, (file, _) in modules.items()])
        parts = _suffixes(files)
        edges = set([(_source(one), _source(other)) for one, other in self.importers])
        package_of = {}
        for name, (file, inside) in modules.items():
            package_of[file] = inside.get("__package__") or name.rpartition(".")[0]
            for other in _of_globals(inside, name, parts if file not in self.codes else ()):
                edges.add((file, files.get(other)))
        for file, code in self.codes.items():
            for other in _of_code(code, package_of.get(_source(file), ""), parts):
                edges.add((_source(file), files.get(other)))
        return self.numbered(edges)

    def numbered(self, edges):
        """Return the record; files have numbers, in order of their names."""
        edges = [(one, other) for one, other in edges if other is not None and one != other]
        paths = set([_source(path) for path in self.tests.values()])
        paths.update([path for edge in edges for path in edge])
        opened = {}
        for module, seen in self.opened.items():
            data = [path for path in seen if type(path) is str and path not in self.codes and self.is_own(path)]
            opened[module] = [path for path in data if not path.endswith(COMPILED) and "__pycache__" not in path][:LIMIT]
            paths.update(opened[module])
        order = sorted(paths)
        number = dict([(path, at) for at, path in enumerate(order)])
        return {
            "v": 1,
            "files": [to_text(path) for path in order],
            "edges": sorted([[number[one], number[other]] for one, other in edges]),
            "seconds": dict([(to_text(name), round(self.seconds[name], 4)) for name in self.tests if name in self.seconds]),
            "tests": dict([(to_text(name), number[_source(path)]) for name, path in self.tests.items()]),
            "opened": dict([(to_text(name), sorted([number[one] for one in some])) for name, some in opened.items() if some]),
        }


def _source(file):
    """Return the source of a compiled file of Python 2."""
    return file[:-1] if file.endswith(COMPILED) else file


def _suffixes(names):
    """Return how import statements may call modules: a.b.c is also b.c and c."""
    found = set()
    for name in names:
        while name:
            found.add(name)
            name = name.partition(".")[2]
    return found


def _of_globals(inside, name, parts):
    """Return the names of modules that the globals of a module lead to, and that of its package.

    With `parts`, functions are asked for their import statements.
    """
    package = inside.get("__package__") or ""
    found = set([name.rpartition(".")[0]])
    for key, value in list(inside.items()):
        try:
            kind = type(value)
            if kind is MODULE:
                other = MODULE.__getattribute__(value, "__dict__").get("__name__")
                if other != name + "." + key:  # each import of a submodule puts it there
                    found.add(other)
            elif kind is FUNCTION:
                found.add(value.__module__)
                if parts and value.__module__ == name:
                    found.update(_of_code(value.__code__, package, parts))
            elif issubclass(kind, type):
                found.add(type.__getattribute__(value, "__module__"))
                found.update([base.__module__ for base in type.__getattribute__(value, "__bases__")])
            elif kind.__module__ not in ("builtins", "__builtin__"):
                found.add(kind.__module__)
                found.add(getattr(object.__getattribute__(value, "__wrapped__"), "__module__", None))
        except Exception:  # an object of any kind
            continue
    plugins = inside.get("pytest_plugins", ())
    found.update(plugins if isinstance(plugins, (list, tuple)) else [plugins])
    return [other for other in found if isinstance(other, str) and other != name]


def _operations():
    """Return the numbers of IMPORT_NAME, IMPORT_FROM and EXTENDED_ARG with a pattern of the first two; None if unknown.

    Since Python 3.6 an operation is two bytes. Of Python 3.15 on, their meaning is not known to this module.
    """
    try:
        from opcode import opmap

        if not (3, 6) <= sys.version_info < (3, 15):
            return None
        name, part = opmap["IMPORT_NAME"], opmap["IMPORT_FROM"]
        return name, opmap["EXTENDED_ARG"], re.compile(b"[" + re.escape(bytes([name, part])) + b"]")
    except Exception:
        return None


OPERATIONS = _operations()


def _of_code(code, package, parts):
    """Return the names that the import statements of a code object may mean, with those of the functions in it."""
    found = set()
    if OPERATIONS is not None:
        packages = [package.rsplit(".", depth)[0] for depth in range(package.count(".") + 1)]
        _add_imports(code, packages, parts, found)
    return found


def _add_imports(code, packages, parts, found):
    for inner in code.co_consts:
        if type(inner) is CODE:
            _add_imports(inner, packages, parts, found)
    if parts.isdisjoint(code.co_names):
        return
    import_name, extended, pattern = OPERATIONS
    raw, bases = code.co_code, []
    operations, numbers = raw[::2], raw[1::2]
    for match in pattern.finditer(operations):
        at = match.start()
        number = numbers[at]
        if at and operations[at - 1] == extended:
            number += numbers[at - 1] << 8
        if number >= len(code.co_names):
            continue
        name = code.co_names[number]
        if operations[at] == import_name:
            # Whether it is relative does not matter: names that no module has are dropped.
            bases = [base + "." + name if name else base for base in packages] + [name]
            found.update(bases)
        else:
            found.update([base + "." + name for base in bases])
