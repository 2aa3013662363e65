# -*- coding: utf-8 -*-
"""Doors, and notes of what a process of a cell starts, makes and deletes: a part of `_venvgrid_opened`."""

import os
import sys

LIMIT = 10000  # paths of a process, and programs
NEWLINE = "\2"  # in paths and arguments
TRIMS = sys.version_info >= (3, 11)  # what is raised again has the traceback that it is given, and no further frame
fspath = getattr(os, "fspath", None)  # bound now: tests replace it


def without_frame(error):
    """Take the frame that caught an exception from its traceback; a plain `raise` does not add it again."""
    if TRIMS:
        error.__traceback__ = error.__traceback__.tb_next


# Modules whose functions are called to note something.
NOTING = ("os", "posixpath", "ntpath", "genericpath", "codecs")
ABSENT = (2, 9, 20)  # a file or a descriptor that is not there: the test cannot open it either


def is_of_tests(error, event, missed):
    """Return whether an error in the middle of a note is that of a test: a handler of a signal may raise anywhere.

    Else the event is missed, unless the test's own call must fail likewise: wrong arguments, or a file that is not there.
    """
    trace = getattr(error, "__traceback__", None)
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    if trace is not None:
        name = str(trace.tb_frame.f_globals.get("__name__"))
        if name not in NOTING and not name.startswith("_venvgrid"):
            return True
    if not isinstance(error, (TypeError, ValueError)) and getattr(error, "errno", None) not in ABSENT:
        missed.append(event)
    return False


class Door(object):
    """A function of a module that tells its arguments before it is called, and whether a file is there after it.

    A test sees of it as little as can be: an object is asked for its path once, and its own frame is in no traceback.
    """

    __class__ = type(os.stat)  # inspect.isbuiltin: pyfakefs and others look for functions

    def __init__(self, function, before=None, after=None):
        self.__wrapped__, self._before, self._after = function, before, after
        self.__doc__, self.__name__ = function.__doc__, function.__name__
        self.__qualname__, self.__module__ = self.__name__, "os"
        self.__self__ = getattr(function, "__self__", None)

    def __call__(self, *args, **more):
        __tracebackhide__ = True
        try:
            if args and type(args[0]) is not str and hasattr(type(args[0]), "__fspath__"):
                args = (fspath(args[0]),) + args[1:]
            elif not args and hasattr(type(more.get("path")), "__fspath__"):
                more["path"] = fspath(more["path"])
            if self._before is not None:
                self._before(args, more)
            found = self.__wrapped__(*args, **more)
        except Exception as error:
            if self._after is not None:
                self._after(args, more, False)
            without_frame(error)
            raise
        if self._after is not None:
            self._after(args, more, found is not False)
        return found

    def __repr__(self):
        return repr(self.__wrapped__)

    def __reduce__(self):
        return self.__name__


# Variables whose value, with what follows, is a file that a program reads before what it is given.
READ_FIRST = (("BASH_ENV", ""), ("ENV", ""), ("LD_PRELOAD", ""), ("GIT_CONFIG_GLOBAL", ""), ("GIT_CONFIG_SYSTEM", ""))
READ_BY = {
    "zsh": (("ZDOTDIR", "/.zshenv"), ("HOME", "/.zshenv")),
    "git": (("XDG_CONFIG_HOME", "/git/config"), ("HOME", "/.gitconfig")),
}
# They lead git to another history than that of its folder.
ELSEWHERE = ("GIT_DIR", "GIT_COMMON_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_OBJECT_DIRECTORY")


