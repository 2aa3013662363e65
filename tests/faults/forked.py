"""Run commands of venvgrid in forks of a process that has imported it: imports are nearly half of a short command.

A fork is a process of its own. It has the arguments, folder, variables, umask and pipes of the command, runs
`venvgrid.__main__`, and ends as Python ends. What Python does before that is not repeated (forks of a server share the
seed of hashes); where it could make a difference (`_starts_alike`), the fork becomes `python -m venvgrid`. Tests that
kill, stop or trace a command start `rig.argv()` themselves.

    pytest ── control ──▶ server ── fork ──▶ command      the server ends with pytest
       └────────── a socket ────────────────────┘         to it: what to run; from the server: its number, its status
"""

from __future__ import annotations

import atexit
import gc
import json
import os
import pkgutil
import runpy
import selectors
import signal
import socket
import subprocess
import sys
import threading
import time
from contextlib import suppress
from functools import cache
from importlib import import_module, metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

WORKS = sys.platform == "linux"  # elsewhere, a fork without exec is not safe
OF_THE_START = ("PYTHON", "LC_", "LANG", "LD_", "MALLOC_", "GLIBC_")  # read by Python or libc before any code runs
CHUNK = 1 << 16


def run(arguments: Sequence[str], cwd: Path, env: Mapping[str, str], timeout: float) -> tuple[int, bytes, bytes]:
    """Run a command of venvgrid; return its status, as `subprocess` counts, and its output.

    Raises:
        TimeoutExpired: it took longer; it is killed.
    """
    request = {"arguments": [*arguments], "cwd": str(cwd), "env": dict(env), "umask": _umask()}
    control, lock = _server()
    ours, theirs = socket.socketpair()
    (out, out_end), (err, err_end) = os.pipe(), os.pipe()
    with ours, os.fdopen(out, "rb", 0), os.fdopen(err, "rb", 0):
        with theirs, os.fdopen(out_end, "wb", 0), os.fdopen(err_end, "wb", 0), lock:
            socket.send_fds(control, [b"x"], [theirs.fileno(), out_end, err_end])
        ours.sendall(json.dumps(request).encode())
        ours.shutdown(socket.SHUT_WR)
        pid = int.from_bytes(ours.recv(8))
        read = {out: b"", err: b"", ours.fileno(): b""}
        if not _read(read, timeout):
            os.kill(pid, signal.SIGKILL)
            raise subprocess.TimeoutExpired([*arguments], timeout, read[out], read[err])
        return int(read[ours.fileno()]), read[out], read[err]


def _umask() -> int:
    """Return the umask; `os.umask` would change it for a moment, in all threads."""
    lines = Path("/proc/self/status").read_text(encoding="ascii", errors="replace").splitlines()
    return next(int(line.split()[1], 8) for line in lines if line.startswith("Umask:"))


def _read(files: dict[int, bytes], timeout: float) -> bool:
    """Read files to their ends; return False if that takes too long."""
    deadline = time.monotonic() + timeout
    with selectors.DefaultSelector() as selector:
        for file in files:
            selector.register(file, selectors.EVENT_READ)
        while selector.get_map():
            ready = selector.select(max(deadline - time.monotonic(), 0))
            if not ready:
                return False
            for key, _ in ready:
                data = os.read(key.fd, CHUNK)
                files[key.fd] += data
                if not data:
                    selector.unregister(key.fd)
    return True


@cache
def _server() -> tuple[socket.socket, threading.Lock]:
    """Start the server of this process; return the socket to it, and the lock of the socket."""
    ours, theirs = socket.socketpair()
    env = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    with theirs:
        argv = [sys.executable, __file__, str(theirs.fileno())]
        # Python has made its streams for pipes: those of the commands are.
        server = subprocess.Popen(
            argv, env=env, pass_fds=[theirs.fileno()], stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )

    def end() -> None:
        ours.close()
        sys.stderr.write(server.communicate()[1].decode())

    atexit.register(end)
    return ours, threading.Lock()


def _serve(control: socket.socket) -> dict[str, Any] | None:
    """Fork for each request until `control` is closed, and return None; return the request in each fork."""
    commands: dict[int, tuple[int, socket.socket]] = {}  # by a descriptor of the process, ready when it has ended
    with selectors.DefaultSelector() as selector, control:
        selector.register(control, selectors.EVENT_READ)
        while True:
            for key, _ in selector.select():
                if key.fileobj is not control:
                    selector.unregister(key.fd)
                    os.close(key.fd)
                    pid, asking = commands.pop(key.fd)
                    with asking, suppress(BrokenPipeError):  # nobody waits for a command that took too long
                        asking.sendall(str(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])).encode())
                    continue
                data, files, *_ = socket.recv_fds(control, 1, 3)
                if not data:
                    return None
                asking, *pipes = socket.socket(fileno=files[0]), *files[1:]
                pid = os.fork()
                if not pid:
                    return _received(asking, *pipes, others=commands)
                asking.sendall(pid.to_bytes(8))
                for pipe in pipes:
                    os.close(pipe)
                ended = os.pidfd_open(pid)
                commands[ended] = pid, asking
                selector.register(ended, selectors.EVENT_READ)


def _received(
    asking: socket.socket, out: int, err: int, *, others: Mapping[int, tuple[int, socket.socket]]
) -> dict[str, Any]:
    """Make a fork a process apart from the server and other commands; return what it is to run."""
    for ended, (_, socket_of_other) in others.items():
        os.close(ended)
        socket_of_other.close()
    for pipe, number in ((out, 1), (err, 2)):
        os.dup2(pipe, number)
        os.close(pipe)
    with asking, asking.makefile("rb") as stream:
        request: dict[str, Any] = json.load(stream)
    return request


def _starts_alike(request: Mapping[str, Any]) -> bool:
    """Return whether Python would start as the server did, and find the modules that the server has imported."""
    own, asked = (
        {name: value for name, value in variables.items() if name.startswith(OF_THE_START)}
        for variables in (os.environ, request["env"])
    )
    first = {module.name for module in pkgutil.iter_modules([request["cwd"]])}  # `-m` searches there first
    return own == asked and not first & {name.partition(".")[0] for name in sys.modules}


def _become(request: Mapping[str, Any]) -> None:
    """Run the command; its exit is that of this process."""
    starts_alike = _starts_alike(request)
    os.umask(request["umask"])
    os.chdir(request["cwd"])
    if not starts_alike:
        argv = [sys.executable, "-m", "venvgrid", *request["arguments"]]
        os.execve(sys.executable, argv, request["env"])
    os.environ.clear()
    os.environ.update(request["env"])
    time.tzset()
    sys.path[0] = request["cwd"]
    sys.argv[1:] = request["arguments"]
    runpy.run_module("venvgrid", run_name="__main__", alter_sys=True)


def _import_all() -> None:
    """Import what commands import, and what virtualenv finds by its entry points."""
    for module in pkgutil.walk_packages(import_module("venvgrid").__path__, "venvgrid."):
        if not module.name.startswith(("venvgrid.__main__", "venvgrid.processes.guest")):
            import_module(module.name)
    for kind in ("activate", "create", "discovery", "seed"):
        for point in metadata.entry_points(group=f"virtualenv.{kind}"):
            point.load()


if __name__ == "__main__":
    _import_all()
    gc.collect()
    gc.freeze()
    asked = _serve(socket.socket(fileno=int(sys.argv[1])))
    if asked is not None:
        _become(asked)
