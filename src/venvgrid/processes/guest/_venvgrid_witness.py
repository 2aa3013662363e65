# -*- coding: utf-8 -*-
"""venvgrid's witness: records in every Python process of a cell from which files watched modules are imported.

Copied into the environment of a cell; `_venvgrid_witness.pth` imports it when a process starts. The variable VENVGRID_WITNESS
names its specification (see `venvgrid.outcomes.witness`). Children inherit it, or find it on Linux. Without it, nothing is done.

Each process appends to a file of its own in the folder "stream", a line as it happens: a type, a name, a file and the time of
its last change, with "\\0" between them. Types: "process" (its interpreter and version), "import", "session" (pytest was
imported and should have the probe), "probe" (it has), "checkout" (a test that the project's wheel does not ship), and "run" (a
file outside of the environment was executed; Python 3.8 and newer). `_venvgrid_opened` adds more.

It also answers the project's own names from the environment, before any folder of sys.path: the working directory and pytest put
the checkout in front of site-packages. Tests inside the package that the wheel does not ship come from the checkout, they alone.

No dependencies, Python 2.7 to 3.15. It imports only what a starting interpreter has loaded, which takes less than 2 ms. It never
raises, and functions that are needed later are bound at the start, because tests replace os.open and fork.
"""

import os
import sys

VARIABLE = "VENVGRID_WITNESS"
TESTS = ("test", "tests", "testsuite", "testcases", "unittests", "conftest")
OLD = sys.version_info[0] == 2
BUILD = "pip-build-env-"
THIRD_PARTY = ("site-packages", "dist-packages")
MODULE = type(sys)


def is_test(name):
    """Return whether a module below the project's package is a test, by the part of its name after the package."""
    return any(
        part in TESTS or part.startswith(("test_", "tests_")) or part.endswith(("_test", "_tests"))
        for part in name.split(".")
    )


class MetaPath(list):
    """sys.meta_path from Python 3: where Python looks for a module, `first` comes first; tests count and find their own."""

    first = None

    def __iter__(self):
        is_looking = str(sys._getframe(1).f_globals.get("__name__")).startswith(("importlib", "_frozen_importlib"))
        return iter([self.first] + self[:]) if is_looking else list.__iter__(self)


