# -*- coding: utf-8 -*-
"""Notes which files the processes of a cell open outside of their environment, as they open them.

An audit hook (Python 3.8 and newer; older ones note nothing) sees every `open` of Python code. Each path is written once a
process, as a line of the probe's stream, {"t": "opened", "paths": [[path, how], ...]}:

    how    r  read           w  only written               a  read and written
           l  a folder, listed    x  given to a program    c  a compiled file, written by another than the import system

A first line without paths says that the hook is there. Lines are appended at once: a fork or os._exit loses none.
`install` is all that others call. The hook never raises, and is cheap for files of the environment: a prefix is compared.
"""

import json
import os
import sys

LIMIT = 10000  # paths of a process


def install(folder, skip):
    """Begin to note what is opened; `folder` is the stream, `skip` are prefixes of paths that do not count."""
    if not hasattr(sys, "addaudithook") or getattr(sys, "_venvgrid_opened", None):
        return
    sys._venvgrid_opened = True
    own = [os.path.dirname(os.__file__), sys.prefix, os.path.realpath(sys.prefix)]
    own += [base for base in (sys.base_prefix, os.path.realpath(sys.base_prefix)) if base.count(os.sep) > 2]
    sys.addaudithook(_hook(folder, tuple(skip) + tuple([place.rstrip(os.sep) + os.sep for place in own])))


def _hook(folder, skip):
    file = os.path.join(folder, "%d-opened.jsonl" % os.getpid())
    # Bound now: tests replace attributes of the modules.
    os_open, os_write, os_close, cwd, join = os.open, os.write, os.close, os.getcwd, os.path.join
    fspath, fsdecode, isabs, normpath, encode = os.fspath, os.fsdecode, os.path.isabs, os.path.normpath, json.dumps
    append = os.O_WRONLY | os.O_APPEND | os.O_CREAT | getattr(os, "O_CLOEXEC", 0)
    is_writing, is_new = os.O_WRONLY | os.O_RDWR, os.O_TRUNC | os.O_EXCL
    is_folder = getattr(os, "O_DIRECTORY", 0) | getattr(os, "O_PATH", 0)
    os_wronly, sep, seen = os.O_WRONLY, os.sep, set()

    def write(paths):
        descriptor = os_open(file, append, 0o644)
        try:
            os_write(descriptor, (encode({"t": "opened", "paths": paths}) + "\n").encode("ascii"))
        finally:
            os_close(descriptor)

    def note(path, how, base=None):
        if type(path) is not str:
            if isinstance(path, int):
                return
            path = fspath(path)
            if isinstance(path, bytes):
                path = fsdecode(path)
        if path.startswith(skip) or path in seen:
            return
        if not isabs(path):
            path = join(base or cwd(), path)
        path = normpath(path)
        if path.startswith(skip) or path in seen or len(seen) > LIMIT:
            return
        seen.add(path)
        write([[path, how]] if len(seen) <= LIMIT else [["", "many"]])

    def by_hand(path):
        if "c" not in seen:  # once is enough
            seen.add("c")
            write([[path, "c"]])

    def command(args):
        program, words, base = args[0], args[1], args[2]
        base = fsdecode(fspath(base)) if base else cwd()
        words = [words] if isinstance(words, (str, bytes)) else list(words)
        words = [fsdecode(fspath(word)) for word in words]
        name = os.path.basename(fsdecode(fspath(program or words[0])))
        if name in ("git", "git.exe", "hg", "svn") and not (base + sep).startswith(skip):
            note(join(base, "." + name.split(".")[0]), "x")
        for word in words[1:]:
            if sep in word and "\n" not in word and "://" not in word:
                note(word.partition("=")[2] if word[:1] == "-" else word, "x", base)

    def hook(event, args):
        if event == "open":
            try:
                path, _, flags = args
                if flags & is_writing and type(path) is str and path.endswith(".pyc"):
                    return by_hand(path)
                if type(path) is str and path.startswith(skip):
                    return
                if not flags & is_folder:
                    how = flags & is_writing
                    note(path, "r" if not how else "w" if how == os_wronly or flags & is_new else "a")
            except Exception:
                pass
        elif event == "os.rename" or event == "os.link" or event == "os.symlink":
            try:
                source, target = fsdecode(fspath(args[0])), fsdecode(fspath(args[1]))
                if target.endswith(".pyc") and not source.startswith(target):
                    by_hand(target)
            except Exception:
                pass
        elif event == "os.listdir" or event == "os.scandir":
            try:
                note(args[0] if args[0] is not None else cwd(), "l")
            except Exception:
                pass
        elif event == "subprocess.Popen":
            try:
                command(args)
            except Exception:
                pass
        elif event == "sqlite3.connect":
            try:
                if ":memory:" not in str(args[0]):
                    note(args[0], "a")
            except Exception:
                pass

    try:
        write([])
    except Exception:
        pass
    return hook
