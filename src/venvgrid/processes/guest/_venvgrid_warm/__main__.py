# -*- coding: utf-8 -*-
"""A fork server: it imports pytest and libraries once, and forks for each run of a cell's tests. POSIX.

    python _venvgrid_warm FOLDER

FOLDER holds `warm.json`: "modules" are pairs (name, whether pytest rewrites its asserts) to import, in order; "roots" are the names
of the project, which are never imported here; "places" are folders from which modules may come; "argv" starts this program again.
When it is ready, it writes `state`, and listens on the socket `s`. It says why if it is not: a thread that runs after the imports
does not exist in a fork, and what it was to do is never done.

A connection is one run: a line with the request comes in, `started PID`, then `ended STATUS LEAKED` go out. Any byte, or the
end of the connection, kills the run. Each run has two processes: the guard, which is a child subreaper on Linux, so that nothing
survives the run, and below it the tests. That process becomes what `python -m pytest` or the script `pytest` would be.

No dependencies, Python 2.7 to 3.15. See `venvgrid.processes.warm.server`.

    __main__             the state of the server, and its start     _venvgrid_guard     a run: processes and their end
    _venvgrid_preload    the imports, and whether forks are safe    _venvgrid_become    what a new process would be
"""

import gc
import json
import os
import sys
import time

_writes = sys.dont_write_bytecode
sys.dont_write_bytecode = True  # this folder belongs to venvgrid, not to the Pythons that run it
from _venvgrid_become import become
from _venvgrid_guard import Server
from _venvgrid_preload import Preload, Unfit, threads

sys.dont_write_bytecode = _writes

ROUNDS = 4  # starts with fewer modules each; after them only pytest is imported


def read(path):
    with open(path, "rb") as stream:
        return json.loads(stream.read().decode("utf-8"))


def write(path, value):
    with open(path + ".new", "wb") as stream:
        stream.write(json.dumps(value).encode("utf-8"))
    os.rename(path + ".new", path)


def prepared(folder):
    """Import what the specification names and return the state; start again without the modules that do not fit."""
    began = time.time()
    spec = read(os.path.join(folder, "warm.json"))
    if os.path.exists(os.path.join(folder, "left")):
        again = read(os.path.join(folder, "left"))
        rounds, left = again["rounds"], again["names"]
    else:
        rounds, left = 0, []
    load = Preload(spec)
    load.left = list(left)
    if rounds >= ROUNDS:
        load.modules, load.left = [], sorted([name for name, _ in load.modules])
    try:
        load.run()
    except Unfit as error:
        return {"state": "refused", "why": str(error), "threads": threads()}
    except ImportError as error:
        return {"state": "refused", "why": "pytest cannot be imported: %s" % error, "threads": threads()}
    if set(load.left) - set(left) and rounds < ROUNDS:
        write(os.path.join(folder, "left"), {"rounds": rounds + 1, "names": load.left})
        os.execv(sys.executable, spec["argv"])
    gc.collect()
    if hasattr(gc, "freeze"):  # collections of the runs would write to every object, and so copy all of the memory
        gc.freeze()
    named = set([name for name, _ in spec["modules"]])
    return {
        "state": "ready",
        "ms": int((time.time() - began) * 1000),
        "modules": len(sys.modules),
        "threads": threads(),
        "left": [name for name in load.left if name in named],
    }


def main(folder):
    """Return in the process of the tests only, with its request."""
    del sys.path[0]  # this folder
    state = prepared(folder)
    if state["state"] != "ready":
        write(os.path.join(folder, "state"), state)
        sys.exit(0)
    before = set(sys.modules)
    server = Server(folder)
    write(os.path.join(folder, "state"), state)
    request = server.serve()
    # A new process would not have them. They are held: Python 2.7 empties a module that nobody holds.
    request["held"] = [sys.modules.pop(name) for name in set(sys.modules) - before]
    return request


become(main(sys.argv[1]))
