# -*- coding: utf-8 -*-
"""Notes what a process of a cell reads outside of its environment, as it happens. The witness starts it in each process.

`install` is all that others call. Each note is a record of the witness, once a process:

    noted   KIND                   the process notes what it reads, by an audit hook ("hook") or by doors alone ("doors")
    opened  HOW  path              HOW is one of these:
                r  read            w  only written      a  read and written     c  a compiled file, written by hand
                l  a folder, listed                     p  a folder, searched for modules
                o  a folder, listed with what its entries are
                s  asked for, and it is there           n  asked for, and it is not there
                t  asked for more than whether it is there
                e  named by a variable of a program that was started, and read by that if it is there
                k  the target of a link, or what got another name
                m  more paths than are noted            i  written, and it is a file of the interpreter
                v  deleted, and it was there before the command
                d  the "path" is a reason not to keep the result
    ran     cwd  arguments  flag   a program; arguments are joined by "\\1"; the flag is "1" if the variables lack the witness

Python 3.8 and newer tell by an audit hook. It does not see who only asks whether a file is there, nor folders that are given as
descriptors: so functions of `os` are replaced by doors that note and call them. Older Pythons have doors for all of it. A door is an
object, not a function: it does not turn into a method where a class holds it.

Nothing here raises, but what could not be noted makes the result doubtful: the witness writes what is `missed` with its next record.
It is cheap for files of the environment: a prefix is compared.
"""

import os
import sys

from _venvgrid_started import LIMIT, NEWLINE, Door, Started, is_of_tests

PROC = "/proc/"
OPENING = ("_ctypes", "_sqlite3", "_dbm", "_gdbm", "readline")  # extensions of Python that open files, or call what does
BETWEEN = ("pathlib", "pathlib._local", "pathlib._abc", "glob", "os", "genericpath", "posixpath")  # they ask for others
LISTING = BETWEEN + ("shutil",)
# Modules that look for modules.
SEARCHERS = ("_pytest.", "py.", "_venvgrid", "importlib.", "_frozen_importlib", "pkgutil", "pkg_resources")
# They ask no more of a file than whether it is there, or where a link leads to.
ASKING = ("exists", "lexists", "isfile", "isdir", "islink", "ismount", "realpath", "_joinrealpath", "resolve", "is_file", "is_dir")
DOORS = ("stat", "lstat", "access", "readlink", "statvfs", "pathconf")  # and open, where a folder is given as a descriptor
# After these, a process may not be able to write its notes.
LEAVING = ("chroot", "unshare", "setns") + ("setuid", "seteuid", "setreuid", "setresuid")
LEAVING += ("setgid", "setegid", "setregid", "setresgid")
FILE_SIZE = 1  # RLIMIT_FSIZE


def install(add, skip, variable, missed):
    """Begin to note, and return what is done at audit events.

    `add` appends a record, `skip` are prefixes of paths that do not count.
    """
    if getattr(sys, "_venvgrid_opened", None):
        return {}
    own = [os.path.dirname(os.__file__), sys.prefix, os.path.realpath(sys.prefix)]
    base = getattr(sys, "base_prefix", None) or getattr(sys, "real_prefix", "")
    own += [place for place in (base, os.path.realpath(base)) if place.count(os.sep) > 2]
    shared = tuple([place.rstrip(os.sep) + os.sep for place in own if not place.startswith(tuple(own[1:3]))])
    notes = Notes(add, tuple(skip) + tuple([place.rstrip(os.sep) + os.sep for place in own]), shared, variable, missed)
    sys._venvgrid_opened = notes
    for name in DOORS:
        if hasattr(os, name):
            put(os, name, Door(getattr(os, name), after=notes.asked))
    for name in LEAVING:
        if hasattr(os, name):
            put(os, name, Door(getattr(os, name), before=lambda args, more, name=name: notes.leaves("called os." + name)))
    events = {}
    if hasattr(sys, "addaudithook"):
        put(os, "open", Door(os.open, before=notes.opened_in))
        import _venvgrid_network

        notes.network = _venvgrid_network.Network(add)
        events = dict(events_of(notes), **_venvgrid_network.events_of(notes.network))
    else:
        __import__("_venvgrid_opened_old").old_doors(notes)
    add("noted", "hook" if events else "doors", "")
    return events


def listen(events, missed):
    """Do what `events` has for an audit event. Some libraries raise very many others, such as that of `id`: one look-up is paid."""
    find = events.get

    def hook(event, arguments):
        handle = find(event)
        if handle is not None:
            try:
                handle(arguments)
            except Exception as error:
                if is_of_tests(error, event, missed):
                    raise

    if hasattr(sys, "addaudithook"):
        sys.addaudithook(hook)


