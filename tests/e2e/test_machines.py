"""Runs on many machines: a real scheduler and real workers on this machine, and what becomes of cells when they die."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import rig

if TYPE_CHECKING:
    from collections.abc import Iterator

pytest.importorskip("distributed", reason="needs the extra dask: pip install 'venvgrid[dask]'")
pytestmark = [
    pytest.mark.e2e,
    pytest.mark.skipif(sys.platform != "linux", reason="looks at processes in /proc"),
    pytest.mark.xdist_group("machines"),
]
AT = re.compile(r"the scheduler is at (\S+)")
# A cell that waits until the file GO exists, and whose grandchild is known by its command line.
WAITS = """
    import os, subprocess, sys, time

    subprocess.Popen([sys.executable, "-S", "-c", "import time; time.sleep(3600)", os.environ["MARKER"]],
                     start_new_session=True)
    open(os.path.join(os.environ["PLACE"], "began-" + os.environ["N"]), "a").write("x")
    while not os.path.exists(os.path.join(os.environ["PLACE"], "go")):
        time.sleep(0.05)
"""
WAITING = f"""
    [project]
    install = "none"
    [axes]
    python = ["{rig.HERE}"]
    env.N = ["1", "2", "3"]
    [test]
    command = ["{{python}}", "waits.py"]
    reports = "exit-status"
    pass-env = ["MARKER", "PLACE"]
    grace-period = "1s"
"""


class Cluster:
    """A scheduler without TLS on loopback, and its workers, which share a cache of their own."""

    def __init__(self, folder: Path, cache: Path, **env: str) -> None:
        self.folder, self.cache, self.env = folder, cache, env
        self.started: list[subprocess.Popen[bytes]] = []
        self._start("scheduler", rig.argv("scheduler", "tcp://127.0.0.1:0"))
        rig.wait_for(lambda: AT.search(self.log("scheduler")), self.started[0])
        found = AT.search(self.log("scheduler"))
        assert found is not None
        self.address = found[1]

    def log(self, name: str) -> str:
        """Return what a process has printed."""
        return (self.folder / f"{name}.log").read_text(encoding="utf-8")

    def _start(self, name: str, argv: list[str], **env: str) -> subprocess.Popen[bytes]:
        variables = {**rig.environment(self.folder / "cache"), **self.env, **env}
        with (self.folder / f"{name}.log").open("wb") as log:
            started = subprocess.Popen(
                argv, cwd=self.folder, env=variables, stdout=log, stderr=log, start_new_session=True
            )
        self.started.append(started)
        return started

    def worker(self, name: str, *options: str, before: tuple[str, ...] = (), **env: str) -> subprocess.Popen[bytes]:
        """Start a worker of one slot, and wait until it is there."""
        argv = rig.argv("worker", self.address, "--slots", "1", "--name", name, *options)
        started = self._start(name, [*before, *argv], **env)
        rig.wait_for(lambda: "at once" in self.log(name), started)
        return started

    def plain(self, name: str) -> subprocess.Popen[bytes]:
        """Start a worker as dask-jobqueue does, with its nanny."""
        argv = [sys.executable, "-m", "distributed.cli.dask_worker", self.address, "--nthreads", "1", "--no-dashboard"]
        started = self._start(name, argv)
        rig.wait_for(lambda: "Registered to" in self.log(name), started)
        return started

    def run(self, root: Path, *options: str) -> subprocess.Popen[bytes]:
        """Start a run on the cluster."""
        argv = rig.argv("run", "--no-cache", "--on", self.address, *options)
        with (self.folder / "run.log").open("wb") as log:
            return subprocess.Popen(
                argv,
                cwd=root,
                env=rig.environment(self.cache, **self.env),
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def close(self) -> None:
        """End all processes, stopped ones too."""
        for process in reversed(self.started):
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGCONT)
                process.terminate()
        for process in self.started:
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()


@contextmanager
def cluster(folder: Path, cache: Path, **env: str) -> Iterator[Cluster]:
    folder.mkdir()
    made = Cluster(folder, cache, **env)
    try:
        yield made
    finally:
        made.close()


GRID = f"""
    [project]
    install = "none"
    [axes]
    python = ["{rig.HERE}"]
    pluggy = ["1.6.0", "0.6.0"]
    env.MODE = ["green", "red", "crash", "flaky"]
    [install]
    requires = ["pytest==8.4.2"]
    [test]
    command = ["{{python}}", "-m", "pytest", "-q", "-p", "no:cacheprovider"]  # a script far down needs sh: it sets PWD
    retries = 1
    pass-env = ["DUMP"]
