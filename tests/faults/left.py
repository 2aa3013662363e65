"""Gate: nothing that a cell or a build started outlives venvgrid, however that ends: `python tests/faults/left.py`.

Signals, kinds of children, and phases are combined. Counted are processes that outlive venvgrid by two seconds, and
statuses that are not 128 + n where venvgrid can choose its status. The tests of the suite do not look at the time.
"""

from __future__ import annotations

import argparse
import os
import pty
import signal
import subprocess
import sys
import tempfile
import textwrap
import time
import uuid
from contextlib import suppress
from pathlib import Path

import rig

ENDS = ("INT", "TERM", "HUP", "QUIT", "KILL", "tty ^C", "tty ^C^C")
KINDS = ("plain", "ignore", "setsid", "double", "closed")
PHASES = ("build", "test")
GRACE = 1.0  # seconds, in the configuration

CHILD = """
    import os, signal, subprocess, sys, time

    def start(kind, marker):
        code = "import signal, sys, time\\n"
        if kind != "plain":
            code += "for n in (1, 2, 3, 15): signal.signal(n, signal.SIG_IGN)\\n"
        code += "time.sleep(3600)"
        argv = [sys.executable, "-S", "-c", code, marker]
        null = dict(stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        if kind == "setsid":
            subprocess.Popen(argv, start_new_session=True)
        elif kind == "double":
            if os.fork() == 0:
                os.setsid()
                if os.fork() == 0:
                    os.execv(argv[0], argv)
                os._exit(0)
        elif kind == "closed":
            subprocess.Popen(argv, start_new_session=True, **null)
        else:
            subprocess.Popen(argv)

    def all_of(kind, marker):
        start(kind, marker)
        start(kind, marker)
        if kind == "ignore":
            for n in (1, 2, 3):
                signal.signal(n, signal.SIG_IGN)
        def asked(number, frame):
            open(os.environ["READY"] + ".asked", "a").close()
            if kind != "ignore":
                signal.signal(number, signal.SIG_DFL)
                os.kill(os.getpid(), number)
        signal.signal(signal.SIGTERM, asked)
        with open(os.environ["READY"], "a") as ready:
            ready.write("x")
        while True:
            time.sleep(0.1)
"""
BACKEND = """
    import children, os

    def build_wheel(folder, config_settings=None, metadata_directory=None):
        children.all_of(os.environ["KIND"], os.environ["MARKER"])

    def build_sdist(folder, config_settings=None):
        raise NotImplementedError
"""
FILES = {
    "children.py": CHILD,
    "backend.py": BACKEND,
    "pyproject.toml": """
        [build-system]
        requires = []
        build-backend = "backend"
        backend-path = ["."]
        [project]
        name = "demo"
        version = "1.0"
    """,
    "test_whole.py": """
        import os, sys
        sys.path.insert(0, os.path.dirname(__file__))
        import children

        def test_waits():
            children.all_of(os.environ["KIND"], os.environ["MARKER"])
    """,
}
MATRIX = f"""
    [project]
    install = "%s"
    [axes]
    python = ["{rig.HERE}"]
    env.N = ["1", "2"]
    [test]
    command = ["pytest", "-p", "no:cacheprovider"]
    grace-period = "{GRACE}s"
    pass-env = ["KIND", "MARKER", "READY"]
"""