class Witness(object):
    """A finder that is asked before all others. `fields` are the pairs of the specification."""

    def __init__(self, fields):
        self.stream = self.site = self.overlay = ""  # overlay: asked before site, in a preview
        self.project = ""  # the name of the distribution, if its modules are to come from the environment
        self.roots = []  # modules that are watched, with all below them
        self.first = set()  # those of the project that come from the environment
        self.sources = []  # folders of the checkout in which these are
        inside = []  # folders whose files are not recorded when they are executed
        self.unnoted = []  # prefixes of files that are read without a note, see `_venvgrid_opened`
        lists = {"root": self.roots.append, "source": self.sources.append, "inside": inside.append}
        lists.update(unnoted=self.unnoted.append, first=self.first.add)
        for key, value in fields:
            lists[key](value) if key in lists else setattr(self, key, value)
        self.tops, self.below = set([root.partition(".")[0] for root in self.roots]), tuple([root + "." for root in self.roots])
        self.inside = tuple([folder.rstrip(os.sep) + os.sep for folder in inside])
        self.checkout = tuple([os.path.join(folder, "") for folder in self.sources])
        self.known, self.files, self.places = set(), {}, {}  # places: folder of the environment → where it really is
        self.by_path = False  # pytest imported a file of the project so
        self.missed = []  # what could not be noted: reasons not to keep the result
        self.open, self.write, self.close, self.getpid = os.open, os.write, os.close, os.getpid
        self.stat, self.exists, self.getcwd = os.stat, os.path.exists, os.getcwd
        self.library = os.path.join(os.path.dirname(os.__file__), "")
        self.realpath, self.split, self.join, self.isabs = os.path.realpath, os.path.split, os.path.join, os.path.isabs
        self.flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0)
        self.modules, self.frame, self.extension, self.reached = sys.modules, sys._getframe, str, len

    def add(self, kind, name, file, changed=""):
        """Append a record, once. A full disk or a closed descriptor is no trouble of the tests."""
        key = (kind, name, file, changed)
        if self.missed:
            self.add("opened", "d", "did something that could not be noted (%s)" % self.missed.pop())
        if key in self.known:
            return
        self.known.add(key)
        try:
            line = "\0".join(key).replace("\n", "\\n") + "\n"
            if not isinstance(line, bytes):
                line = line.encode("utf-8", "surrogateescape")
            fd = self.open(self.join(self.stream, "%d" % self.getpid()), self.flags, 0o644)
            try:
                self.write(fd, line)
            finally:
                self.close(fd)
        except Exception:
            pass

    def saw(self, name, file, is_import=True):
        """Record that a watched module was imported from a file, and when the file was last changed."""
        if isinstance(file, (str, type(u""))) and (is_import or self.files.get(name) != file) and not self.is_hidden():
            self.files[name] = file
            real = self.real(file)
            try:
                changed = "%d" % (self.stat(real).st_ctime * 1e3) if is_import else ""
            except OSError:
                changed = ""
            self.add("import", name, real, changed)
            if self.is_own_test(name) and real.startswith(self.checkout) and not real.startswith(self.inside):
                self.add("checkout", name, real)

    def real(self, file):
        """Resolve links of the folder, not of the file itself: an installer may link files from its cache."""
        if OLD and isinstance(file, type(u"")):
            file = file.encode(sys.getfilesystemencoding() or "utf-8")
        if file.endswith((".pyc", ".pyo")) and os.sep + "__pycache__" + os.sep not in file and OLD:
            file = file[:-1]
        folder, name = self.split(file if self.isabs(file) else self.join(self.getcwd(), file))
        if folder not in self.places or not folder.startswith(self.site):  # it takes longer than all else here
            self.places[folder] = self.realpath(folder)
        return self.join(self.places[folder], name)

    def look(self):
        """Record watched roots that were put into sys.modules in another way than by an import."""
        for root in self.roots:
            if root in self.modules:
                self.look_at(root)

    def look_at(self, name):
        try:
            module = self.modules.get(name)
            if isinstance(module, MODULE):
                inside = MODULE.__getattribute__(module, "__dict__")
                if name in self.roots or not self.is_alias(name, module, inside):
                    self.saw(name, inside.get("__file__"), is_import=False)
        except Exception:
            pass

    def is_alias(self, name, module, inside):
        """Return whether a name that no installed file has is another name of a module of the standard library."""
        own, file = inside.get("__name__"), inside.get("__file__") or ""
        if own == name or self.modules.get(own) is not module or not file.startswith(self.library):
            return False
        place = self.join(self.site, *name.split("."))
        is_installed = self.exists(place) or self.exists(place + ".py")
        return not is_installed and not file.startswith(tuple([self.library + sub for sub in THIRD_PARTY]))

    def at_exit(self):
        self.missed and self.add("noted", "missed", "")
        for name in list(self.modules):
            if self.is_root_or_below(name):
                self.look_at(name)

    def executed(self, arguments):
        """Record a file outside of the environment whose code is executed, and what it is imported as; an audit event."""
        self.reached(arguments)  # len, or the probe's map of files
        file, frame = arguments[0].co_filename, self.frame(1).f_back
        if file[:1] != "<" and not file.startswith(self.inside):
            self.look()  # another finder may have been asked before this one
            if file not in self.files:
                self.files[file] = file
                self.add("run", "", self.real(file))
        for loading in (frame, frame and frame.f_back):  # a finder in front may answer with another file of the environment
            if loading and loading.f_code.co_name == "exec_module":
                name = MODULE.__getattribute__(loading.f_locals["module"], "__dict__")["__name__"]
                if self.is_root_or_below(name):
                    self.look_at(name)

    def imported(self, arguments):
        """Take the first place again before a watched module is imported; record an extension. An audit event."""
        if arguments[1] or arguments[0] in ("ssl", "sqlite3", "multiprocessing.shared_memory"):
            self.extension(arguments)
        elif arguments[0].partition(".")[0] in self.tops:
            self.front()

    def is_root_or_below(self, name):
        return name in self.roots or name.startswith(self.below)

    def front(self):
        """Take the first place of a sys.meta_path that tests made, or of Python 2."""
        path = sys.meta_path
        if path and path[0] is not self and getattr(path, "first", None) is not self:
            path[:] = [self] + [finder for finder in path if finder is not self]

    def is_watched(self, name):
        """Return whether a name that is imported is that of a watched module; note pytest and the probe."""
        if name == "_venvgrid_probe":
            self.add("probe", "", "")
        elif name == "_pytest.main" and os.environ.get("VENVGRID_PROBE"):
            self.add("session", "", "")
        self.front()  # a hook that instruments the project may have been put there
        if name.partition(".")[0] not in self.tops or not self.is_root_or_below(name):
            return False
        self.look()
        return not self.is_hidden()

    def find_spec(self, name, path=None, target=None):
        try:
            if not self.is_watched(name):
                return None
            spec = self.find(name, path, target)
            if spec is not None and spec.has_location and not self.is_query():
                self.saw(name, spec.origin)
            return spec
        except Exception:
            self.missed.append("import of " + name)
            return None

    def is_query(self):
        """Return whether importlib.util.find_spec asks: nothing is imported, unless runpy asks in order to run it."""
        frame = sys._getframe(2)
        for _ in range(3):
            if frame is None:
                return False
            if frame.f_code.co_name == "find_spec" and frame.f_globals.get("__name__") == "importlib.util":
                return frame.f_back is None or frame.f_back.f_globals.get("__name__") != "runpy"
            frame = frame.f_back
        return False

    def find(self, name, path, target):
        """Return the spec that the other finders find; of the project's modules the one in the environment."""
        parent = name.rpartition(".")[0].replace(".", os.sep)
        if name in self.first:
            places = [self.join(place, parent) if parent else place for place in (self.overlay, self.site) if place]
            spec = self.ask(name, places, target)
            if spec is not None:
                return spec
        spec = self.ask(name, path, target)
        for folder in self.unshipped(name) if spec is None else ():
            spec = spec or self.ask(name, [self.join(folder, parent)], target)
        return spec

    def is_hidden(self):
        """Return whether this process may not see the environment: pip hides it where it builds a distribution."""
        return BUILD in (getattr(self.modules.get("sitecustomize"), "__file__", None) or "")

    def ask(self, name, path, target):
        for finder in list(sys.meta_path):
            if finder is not self:
                found = getattr(finder, "find_spec", None) or __import__("_venvgrid_witness_old").asking(finder)
                spec = found(name, path, target)
                if spec is not None:
                    return spec
        return None

    def is_own_test(self, name):
        return any(name.startswith(root + ".") and is_test(name[len(root) + 1 :]) for root in self.first)

    def unshipped(self, name):
        """Return the folders of the checkout in which Python itself looks for a test that the environment does not have."""
        if not self.is_own_test(name):
            return ()
        places = set([self.realpath(place or self.getcwd()) for place in sys.path if isinstance(place, str)])
        return [folder for folder in self.sources if self.by_path or self.realpath(folder) in places]

    def find_distributions(self, context):
        """Return the installed copy of the project for importlib.metadata, not an egg-info of the checkout."""
        if not self.project or self.is_hidden():
            return iter(())
        return self.distributions(context, self.project, self.site)