"""
MODES = """
    import json, os, pathlib, signal

    MODE, DUMP = os.environ["MODE"], pathlib.Path(os.environ["DUMP"])


    def test_dump():
        DUMP.joinpath(MODE).write_text(json.dumps(dict(os.environ)))


    def test_mode():
        if MODE == "crash":
            os.kill(os.getpid(), signal.SIGSEGV)
        if MODE == "flaky":
            seen = DUMP / "seen"
            first = not seen.exists()
            seen.touch()
            assert not first
        assert MODE != "red", MODE
"""
OF_A_RUN = {"run", "started", "duration", "machine", "at", "durations", "workers", "timings"}
OF_A_PLACE = re.compile(r"(/[^:' ]*)?/(\.venvgrid|venvgrid-[^/]*)/(store/|cells/)?[^:' ]*")
CANARY = "canary-token-of-the-coordinator"


def told(data: Any) -> Any:
    """Return results without what differs from run to run."""
    if isinstance(data, dict):
        return {name: told(item) for name, item in data.items() if name not in OF_A_RUN}
    return [told(item) for item in data] if isinstance(data, list) else data


def variables(folder: Path, project: Path) -> dict[str, dict[str, str]]:
    """Return what each cell found in its environment; environments, scratch folders and the project are "…"."""
    places = re.compile(rf"{OF_A_PLACE.pattern}|{project}|/[^:]*/machines/\d/files|{folder}")
    return {
        file.name: {name: places.sub("…", text) for name, text in json.loads(file.read_text(encoding="utf-8")).items()}
        for file in folder.iterdir()
        if file.name != "seen"
    }


def test_a_run_on_machines_is_the_run_at_home(tmp_path: Path, cache_dir: Path) -> None:
    """Verdicts, failures, attestations, reasons and every variable are equal, also under Dask's own worker.

    Secrets of the coordinator, and what git ignores, reach neither the machines nor their logs.
    """
    root = rig.project(
        tmp_path / "project", GRID, {"test_whole.py": MODES, ".gitignore": ".env\n.venvgrid\n", ".env": CANARY}
    )
    for words in (
        ("init", "-q"),
        ("add", "-A"),
        ("-c", "user.name=n", "-c", "user.email=n@x.org", "commit", "-qm", "x"),
    ):
        subprocess.run(["git", *words], cwd=root, check=True)
    dumps = [tmp_path / name for name in ("here", "there")]
    for dump in dumps:
        dump.mkdir()
    home = rig.venvgrid(root, cache_dir, "run", "--no-cache", "-j", "2", DUMP=str(dumps[0]), PYPI_TOKEN=CANARY)
    local = rig.results(root)
    with cluster(tmp_path / "cluster", cache_dir, DUMP=str(dumps[1])) as made:
        first, _second = made.worker("w1"), made.plain("w2")
        on = ("--on", made.address, "--machines", "2")
        away = rig.venvgrid(root, cache_dir, "run", "--no-cache", *on, DUMP=str(dumps[1]), PYPI_TOKEN=CANARY)
        assert first.poll() is None
    there = rig.results(root)
    assert (away.status, home.status) == (1, 1), away.out + away.err
    assert told(there) == told(local)
    journal = (max((root / ".venvgrid" / "runs").iterdir()) / "events.jsonl").read_text(encoding="utf-8")
    assert len({*re.findall(r'"machine": ?"([^"]+)"', journal)}) == 2, "both had a part"
    here, away_from_home = (variables(dump, root) for dump in dumps)
    assert sorted(here) == sorted(away_from_home) == ["crash", "flaky", "green", "red"]
    differing = [
        (cell, name, here[cell].get(name), away_from_home[cell].get(name))
        for cell in here
        for name in here[cell].keys() | away_from_home[cell].keys()
        if here[cell].get(name) != away_from_home[cell].get(name)
    ]
    assert differing == []
    leaks = [
        file for file in (tmp_path / "cluster").rglob("*") if file.is_file() and CANARY.encode() in file.read_bytes()
    ]
    assert leaks == []
    assert CANARY not in away.out + away.err


def test_what_kills_its_worker_is_named_and_hurts_nobody(tmp_path: Path, cache_dir: Path) -> None:
    """A cell that kills three workers is `crashed`, with its name; its neighbours are green; no process is left."""
    marker = f"venvgrid-killer-{os.getpid()}"
    kills = """
        import os, signal, subprocess, sys

        subprocess.Popen([sys.executable, "-S", "-c", "import time; time.sleep(3600)", os.environ["MARKER"]],
                         start_new_session=True)
        process = os.getppid()
        while os.environ["N"] == "3":
            command = open(f"/proc/{process}/cmdline").read().split("\\0")
            if "worker" in command and "venvgrid" in command:
                os.kill(process, signal.SIGKILL)
            process = int(open(f"/proc/{process}/stat").read().rpartition(")")[2].split()[1])
    """
    matrix = WAITING.replace("waits.py", "kills.py")
    root = rig.project(tmp_path / "project", matrix, {"kills.py": kills})
    env = {"MARKER": marker, "PLACE": str(tmp_path)}
    ended = rig.venvgrid(root, cache_dir, "run", "--no-cache", "--on", "dask", "-j", "2", **env)
    text = ended.out + ended.err
    assert ended.status == 1, text
    assert rig.outcomes(root) == {f"py{rig.HERE}-N.{n}": "crashed" if n == 3 else "passed" for n in (1, 2, 3)}, text
    (crashed,) = [cell for cell in rig.results(root)["cells"] if cell["outcome"] == "crashed"]
    assert "its worker died 3 times while nothing else ran there" in crashed["reason"]
    rig.wait_for(lambda: not rig.processes(marker))


def test_workers_outlive_runs_and_cells_do_not(tmp_path: Path, cache_dir: Path) -> None:
    """A killed coordinator, a Ctrl-C, a killed and a silent worker: no process is left, each cell counts once."""
    marker = f"venvgrid-machines-{os.getpid()}"
    place = tmp_path / "place"
    place.mkdir()
    env = {"MARKER": marker, "PLACE": str(place), "DASK_DISTRIBUTED__SCHEDULER__WORKER_TTL": "4s"}
    root = rig.project(tmp_path / "project", WAITING, {"waits.py": WAITS})
    with cluster(tmp_path / "cluster", cache_dir, **env) as made:
        first, second = made.worker("w1", "--any-plan"), made.worker("w2", "--any-plan")

        def began() -> int:
            return len(list(place.glob("began-*")))

        def anew() -> None:
            rig.wait_for(lambda: not cells_of(made))
            for file in place.iterdir():
                file.unlink()

        killed = made.run(root, "--machines", "2")
        rig.wait_for(lambda: began() == 2, killed)
        killed.kill()
        killed.wait()
        anew()  # its cells are stopped by their workers

        stopped = made.run(root, "--machines", "2")
        rig.wait_for(lambda: began() == 2, stopped)
        stopped.send_signal(signal.SIGINT)
        assert stopped.wait(rig.LIMIT) == 130
        anew()

        last = made.run(root, "--machines", "2")
        rig.wait_for(lambda: began() == 2, last)
        second.kill()
        made.worker("w3", "--any-plan")
        made.worker("w4", "--any-plan")
        rig.wait_for(lambda: began() == 3, last)
        first.send_signal(signal.SIGSTOP)
        rig.wait_for(lambda: "w1 was lost" in made.log("run"), last)
        (place / "go").touch()
        first.send_signal(signal.SIGCONT)
        assert last.wait(rig.LIMIT) == 0, made.log("run")
        assert set(rig.outcomes(root).values()) == {"passed"}
        assert "w2 was lost" in made.log("run")
        rig.wait_for(lambda: not cells_of(made))
        assert all(process.poll() is None for process in made.started[-2:])
    rig.wait_for(lambda: not rig.processes(marker))


def cells_of(made: Cluster) -> list[int]:
    """Return the processes that cells have started: their command line has the marker."""
    marker = made.env["MARKER"]
    found = []
    for process in rig.processes(marker):
        with suppress(OSError):
            if marker.encode() in Path(f"/proc/{process}/cmdline").read_bytes():
                found.append(process)
    return found


def test_what_no_machine_can_do_is_said_at_once(tmp_path: Path, cache_dir: Path) -> None:
    """A missing interpreter is an error with what the machines have; a time that is too short is one for its cell."""
    matrix = WAITING.replace(f'"{rig.HERE}"]', f'"{rig.HERE}", "pypy3.7"]').replace("waits.py", "ends.py")
    root = rig.project(tmp_path / "project", matrix.replace(', "2", "3"', ""), {"ends.py": ""})
    with cluster(tmp_path / "cluster", cache_dir, MARKER="m", PLACE="p") as made:
        made.worker("w1", "--lifetime", "10m")
        ended = rig.venvgrid(root, cache_dir, "run", "--no-cache", "--on", made.address, MARKER="m", PLACE="p")
    assert ended.status == 3
    assert "no machine of the cluster has PyPy 3.7; they have" in ended.out
    assert rig.outcomes(root)[f"py{rig.HERE}-N.1"] == "passed"


@pytest.mark.skipif(not rig.may_mount(), reason="file systems cannot be mounted here")
def test_a_machine_with_a_full_disk_is_left(tmp_path: Path, cache_dir: Path) -> None:
    """Its cells pass on another one, and the user is told which machine has no space."""
    root = rig.project(tmp_path / "project", WAITING.replace("waits.py", "ends.py"), {"ends.py": ""})
    (root / "big").write_bytes(os.urandom(20 << 20))
    small = tmp_path / "small"
    small.mkdir()
    mount = f'mount -t tmpfs -o size=12m,mode=755 none {small} && exec "$@"'
    with cluster(tmp_path / "cluster", cache_dir, MARKER="m", PLACE="p") as made:
        made.worker("full", before=("unshare", "-m", "sh", "-c", mount, "sh"), VENVGRID_CACHE_DIR=str(small))
        made.worker("good")
        on = ("--on", made.address, "--machines", "2")
        ended = rig.venvgrid(root, cache_dir, "run", "--no-cache", *on, MARKER="m", PLACE="p")
    assert ended.status == 0, ended.out + ended.err
    assert re.search(r"full: .*No space left on device.*it is done again", ended.out + ended.err)


@pytest.mark.parametrize("command", ["run --on", "worker", "scheduler"])
def test_a_network_without_tls_is_refused(tmp_path: Path, cache_dir: Path, command: str) -> None:
    """Before anything is listened to or connected with, and with what to type."""
    root = rig.project(tmp_path / "project", WAITING.replace(', "2", "3"', ""), {"waits.py": ""})
    ended = rig.venvgrid(root, cache_dir, *command.split(), "tcp://0.0.0.0:8786")
    assert ended.status == 2, ended.err
    assert "anybody in the network could run commands here; write tls:// and --certificates" in ended.err


def test_without_the_extra(tmp_path: Path, cache_dir: Path) -> None:
    """A run at home imports nothing of the engine or of the cluster; with --on it says what to install."""
    root = rig.project(tmp_path / "project", WAITING.replace("waits.py", "ends.py"), {"ends.py": ""})
    (tmp_path / "fake").mkdir()
    (tmp_path / "fake" / "distributed.py").write_text("raise ImportError('it is not there')\n", encoding="utf-8")
    code = (
        "import sys\nfrom venvgrid.cli.main import main\n"
        "try:\n    status = main()\nexcept SystemExit as end:\n    status = end.code\n"
        "heavy = ('distributed', 'dask', 'tornado', 'venvgrid.app.cluster', 'venvgrid.running.executors.remote')\n"
        "print('IMPORTED', sorted(name for name in sys.modules if name.startswith(heavy)))\nsys.exit(status)\n"
    )
    env = rig.environment(cache_dir, PYTHONPATH=str(tmp_path / "fake"), MARKER="m", PLACE="p")
    for options, status, text in (
        ((), 0, "IMPORTED []"),
        (("--on", "dask"), 2, "a run on many machines: it needs the extra dask: pip install 'venvgrid[dask]'"),
    ):
        done = subprocess.run(
            [sys.executable, "-c", code, "run", *options],
            cwd=root,
            env=env,
            capture_output=True,
            text=True,
            check=False,
        )
        assert (done.returncode, text in done.stdout + done.stderr) == (status, True), done.stdout + done.stderr
