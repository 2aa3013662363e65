# -*- coding: utf-8 -*-
"""The doors of Python 3.7 and older, which has no audit hook; see `_venvgrid_opened`."""

import os
import sys


def old_doors(notes):
    """Put doors before the functions that open, list and start, where there is no audit hook."""
    import io

    from _venvgrid_opened import Door, put
    from _venvgrid_started import is_of_tests

    builtins = sys.modules.get("builtins") or sys.modules["__builtin__"]

    def quiet(note):
        def before(args, more):
            try:
                note(args, more)
            except Exception as error:
                if is_of_tests(error, getattr(note, "__name__", ""), notes.missed):
                    raise

        return before

    def opened(args, more):
        path = args[0] if args else more["file"]
        mode = args[1] if len(args) > 1 else more.get("mode", "r")
        notes.note(path, "a" if "+" in mode else "r" if mode[:1] in "rU" else "w")

    def descriptor(args, more):
        notes.opened_in(args, more)
        if more.get("dir_fd") is None:
            notes.opened(args[0], args[1])

    builtins.open, io.open = Door(builtins.open, quiet(opened)), Door(io.open, quiet(opened))
    if builtins.open.__wrapped__ is io.open.__wrapped__:
        builtins.open = io.open
    put(os, "open", Door(os.open, quiet(descriptor)))
    for name in ("listdir", "scandir"):
        if hasattr(os, name):
            folder = quiet(lambda args, more: notes.listed(args[0] if args else None, 4))
            put(os, name, Door(getattr(os, name), folder))
    shell = quiet(lambda args, more: notes.program(None, ["/bin/sh", "-c", args[0]]))
    starts = quiet(lambda args, more: notes.program(args[0], args[1], None, args[2] if len(args) > 2 else None))
    for name, before in (("system", shell), ("popen", shell), ("execv", starts), ("execve", starts)):
        if hasattr(os, name):
            setattr(os, name, Door(getattr(os, name), before))
    acting = [(name, notes.made) for name in ("mkdir", "chdir", "chmod", "chown", "utime", "truncate") if hasattr(os, name)]
    for name, note in acting + [(name, notes.removed) for name in ("remove", "unlink", "rmdir")]:
        where = quiet(lambda args, more, note=note: note(args[0], notes.folder_of(more.get("dir_fd", -1))))
        setattr(os, name, Door(getattr(os, name), where))
    for name, is_link in (("rename", False), ("replace", False), ("link", False), ("symlink", True)):
        if hasattr(os, name):
            moved = quiet(lambda args, more, is_link=is_link: notes.moved(args[0], args[1], is_link))
            setattr(os, name, Door(getattr(os, name), moved))
    try:
        import _posixsubprocess as processes

        fork = quiet(lambda args, more: notes.program(None, args[0], args[4], args[5]))
        processes.fork_exec = Door(processes.fork_exec, fork)
    except (ImportError, AttributeError):
        pass
    old_imports(notes)
    door = lambda function, note: Door(function, quiet(note))

    def sqlite3():
        import _sqlite3

        _sqlite3.connect = door(_sqlite3.connect, lambda args, more: notes.database(args or [more["database"]]))

    def socket():
        import _venvgrid_network

        _venvgrid_network.old_sockets(notes.add, door)

    sys.meta_path.insert(0, Before({"sqlite3": sqlite3, "socket": socket}))


class Before(object):
    """A finder that finds nothing; it puts doors into what a module is made of just before it is imported."""

    def __init__(self, doors):
        self.doors = doors

    def find_spec(self, name, path=None, target=None):
        put = self.doors.pop(name, None)
        if put is not None:
            try:
                put()
            except Exception:
                pass

    find_module = find_spec


def old_imports(notes):
    """Note at the end which files of modules were imported: no function that could have a door reads them."""
    import atexit

    def at_exit():
        for module in list(sys.modules.values()):
            try:
                path = module.__dict__["__file__"]
                notes.note(path[:-1] if path.endswith((".pyc", ".pyo")) else path, "r")
            except Exception:
                pass

    atexit.register(at_exit)


def old_decode(path):
    return path.encode(sys.getfilesystemencoding() or "utf-8") if isinstance(path, type(u"")) else path


def old_fspath(path):
    return path if isinstance(path, (str, bytes, type(u""))) else str(path)
