# -*- coding: utf-8 -*-
"""Notes what a process of a cell reads outside of its environment, as it happens. The witness starts it in each process.

`install` is all that others call. Each note is a record of the witness, once a process:

    noted   KIND                   the process notes what it reads, by an audit hook ("hook") or by doors alone ("doors")
    opened  HOW  path              HOW is one of these:
                r  read            w  only written      a  read and written     c  a compiled file, written by hand
                l  a folder, listed                     p  a folder, searched for modules
                s  asked for, and it is there           n  asked for, and it is not there
                m  more paths than are noted            i  written, and it is a file of the interpreter
    ran     cwd  arguments  flag   a program; arguments are joined by "\\1"; the flag is "1" if the variables lack the witness

Python 3.8 and newer tell by an audit hook. It does not see who only asks whether a file is there, nor folders that are given as
descriptors: so functions of `os` are replaced by doors that note and call them. Older Pythons have doors for all of it. A door is an
object, not a function: it does not turn into a method where a class holds it.

Nothing here raises. It is cheap for files of the environment: a prefix is compared.
"""

import os
import sys

LIMIT = 10000  # paths of a process
NEWLINE = "\2"  # in paths and arguments
BETWEEN = ("pathlib", "pathlib._local", "pathlib._abc", "glob", "os")  # they list for others
# Modules that look for modules.
SEARCHERS = ("_pytest.", "py.", "_venvgrid", "importlib.", "_frozen_importlib", "pkgutil", "pkg_resources")
DOORS = ("stat", "lstat", "access", "readlink")  # and open, where a folder is given as a descriptor


class Door(object):
    """A function of a module that tells its arguments before it is called, and whether a file is there after it."""

    __class__ = type(os.stat)  # inspect.isbuiltin: pyfakefs and others look for functions

    def __init__(self, function, before=None, after=None):
        self.__wrapped__, self._before, self._after = function, before, after
        self.__doc__, self.__name__ = function.__doc__, function.__name__
        self.__qualname__, self.__module__ = self.__name__, "os"
        self.__self__ = getattr(function, "__self__", None)

    def __call__(self, *args, **more):
        __tracebackhide__ = True
        if self._before is not None:
            self._before(args, more)
        if self._after is None:
            return self.__wrapped__(*args, **more)
        try:
            found = self.__wrapped__(*args, **more)
        except Exception:
            self._after(args, more, False)
            raise
        self._after(args, more, found is not False)
        return found

    def __repr__(self):
        return repr(self.__wrapped__)

    def __reduce__(self):
        return self.__name__


def install(add, skip, variable):
    """Begin to note, and return what is done at audit events.

    `add` appends a record, `skip` are prefixes of paths that do not count.
    """
    if getattr(sys, "_venvgrid_opened", None):
        return {}
    own = [os.path.dirname(os.__file__), sys.prefix, os.path.realpath(sys.prefix)]
    base = getattr(sys, "base_prefix", None) or getattr(sys, "real_prefix", "")
    own += [place for place in (base, os.path.realpath(base)) if place.count(os.sep) > 2]
    shared = tuple([place.rstrip(os.sep) + os.sep for place in own if not place.startswith(tuple(own[1:3]))])
    notes = Notes(add, tuple(skip) + tuple([place.rstrip(os.sep) + os.sep for place in own]), shared, variable)
    sys._venvgrid_opened = notes
    for name in DOORS:
        if hasattr(os, name):
            put(os, name, Door(getattr(os, name), after=notes.asked))
    events = {}
    if hasattr(sys, "addaudithook"):
        put(os, "open", Door(os.open, before=notes.opened_in))
        import _venvgrid_network

        events = dict(events_of(notes), **_venvgrid_network.events_of(add))
    else:
        from _venvgrid_opened_old import old_doors

        old_doors(notes)
    add("noted", "hook" if events else "doors", "")
    return events


def listen(events):
    """Do what `events` has for an audit event. Some libraries raise very many others, such as that of `id`: one look-up is paid."""
    find = events.get

    def hook(event, arguments):
        handle = find(event)
        if handle is not None:
            try:
                handle(arguments)
            except Exception:
                pass

    if hasattr(sys, "addaudithook"):
        sys.addaudithook(hook)


