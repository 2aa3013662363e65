"""The fork server of supervisors: one for all commands, and no command depends on it."""

from __future__ import annotations

import os
import signal
import sys
import threading
import uuid
from pathlib import Path

import pytest
from rig import LIMIT, wait_for
from test_processes import command, living, python

from venvgrid.processes.runner import run
from venvgrid.processes.supervision import forks

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.skipif(not sys.platform.startswith("linux") or not forks.is_possible(), reason="needs pidfd"),
]

SERVER = """
    import os
    parent = open("/proc/%d/stat" % os.getppid()).read().rpartition(")")[2].split()[1]
    print(parent, os.umask(0o077))
"""


def server_of_command() -> tuple[int, int]:
    """Run a command; return the parent of its supervisor, and the umask that it inherits."""
    server, umask = run(command(python(SERVER), supervised=True)).stdout.split()
    return int(server), int(umask)


def test_commands_share_one_server() -> None:
    """It is started for the first, and the parent of every supervisor; it is no descendant of this process' session."""
    first, second = server_of_command()[0], server_of_command()[0]
    assert first == second != os.getpid()
    assert os.getsid(first) == first


def test_a_changed_umask_reaches_the_command() -> None:
    """A server passes on what it has inherited: it is replaced when that has changed."""
    before = os.umask(0o027)
    try:
        first = server_of_command()
        os.umask(0o007)
        second = server_of_command()
    finally:
        os.umask(before)
    assert (first[1], second[1]) == (0o027, 0o007)
    assert first[0] != second[0]


def test_a_killed_server_stops_no_command(tmp_path: Path) -> None:
    """The command that runs goes on to its end; the next one gets another server."""
    ready, go = tmp_path / "ready", tmp_path / "go"
    code = """
        import os, sys, time
        open(sys.argv[1], "x").close()
        while not os.path.exists(sys.argv[2]):
            time.sleep(0.01)
        print("done")
    """
    server = server_of_command()[0]
    results = []
    waiting = command(python(code, str(ready), str(go)), supervised=True, timeout=LIMIT)
    thread = threading.Thread(target=lambda: results.append(run(waiting)))
    thread.start()
    try:
        wait_for(ready.exists)
        os.kill(server, signal.SIGKILL)
        assert run(command(("true",), supervised=True)).ok
        assert server_of_command()[0] != server
    finally:
        go.touch()
        thread.join(LIMIT)
    assert (results[0].exit_code, results[0].stdout) == (0, "done\n")


def test_a_server_that_does_not_answer_is_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    """A test has stopped it: the command gets a supervisor of its own all the same."""
    server = server_of_command()[0]
    os.kill(server, signal.SIGSTOP)
    monkeypatch.setattr(forks, "ANSWER_TIMEOUT", 0.1)
    done = run(command(python("print(1)"), supervised=True))
    monkeypatch.undo()
    assert (done.exit_code, done.stdout) == (0, "1\n")
    assert server_of_command()[0] != server


def test_a_daemon_does_not_survive_its_supervisor() -> None:
    """A command that kills its supervisor leaves nothing: not even a daemon in a session of its own."""
    marker = f"marker-{uuid.uuid4().hex}"
    code = """
        import os, sys, time
        sleeper = [sys.executable, "-I", "-S", "-c", "import time; time.sleep(600)", sys.argv[1]]
        if os.fork() == 0:
            os.setsid()
            if os.fork() == 0:
                os.execv(sleeper[0], sleeper)
            os._exit(0)
        os.wait()
        os.kill(os.getppid(), 9)
        time.sleep(600)
    """
    done = run(command(python(code, marker), supervised=True))
    assert (done.exit_code, done.signal) == (None, "SIGKILL")
    wait_for(lambda: living(marker) == [])


def test_a_server_ends_with_its_process(tmp_path: Path) -> None:
    """However that ends; and no supervisor outlives it."""
    code = """
        import os, sys
        from pathlib import Path
        from venvgrid.processes.command import Command
        from venvgrid.processes.runner import run
        for _ in range(2):
            run(Command(argv=tuple(sys.argv[1:]), cwd=Path.cwd(), env={}, supervised=True, log=Path("log")))
        os.kill(os.getpid(), 9)
    """
    argv = (sys.executable, "-c", "\n".join(line[8:] for line in code.splitlines()), *python(SERVER))
    run(command(argv, cwd=tmp_path, env=dict(os.environ)))
    server, again = (int(line.split()[0]) for line in (tmp_path / "log").read_text().splitlines())
    assert server == again
    wait_for(lambda: not Path(f"/proc/{server}/stat").exists() or b") Z " in Path(f"/proc/{server}/stat").read_bytes())
