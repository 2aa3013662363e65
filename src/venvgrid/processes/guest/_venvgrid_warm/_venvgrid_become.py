# -*- coding: utf-8 -*-
"""Turns a forked process into what a new one would be, and runs pytest in it as the cell's command does."""

import os
import sys

OWN = ("_venvgrid_become", "_venvgrid_preload", "_venvgrid_guard")


def become(request):
    """Run pytest; leave with SystemExit. What Python reads when it starts is the same as in the server."""
    os.chdir(request["cwd"])
    _streams(request["output"])
    os.environ.clear()
    for name, value in request["env"].items():
        os.environ[_text(name)] = _text(value)
    former = sys.modules["__main__"]
    request["held"] += [former] + [sys.modules.pop(name, None) for name in OWN]
    _forget()
    _watch()
    argv = [_text(argument) for argument in request["argv"]]
    if hasattr(sys, "orig_argv"):
        sys.orig_argv[:] = [_text(argument) for argument in request["orig_argv"]]
    main = sys.modules["__main__"] = type(sys)("__main__")
    main.__builtins__ = former.__builtins__
    if sys.modules.get("__mp_main__") is former:
        sys.modules["__mp_main__"] = main
    script, is_safe = request.get("script"), getattr(sys.flags, "safe_path", False)
    if script:
        sys.argv[:] = argv
        if not is_safe:
            sys.path.insert(0, os.path.dirname(os.path.realpath(script)))
        _run_script(_text(script), main)
    else:
        sys.argv[:] = ["-m"] + argv[1:]
        if not is_safe:
            sys.path.insert(0, os.getcwd() if sys.version_info[0] > 2 else "")
        import runpy

        runpy._run_module_as_main("pytest")


def _run_script(script, main):
    main.__file__ = script
    if sys.version_info[0] > 2:
        from importlib.machinery import SourceFileLoader

        main.__loader__ = SourceFileLoader("__main__", script)
        main.__cached__ = None
    with open(script, "rb") as stream:
        source = stream.read()
    code = compile(source, script, "exec", 0, True)
    exec(code, main.__dict__)


def _text(value):
    """Return a string as this Python has it in os.environ; bytes that are no text came as surrogates."""
    return value if isinstance(value, str) else value.encode(sys.getfilesystemencoding() or "utf-8")


def _streams(output):
    for path, flags, numbers in ((os.devnull, os.O_RDONLY, (0,)), (output, os.O_WRONLY, (1, 2))):
        descriptor = os.open(path, flags)
        for number in numbers:
            os.dup2(descriptor, number)
        os.close(descriptor)


def _forget():
    """Drop what a new process would not have, or would have drawn anew."""
    tempfile = sys.modules.get("tempfile")
    if tempfile is not None:
        tempfile.tempdir = None
    random = sys.modules.get("random")
    if random is not None:
        random.seed()
    try:
        sys.modules["numpy.random"].seed()
    except Exception:
        pass
    sys.path_importer_cache.clear()
    importlib = sys.modules.get("importlib")
    if hasattr(importlib, "invalidate_caches"):
        importlib.invalidate_caches()


def _watch():
    """Start the witness, which did not start with the server."""
    witness = sys.modules.get("_venvgrid_witness")
    if witness is not None:
        witness.active = witness.start()