def put(module, name, door):
    """Replace a function, also in the sets of functions that take descriptors or do not follow links."""
    for supports in ("supports_dir_fd", "supports_fd", "supports_effective_ids", "supports_follow_symlinks"):
        functions = getattr(os, supports, ())
        if getattr(module, name) in functions:
            functions.add(door)
    setattr(module, name, door)


class Notes(object):
    """Notes each path once. Functions are bound at the start: tests replace attributes of the modules."""

    def __init__(self, add, skip, shared, variable):
        self.add, self.skip, self.shared, self.variable = add, skip, shared, variable
        self.seen, self.there, self.ran = set(), set(), set()
        # What is read while a test module is at work, and prefixes of the environment that count for it: see the probe's `reached`.
        self.work, self.reach = set(), ()
        self.cwd, self.join, self.isabs, self.normpath = os.getcwd, os.path.join, os.path.isabs, os.path.normpath
        self.decode = getattr(os, "fsdecode", None) or old_decode
        self.fspath = getattr(os, "fspath", None) or old_fspath
        self.readlink, self.environ, self.sep, self.frame = getattr(os, "readlink", None), os.environ, os.sep, sys._getframe
        self.access = os.access
        self.is_writing, self.wronly, self.is_new = os.O_WRONLY | os.O_RDWR, os.O_WRONLY, os.O_TRUNC | os.O_EXCL
        self.is_folder = getattr(os, "O_DIRECTORY", 0) | getattr(os, "O_PATH", 0)

    def path_of(self, path, folder=None):
        """Return an absolute path, or None if it does not count."""
        if type(path) is not str:
            if isinstance(path, int):
                return None
            path = self.decode(self.fspath(path))
        if path.startswith(self.skip):
            return None
        if not self.isabs(path):
            if path[:1] == "<":  # a name of code without a file
                return None
            path = self.join(folder or self.cwd(), path)
        path = self.normpath(path)
        return None if path.startswith(self.skip) else path

    def note(self, path, how, folder=None):
        if path in self.seen:
            return self.work.add(path) if how != "w" else None
        path = self.path_of(path, folder)
        if path is None or len(self.seen) > LIMIT:
            return None
        if how != "w":
            self.work.add(path)
        if path in self.seen:
            return None
        self.seen.add(path)
        self.add("opened", how if len(self.seen) <= LIMIT else "m", path.replace("\n", NEWLINE))

    def asked(self, args, more, found):
        """Note whether a path is there that a test asks for."""
        try:
            path = args[0] if args else more["path"]
            folder = self.of_descriptor(more["dir_fd"]) if more.get("dir_fd") is not None else None
            if folder is None and (path in self.there or (type(path) is str and path.startswith(self.skip))):
                return
            path = self.path_of(path, folder)
            if path is None or path in self.seen or path in self.there or len(self.there) > LIMIT:
                return
            self.there.add(path)
            self.add("opened", "s" if found else "n", path.replace("\n", NEWLINE))
        except Exception:
            pass

    def of_descriptor(self, number):
        return self.readlink("/proc/self/fd/%d" % number)

    def opened_in(self, args, more):
        """Note a path relative to a folder that is given as a descriptor."""
        try:
            if more.get("dir_fd") is not None:
                folder = self.of_descriptor(more["dir_fd"])
                self.opened(args[0] if args else more["path"], args[1] if len(args) > 1 else more["flags"], folder)
        except Exception:
            pass

    def opened(self, path, flags, folder=None):
        if flags & self.is_writing and type(path) is str and path.endswith(".pyc"):
            return self.by_hand(path)
        if type(path) is str and path.startswith(self.skip):
            if flags & self.is_writing and path.startswith(self.shared) and "__pycache__" not in path:
                self.add("opened", "i", path)
            elif path.startswith(self.reach) and not flags & self.is_writing:
                self.work.add(path)
            return None
        if not flags & self.is_folder:
            how = flags & self.is_writing
            self.note(path, "r" if not how else "w" if how == self.wronly or flags & self.is_new else "a", folder)

    def by_hand(self, path):
        if path.startswith(self.shared):
            self.add("opened", "i", path)
        if "c" not in self.seen:  # once is enough
            self.seen.add("c")
            self.add("opened", "c", path)

    def moved(self, source, target):
        source, target = self.decode(self.fspath(source)), self.decode(self.fspath(target))
        if target.endswith(".pyc") and not source.startswith(target):
            self.by_hand(target)
        elif target.startswith(self.shared) and "__pycache__" not in target:
            self.add("opened", "i", target)

    def listed(self, path, depth):
        path = self.cwd() if path is None else self.of_descriptor(path) if isinstance(path, int) else path
        frame = self.frame(depth)
        while frame.f_back is not None and frame.f_globals.get("__name__") in BETWEEN:
            frame = frame.f_back
        is_pytest = str(frame.f_globals.get("__name__", "")).startswith(SEARCHERS)
        path = self.path_of(path)
        if path is not None and (path, is_pytest) not in self.there and len(self.there) <= LIMIT:
            self.there.add((path, is_pytest))
            self.add("opened", "p" if is_pytest else "l", path.replace("\n", NEWLINE))

    def program(self, program, words, base=None, variables=None):
        words = [words] if isinstance(words, (str, bytes)) or hasattr(words, "__fspath__") else list(words)
        words = [self.decode(self.fspath(word)) for word in words]
        words[:1] = [self.decode(self.fspath(program))] if program else words[:1]
        base = self.join(self.cwd(), self.decode(self.fspath(base))) if base else self.cwd()
        words[:1] = [self.found(word, variables) for word in words[:1]]
        lacks = self.lacks(self.environ if variables is None else variables)
        key = (base, tuple(words), lacks)
        if key not in self.ran and len(self.ran) <= LIMIT:
            self.ran.add(key)
            self.add("ran", base, "\1".join(words).replace("\n", NEWLINE), "1" if lacks else "")

    def found(self, word, variables):
        """Return the path of a program that was given by its name: its variables say where it is."""
        if self.sep in word:
            return word
        if variables is not None and not hasattr(variables, "get"):
            variables = dict([item.partition(b"=")[::2] for item in variables])
        places = (self.environ if variables is None else variables).get("PATH")
        if places is None and type(variables) is dict:
            places = variables.get(b"PATH")
        paths = [self.join(place, word) for place in self.decode(places or os.defpath).split(os.pathsep)]
        return next((path for path in paths if self.access(path, os.X_OK)), word)

    def lacks(self, variables):
        if sys.platform.startswith("linux"):  # the witness finds it nevertheless
            return False
        names = variables if hasattr(variables, "keys") else [item.split(b"=")[0] for item in variables]
        return self.variable not in names and self.variable.encode("ascii") not in names

    def database(self, args):
        path = self.decode(self.fspath(args[0]))
        if path.startswith("file:"):
            path = path[5:].partition("?")[0]
        if path and ":memory:" not in path:
            self.note(path, "a")