def put(module, name, door):
    """Replace a function, also in the sets of functions that take descriptors or do not follow links."""
    for supports in ("supports_dir_fd", "supports_fd", "supports_effective_ids", "supports_follow_symlinks"):
        functions = getattr(os, supports, ())
        if getattr(module, name) in functions:
            functions.add(door)
    setattr(module, name, door)


class Notes(Started):
    """Notes each path once. Functions are bound at the start: tests replace attributes of the modules."""

    def __init__(self, add, skip, shared, variable, missed):
        self.missed = missed
        # Links in /proc lead out of it.
        self.add, self.skip, self.shared, self.variable = add, tuple([place for place in skip if place != PROC]), shared, variable
        self.network = self.compiled = None
        self.library, self.dirname = os.path.dirname(os.__file__) + os.sep, os.path.dirname
        self.seen, self.there, self.ran = set(), set(), set()
        self.again = set()  # what was appended to: it counts if it is read after that
        # What is read while a test module is at work, and prefixes of the environment that count for it: see the probe's `reached`.
        self.work, self.reach = set(), ()
        self.cwd, self.join, self.isabs, self.normpath = os.getcwd, os.path.join, os.path.isabs, os.path.normpath
        self.decode = getattr(os, "fsdecode", None) or __import__("_venvgrid_opened_old").old_decode
        self.fspath = getattr(os, "fspath", None) or __import__("_venvgrid_opened_old").old_fspath
        self.readlink, self.environ, self.sep, self.frame = getattr(os, "readlink", None), os.environ, os.sep, sys._getframe
        self.up = os.sep + ".."
        self.begin(os.environ.get(variable))
        self.access = os.access
        self.is_writing, self.wronly, self.is_new = os.O_WRONLY | os.O_RDWR, os.O_WRONLY, os.O_TRUNC | os.O_EXCL
        self.is_folder = getattr(os, "O_DIRECTORY", 0) | getattr(os, "O_PATH", 0)

    def path_of(self, path, folder=None):
        """Return an absolute path, or None if it does not count."""
        if type(path) is not str:
            if isinstance(path, int):
                return None
            path = self.decode(self.fspath(path))
        if path.startswith(self.skip) and self.up not in path:
            return None
        if not self.isabs(path):
            if path[:1] == "<":  # a name of code without a file
                return None
            path = self.join(folder or self.cwd(), path)
        if path.startswith(PROC):
            path = self.out_of(path)
        path = self.normpath(path)
        return None if path.startswith(self.skip) or path.startswith(PROC) else path

    def note(self, path, how, folder=None):
        if type(path) is str and path in self.seen and path not in self.again:
            return self.work.add(path) if how != "w" else None
        path = self.path_of(path, folder)
        if path is None or len(self.seen) > LIMIT:
            return None
        if path in self.seen and (how == "w" or path not in self.again):
            return self.work.add(path) if how != "w" else None
        if how != "w":
            self.work.add(path)
            self.again.discard(path)
        self.seen.add(path)
        self.add("opened", how if len(self.seen) <= LIMIT else "m", path.replace("\n", NEWLINE))

    def asked(self, args, more, found):
        """Note whether a path is there that a test asks for, and whether it asks for more."""
        try:
            path = args[0] if args else more["path"]
            if hasattr(type(path), "__fspath__"):  # it has no path: the door asked for it
                return
            folder = self.of_descriptor(more["dir_fd"]) if more.get("dir_fd") is not None else None
            if folder is None and type(path) is str:
                if path in self.there or (path.startswith(self.skip) and self.up not in path):
                    return
            path = self.path_of(path, folder)
            if path is None or (path in self.seen and path not in self.again) or path in self.there:
                return
            how = "n" if not found else "s" if self.is_searching(self.frame(2), ASKING) else "t"
            if how != "s":
                self.there.add(path)
            self.once((path, how), how, path)
        except Exception as error:
            if is_of_tests(error, "os.stat", self.missed):
                raise

    def is_searching(self, frame, functions=()):
        """Return whether pytest or another that looks for modules asks or lists, or who else calls one of the functions."""
        name = frame.f_globals.get("__name__")
        while frame.f_back is not None and name in BETWEEN and frame.f_code.co_name not in functions:
            frame = frame.f_back
            name = frame.f_globals.get("__name__")
        return frame.f_code.co_name in functions or str(name).startswith(SEARCHERS)

    def once(self, key, how, path):
        """Note a path that was asked for or listed. One that is too much makes all of them doubtful."""
        if key not in self.there and len(self.there) <= LIMIT:
            self.there.add(key)
            self.add("opened", how if len(self.there) <= LIMIT else "m", path.replace("\n", NEWLINE))

    def opened_in(self, args, more):
        """Note a path relative to a folder that is given as a descriptor."""
        try:
            if more.get("dir_fd") is not None:
                folder = self.of_descriptor(more["dir_fd"])
                self.opened(args[0] if args else more["path"], args[1] if len(args) > 1 else more["flags"], folder)
        except Exception as error:
            if is_of_tests(error, "os.open", self.missed):
                raise

    def opened(self, path, flags, folder=None):
        if flags & self.is_writing and type(path) is str and path.endswith(".pyc"):
            return self.by_hand(path)
        if type(path) is str and path.startswith(self.skip) and self.up not in path:
            if flags & self.is_writing and path.startswith(self.shared) and "__pycache__" not in path:
                self.add("opened", "i", path)
            elif path.startswith(self.reach) and not flags & self.is_writing:
                self.work.add(path)
            return None
        if not flags & self.is_folder:
            how = flags & self.is_writing
            if how and flags & os.O_EXCL:
                self.made(path, folder)
            if how == self.wronly and not flags & self.is_new:
                self.again.update([place for place in [self.path_of(path, folder)] if place not in self.seen])
            self.note(path, "r" if not how else "w" if how == self.wronly or flags & self.is_new else "a", folder)

    def by_hand(self, path):
        if path.startswith(self.shared):
            self.add("opened", "i", path)
        if "c" not in self.seen:  # once is enough
            self.seen.add("c")
            self.add("opened", "c", path)

    def moved(self, source, target, is_link=False):
        source, target = self.decode(self.fspath(source)), self.decode(self.fspath(target))
        self.note(self.join(self.dirname(target), source) if is_link else source, "k")  # it may be read by its other name
        if is_link:
            self.made(target)
        if target.endswith(".pyc") and not source.startswith(target):
            self.by_hand(target)
        elif target.startswith(self.shared) and "__pycache__" not in target:
            self.add("opened", "i", target)

    def listed(self, path, depth, how="l"):
        path = self.cwd() if path is None else self.of_descriptor(path) if isinstance(path, int) else path
        frame = self.frame(depth)
        how = "p" if self.is_searching(frame) else "l" if frame.f_globals.get("__name__") in LISTING else how
        path = self.path_of(path)
        if path is not None:
            self.once((path, how), how, path)

    def imported(self, name, file):
        """Note an extension; what it opens by itself is looked for. `file` is None for a module that is about to be imported."""
        if file:
            self.note(file, "r")
        if self.compiled is None and (not file or name in OPENING or not file.startswith(self.library)):
            from _venvgrid_compiled import Compiled

            self.compiled = Compiled(self, self.network)
            sys.modules.pop("_venvgrid_compiled")  # a test may compare what an import has loaded
        return self.compiled and self.compiled.imported(name)