class Started(object):
    """Notes each program once."""

    def doubt(self, why):
        """Note a reason not to keep the result."""
        self.add("opened", "d", why)

    def of_descriptor(self, number):
        return self.readlink("/proc/self/fd/%d" % number)

    def folder_of(self, number):
        """Return the folder of a descriptor that an audit event tells; -1 is none."""
        return self.of_descriptor(number) if isinstance(number, int) and number >= 0 else None

    def made(self, path, folder=None):
        """Note whether something is there that is made or changed now: if that changes, it may fail, or fail no more."""
        path = self.path_of(path, folder)
        if path is not None and path not in self.seen:
            self.once((path, "made"), "s" if self.access(path, os.F_OK) else "n", path)

    def removed(self, path, folder=None, depth=3):
        """Note what is deleted, if it was there before the command of the cell began: a second time it is not.

        What is not there may be an error: unless pathlib is told that it may be missing.
        """
        path = self.path_of(path, folder)
        if path is None or self.began <= 0:
            return
        try:
            changed = self.lstat(path).st_ctime
        except OSError:
            if not self.frame(depth).f_locals.get("missing_ok"):
                self.made(path)
            return
        if changed < self.began:
            self.once((path, "removed"), "v", path)

    def begin(self, specification):
        """Take the time of the specification for that at which the command began; without it, nothing is older."""
        self.lstat, self.began = os.lstat, 0.0
        if specification:
            self.began = os.stat(specification).st_ctime

    def out_of(self, path):
        """Follow a link of /proc while its process lives."""
        parts = path.split("/")
        for name, number in (("cwd", 1), ("root", 1), ("fd", 2)):
            end = parts.index(name) + number if name in parts else len(parts) + 1
            if end <= len(parts):
                place = self.readlink("/".join(parts[:end]))
                return "/".join([place] + parts[end:]) if place[:1] == "/" else path
        return path

    def popen(self, args, depth):
        """Note a program of subprocess; one of another user cannot write notes."""
        given = self.frame(depth).f_locals
        if given.get("uid") is not None or given.get("gid") is not None:
            self.leaves("started a program as another user")
        self.program(*args[:4])

    def program(self, program, words, base=None, variables=None):
        words = [words] if isinstance(words, (str, bytes)) or hasattr(words, "__fspath__") else list(words)
        words = [self.decode(self.fspath(word)) for word in words]
        words[:1] = [self.decode(self.fspath(program))] if program else words[:1]
        if base:
            self.made(base)  # if it is not there, nothing is started
        base = self.join(self.cwd(), self.decode(self.fspath(base))) if base else self.cwd()
        if variables is not None and not hasattr(variables, "get"):
            variables = dict([item.partition(b"=")[::2] for item in variables])
        self.named(words[:1], base, variables)
        places = self.value_of("PATH", variables) or self.decode(os.defpath)
        words[:1] = [self.found(word, places) for word in words[:1]]
        lacks = self.lacks(self.environ if variables is None else variables)
        key = (base, tuple(words), lacks, places)
        if key in self.ran or len(self.ran) > LIMIT:
            return
        self.ran.add(key)
        if len(self.ran) > LIMIT:
            self.add("opened", "m", "")
        else:
            flag = ("1" if lacks else "") + "\1" + places.replace("\n", NEWLINE)
            self.add("ran", base, "\1".join(words).replace("\n", NEWLINE), flag)

    def leaves(self, what):
        """Note that a process will be another user's, or cannot write any more: what it reads then is not noted."""
        self.doubt(what + ", after which not all is noted")

    def value_of(self, name, variables):
        """Return the value of a variable of a program, or ""."""
        value = (self.environ if variables is None else variables).get(name)
        if value is None and type(variables) is dict:
            value = variables.get(name.encode("ascii"))
        return self.decode(value or "")

    def named(self, program, base, variables):
        """Note the files that variables name and a program reads, and a history that git is led to."""
        name = os.path.basename(program[0]) if program else ""
        is_shell = name.endswith("sh")
        for key, file in READ_FIRST + READ_BY.get(name, ()):
            value = self.value_of(key, variables)
            if is_shell and key.endswith("ENV") and not set("$`~").isdisjoint(value):
                self.doubt("ran %s with the variable %s" % (name, key))
            for word in value.replace(":", " ").split() if key == "LD_PRELOAD" else [value]:
                path = self.path_of(word + file, base) if word else None
                if path is not None:
                    self.once((path, "e"), "e", path)
        for key in ELSEWHERE if name == "git" or is_shell else ():
            value = self.value_of(key, variables)
            if value and self.path_of(value, base) is not None:
                self.doubt("ran %s with the variable %s" % (name, key))

    def found(self, word, places):
        """Return the path of a program that was given by its name."""
        if self.sep in word:
            return word
        paths = [self.join(place, word) for place in places.split(os.pathsep)]
        return next((path for path in paths if self.access(path, os.X_OK)), word)

    def lacks(self, variables):
        if sys.platform.startswith("linux"):  # the witness finds it nevertheless
            return False
        names = variables if hasattr(variables, "keys") else [item.split(b"=")[0] for item in variables]
        return self.variable not in names and self.variable.encode("ascii") not in names

    def attribute(self, path, depth=0):
        """Note that attributes are read; shutil asks for those of all that it copies."""
        path = self.path_of(path)
        if path is not None and not (depth and self.frame(depth).f_globals.get("__name__") == "shutil"):
            self.doubt("read an extended attribute of " + path)

    def unquoted(self, text):
        """Return a path of an address with what "%20" and the like stand for."""
        first, rest = text.partition("%")[0], text.split("%")[1:]
        data = [first.encode("utf-8", "surrogateescape") if isinstance(first, type(u"")) else first]
        for part in rest:
            try:
                data.append(bytes(bytearray([int(part[:2], 16)])) + part[2:].encode("utf-8", "surrogateescape"))
            except ValueError:
                return text
        return self.decode(b"".join(data))

    def database(self, args):
        path = self.decode(self.fspath(args[0]))
        if path.startswith("file:"):
            path = self.unquoted(path[5:].partition("?")[0].replace("//localhost/", "/", 1))
        if path and ":memory:" not in path:
            self.note(path, "a")
