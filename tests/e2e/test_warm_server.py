"""Fork servers by themselves: what they import, how a run ends, and that nothing outlives them."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import textwrap
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import rig

from venvgrid.processes.command import Cancellation, Command, Completed
from venvgrid.processes.warm.server import Imports, Server, State
from venvgrid.storage import directories

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [pytest.mark.e2e, pytest.mark.skipif(os.name != "posix", reason="forks are of POSIX")]

VARIABLES = {"PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "/")}
LIBRARIES = {
    "good.py": "VALUE = 1\n",
    "warns.py": "import warnings\nimport inner\nwarnings.warn('old', DeprecationWarning)\n",
    "inner.py": "",
    "fails.py": "import good\nraise ValueError\n",
    "ours.py": "import demo\n",
    "demo.py": "",
    "plug.py": "def check(value):\n    assert value == 1\n",
    "uses.py": "import plug\n",
    "multi.py": "import multiprocessing\n",
    "opens.py": "import socket\nPAIR = socket.socketpair()\n",
}


@contextmanager
def server(folder: Path, *modules: str, rewritten: str = "") -> Iterator[tuple[Server, State | None]]:
    """Start a server on this Python that imports modules of LIBRARIES, and wait for it."""
    place = folder / "libraries"
    place.mkdir(exist_ok=True)
    for name, text in LIBRARIES.items():
        (place / name).write_text(text, encoding="utf-8")
    env = {**VARIABLES, "PYTHONPATH": str(place)}
    imports = Imports(
        modules=tuple((name, name == rewritten) for name in modules), roots=("demo",), places=(str(place), sys.prefix)
    )
    made = Server(Command(argv=(sys.executable,), cwd=folder, env=env), directories.short_folder(), imports)
    try:
        yield made, made.wait(Cancellation())
    finally:
        made.close()


def run(made: Server, folder: Path, test: str, *, timeout: float | None = None) -> Completed:
    """Run one test file in a server; its output is in the log."""
    (folder / "test_it.py").write_text(textwrap.dedent(test), encoding="utf-8")
    command = Command(
        argv=(sys.executable, "-m", "pytest", "-q", "-s", "-p", "no:cacheprovider", "test_it.py"),
        cwd=folder,
        env={**VARIABLES, "PYTHONPATH": str(folder / "libraries"), "OMP_NUM_THREADS": "3"},
        log=folder / "log",
        timeout=timeout,
    )
    return made.run(command, cancellation=Cancellation(), poll=lambda: None)


def test_what_must_be_imported_in_each_run_is_left_out(tmp_path: Path) -> None:
    """A module that warns or fails, or that brings the project, is imported by the runs; all others by the server."""
    with server(tmp_path, "good", "warns", "inner", "fails", "ours") as (made, state):
        assert state
        assert (state.refused, state.left) == ("", ("fails", "inner", "ours", "warns"))
        test = """
            import sys
            def test_it():
                assert sys.modules["good"].VALUE == 1
                assert not {"warns", "inner", "fails", "ours", "demo"} & set(sys.modules)
        """
        assert run(made, tmp_path, test).exit_code == 0


def test_pytest_rewrites_what_it_would(tmp_path: Path) -> None:
    """Plugins show the values of their asserts, and pytest does not warn that they were imported too early."""
    test = """
        import sys, warnings
        import pytest
        pytest_plugins = ["plug"]
        def test_it():
            import plug
            with pytest.raises(AssertionError, match="assert 2 == 1"):
                plug.check(2)
            assert "multi" in sys.modules and sys.modules["__mp_main__"] is sys.modules["__main__"]
    """
    (tmp_path / "pytest.ini").write_text("[pytest]\nfilterwarnings = error\naddopts = -p plug\n", encoding="utf-8")
    with server(tmp_path, "plug", "uses", "multi", rewritten="plug") as (made, state):
        assert state
        assert state.left == ()
        ended = run(made, tmp_path, test)
    assert ended.exit_code == 0, ended.stdout


def test_a_connection_is_refused(tmp_path: Path) -> None:
    """Runs would share a connection that a library opens when it is imported."""
    with server(tmp_path, "opens") as (made, state):
        assert state
        assert state.refused.startswith("`import opens` leaves socket:")
    assert made.close() == made.close()  # several threads may find that it is of no use
    assert (made.is_alive(), made.memory(), made.wait(Cancellation())) == (False, 0, state)


def test_each_run_is_new(tmp_path: Path) -> None:
    """Random numbers are drawn anew, variables are those of the run, and nothing of one run is in the next."""
    test = """
        import os, random, sys
        def test_it():
            assert not hasattr(sys, "was_here")
            sys.was_here = True
            assert os.environ["OMP_NUM_THREADS"] == "3" and "OPENBLAS_NUM_THREADS" not in os.environ
            print("drawn", random.random())
    """
    with server(tmp_path, "random", "tempfile") as (made, _):
        said = [run(made, tmp_path, test) for _ in range(2)]
    assert [ended.exit_code for ended in said] == [0, 0]
    drawn = {line for ended in said for line in ended.stdout.splitlines() if line.startswith("drawn")}
    assert len(drawn) == 2


def test_a_time_limit_kills(tmp_path: Path) -> None:
    """A run that takes too long is killed with all that it started."""
    test = f"""
        import subprocess, sys, time
        def test_it():
            code, mark = "import time; time.sleep(600)", {str(tmp_path)!r}
            subprocess.Popen([sys.executable, "-c", code, mark], start_new_session=True)
            time.sleep(600)
    """
    with server(tmp_path) as (made, _):
        ended = run(made, tmp_path, test, timeout=2.0)
        assert (ended.timed_out, ended.signal) == (True, "SIGKILL")
        rig.wait_for(lambda: rig.processes(str(tmp_path)) == rig.processes(f"{made.folder}\0"))


def test_nothing_outlives_venvgrid(tmp_path: Path, request: pytest.FixtureRequest) -> None:
    """If venvgrid is killed, its server, the run, and a daemon of the run are."""
    host = f"""
        import sys
        from pathlib import Path
        sys.path[:0] = {[str(Path(__file__).parent), str(Path(rig.__file__).parent)]!r}
        import test_warm_server
        folder = Path({str(tmp_path)!r})
        with test_warm_server.server(folder) as (made, _):
            test_warm_server.run(made, folder, Path(folder, "it").read_text())
    """
    (tmp_path / "it").write_text(
        "import subprocess, sys, time\n"
        "def test_it():\n"
        f"    code, mark = 'import time; time.sleep(600)', {str(tmp_path)!r}\n"
        "    subprocess.Popen([sys.executable, '-c', code, mark], start_new_session=True)\n"
        "    open('started', 'w').close()\n"
        "    time.sleep(600)\n"
    )
    place = directories.short_folder()  # it cannot delete what it made there
    request.addfinalizer(lambda: shutil.rmtree(place))
    env = {**os.environ, "TMPDIR": str(place)}
    with subprocess.Popen([sys.executable, "-c", textwrap.dedent(host)], env=env) as venvgrid:
        rig.wait_for((tmp_path / "started").exists, venvgrid)
        assert len(rig.processes(str(tmp_path))) > 2
        venvgrid.send_signal(signal.SIGKILL)
    rig.wait_for(lambda: not rig.processes(str(tmp_path)))