def events_of(notes):
    """Return what is done at each audit event with its arguments. The depth of frames counts from here."""
    return {
        "open": lambda args: notes.opened(args[0], args[2]),
        "os.listdir": lambda args: notes.listed(args[0], 3),
        "os.scandir": lambda args: notes.listed(args[0], 3, "o"),
        "os.mkdir": lambda args: notes.made(args[0], notes.folder_of(args[2])),
        "os.remove": lambda args: notes.removed(args[0], notes.folder_of(args[1])),
        "os.rmdir": lambda args: notes.removed(args[0], notes.folder_of(args[1])),
        "os.rename": lambda args: (notes.removed(args[0], notes.folder_of(args[2])), notes.moved(args[0], args[1])),
        "os.link": lambda args: notes.moved(args[0], args[1]),
        "os.symlink": lambda args: notes.moved(args[0], args[1], True),
        "os.getxattr": lambda args: notes.attribute(args[0]),
        "os.listxattr": lambda args: notes.attribute(args[0], 3),
        "os.chdir": lambda args: notes.made(args[0]),
        "os.truncate": lambda args: notes.made(args[0]),
        "os.chmod": lambda args: notes.made(args[0], notes.folder_of(args[2])),
        "os.chown": lambda args: notes.made(args[0], notes.folder_of(args[3])),
        "os.utime": lambda args: notes.made(args[0], notes.folder_of(args[3])),
        "subprocess.Popen": lambda args: notes.popen(args, 3),
        "resource.setrlimit": lambda args: notes.leaves("called resource.setrlimit") if args[0] == FILE_SIZE else None,
        "os.system": lambda args: notes.program(None, ["/bin/sh", "-c", args[0]]),
        "os.exec": lambda args: notes.program(args[0], args[1], None, args[2]),
        "os.posix_spawn": lambda args: notes.program(args[0], args[1], None, args[2]),
        "os.spawn": lambda args: notes.program(args[1], args[2], None, args[3]),
        "sqlite3.connect": lambda args: notes.database(args),
        "import": lambda args: notes.imported(args[0], args[1]),
        "ctypes.dlsym": lambda args: notes.compiled and notes.compiled.called(args[1]),
        "ctypes.dlopen": lambda args: notes.note(args[0], "r") if args[0] and os.sep in str(args[0]) else None,
    }