def events_of(notes):
    """Return what is done at each audit event with its arguments. The depth of frames counts from here."""
    return {
        "open": lambda args: notes.opened(args[0], args[2]),
        "os.listdir": lambda args: notes.listed(args[0], 3),
        "os.scandir": lambda args: notes.listed(args[0], 3),
        "os.rename": lambda args: notes.moved(args[0], args[1]),
        "os.link": lambda args: notes.moved(args[0], args[1]),
        "os.symlink": lambda args: notes.moved(args[0], args[1]),
        "subprocess.Popen": lambda args: notes.program(args[0], args[1], args[2], args[3]),
        "os.system": lambda args: notes.program(None, ["/bin/sh", "-c", args[0]]),
        "os.exec": lambda args: notes.program(args[0], args[1], None, args[2]),
        "os.posix_spawn": lambda args: notes.program(args[0], args[1], None, args[2]),
        "os.spawn": lambda args: notes.program(args[1], args[2], None, args[3]),
        "sqlite3.connect": lambda args: notes.database(args),
        "import": lambda args: notes.note(args[1], "r") if args[1] else None,  # an extension
        "ctypes.dlopen": lambda args: notes.note(args[0], "r") if args[0] and os.sep in str(args[0]) else None,
    }


def old_decode(path):
    return path.encode(sys.getfilesystemencoding() or "utf-8") if isinstance(path, type(u"")) else path


def old_fspath(path):
    return path if isinstance(path, (str, bytes, type(u""))) else str(path)