def read(path):
    fd = os.open(path, os.O_RDONLY | getattr(os, "O_BINARY", 0))
    data = os.read(fd, 1 << 22)
    os.close(fd)
    return data if OLD else data.decode("utf-8", "surrogateescape")


def start():
    """Return the witness of this process, or None if it is not switched on."""
    try:
        path = os.environ.get(VARIABLE)
        if not path:
            from _venvgrid_witness_ancestor import of_ancestor
        parts = read(path or of_ancestor(VARIABLE, read)).split("\0")
        fields = list(zip(parts[::2], parts[1::2]))
        if not path and os.path.realpath(dict(fields)["site"]) != os.path.dirname(os.path.realpath(__file__)):
            return None  # the cell of another environment
        kind = Witness
        if OLD:
            from _venvgrid_witness_old import OldWitness as kind
        witness = kind(fields)
        witness.add("process", "%d.%d.%d" % sys.version_info[:3], sys.executable or "")
        MetaPath.first = witness
        sys.meta_path = [witness] + sys.meta_path if OLD else MetaPath(sys.meta_path)
        __import__("atexit").register(witness.at_exit)
        witness.look()
        witness.inside += (os.path.dirname(os.__file__) + os.sep,)
        import _venvgrid_distributions
        import _venvgrid_opened

        witness.distributions = _venvgrid_distributions.find
        events = _venvgrid_opened.install(witness.add, witness.unnoted, VARIABLE, witness.missed) if witness.unnoted else {}
        witness.extension = events.get("import", str)
        _venvgrid_opened.listen(dict(events, **{"exec": witness.executed, "import": witness.imported}), witness.missed)
        return witness
    except Exception:
        return None


active = start()