def left(folder: Path, cache: Path, end: str, kind: str, phase: str, wait: float) -> tuple[int, int, float]:
    """End one run; return how many processes are left after `wait` seconds, the status, and the seconds of the end."""
    marker = f"venvgrid-left-{uuid.uuid4().hex}"
    matrix = textwrap.dedent(MATRIX) % ("wheel" if phase == "build" else "none")
    root = rig.project(folder / "project", matrix, FILES)
    ready = root / "ready"
    env = rig.environment(cache, KIND=kind, MARKER=marker, READY=str(ready))
    # The marker is in the environment of venvgrid's own processes too, until they are gone.
    terminal = os.openpty() if end.startswith("tty") else None
    command = rig.argv("run", "-j", "2")
    if terminal:
        started, master = _on_a_terminal(command, root, env)
        os.close(terminal[0])
        os.close(terminal[1])
    else:
        with (folder / "out").open("wb") as out:
            child = subprocess.Popen(command, cwd=root, env=env, stdout=out, stderr=out, start_new_session=True)
        started, master = child.pid, -1
        child.returncode = 0  # it is waited for below
    wanted = 1 if phase == "build" else 2
    rig.wait_for(lambda: ready.exists() and len(ready.read_bytes()) >= wanted)
    began = time.monotonic()
    if terminal:
        for number in range(end.count("^C")):
            if number:  # the first one has been passed on, or was enough
                rig.wait_for(lambda: _drained(master) and (Path(f"{ready}.asked").exists() or _has_ended(started)))
            with suppress(OSError):
                os.write(master, b"\x03")
    else:
        os.kill(started, getattr(signal, f"SIG{end}"))
    status = _status(started, master)
    took = time.monotonic() - began
    deadline = time.monotonic() + wait
    while (found := rig.processes(marker)) and time.monotonic() < deadline:
        time.sleep(0.02)
    for process in found:
        os.kill(process, signal.SIGKILL)
    return len(found), status, took


def _on_a_terminal(command: list[str], root: Path, env: dict[str, str]) -> tuple[int, int]:
    """Start a command in the foreground of a new terminal; return its process and the terminal's other end."""
    process, master = pty.fork()
    if process == 0:
        os.chdir(root)
        os.execve(command[0], command, env)
    return process, master


def _drained(master: int) -> bool:
    """Read the output on a terminal (a full one blocks the process); return True."""
    if master >= 0:
        os.set_blocking(master, False)
        with suppress(OSError):
            os.read(master, 65536)
    return True


def _has_ended(process: int) -> bool:
    """Return whether a child has ended and was not waited for."""
    return Path(f"/proc/{process}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0] == "Z"


def _status(process: int, master: int) -> int:
    """Wait for a process; return its status, or 999 if it does not end."""
    deadline = time.monotonic() + rig.LIMIT
    while time.monotonic() < deadline:
        _drained(master)
        done, state = os.waitpid(process, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(state)
        time.sleep(0.01)
    os.kill(process, signal.SIGKILL)
    os.waitpid(process, 0)
    return 999


def expected(end: str) -> set[int]:
    """Return the right statuses."""
    if end.startswith("tty"):
        return {130}
    number = int(getattr(signal, f"SIG{end}"))
    return {-number} if end in {"KILL", "QUIT"} else {128 + number}


def matrix(
    ends: tuple[str, ...] = ENDS,
    kinds: tuple[str, ...] = KINDS,
    cache: Path | None = None,
    *,
    say: bool = False,
    timed: bool = True,
) -> list[str]:
    """Return what is wrong in the whole matrix, with this or a new cache; `timed`: also what takes too long."""
    wrong, wait = [], 2.0 if timed else rig.LIMIT
    with tempfile.TemporaryDirectory(prefix="venvgrid-left-") as temporary:
        for phase in PHASES:
            for end in ends:
                for kind in kinds:
                    number, status, took = left(
                        Path(temporary), cache or Path(temporary) / "cache", end, kind, phase, wait
                    )
                    line = f"{phase}, {end}, {kind}: {number} left, status {status}, {took:.2f} s"
                    if say:
                        sys.stderr.write(f"{line}\n")
                    is_late = timed and took > 2.0 + GRACE + (1.0 if end.startswith("tty") else 0.0)
                    if number or status not in expected(end) or is_late:
                        wrong.append(line)
    return wrong


def main() -> None:
    """Print the figure."""
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    wrong = matrix(say=True)
    rig.figure(wrong, f"wrong of {len(PHASES) * len(ENDS) * len(KINDS)} ways to end a run")


if __name__ == "__main__":
    main()
