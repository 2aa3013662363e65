"""What a run on many machines costs: a real scheduler with real workers, all of them on this machine.

    python benchmarks/machines.py waiting --cells 10000 --seconds 5 --workers 4 --slots 16
    python benchmarks/machines.py beside --rounds 3

`waiting`: cells that only wait. The plan, the scheduler of venvgrid, its placement, Dask, TLS and the answers are real;
a worker answers after the seconds, and starts nothing. Ideal is the seconds of all cells by the slots.
`beside`: the same cells with `run -j N` and on N workers with one slot each that are there already, in turns.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from venvgrid.app.cluster.dask_cluster import DaskCluster
from venvgrid.config import config_file, loading
from venvgrid.model import Cell, Environment, LockEntry, Outcome, Plan, PlannedCell, Status
from venvgrid.running import loop, tasks
from venvgrid.running.executors.base import Slots
from venvgrid.running.executors.remote import jobs
from venvgrid.running.executors.remote.executor import RemoteExecutor
from venvgrid.running.executors.remote.fleet import Fleet
from venvgrid.running.executors.remote.parcel import Parcel
from venvgrid.running.request import RunRequest
from venvgrid.running.scheduler import Scheduler
from venvgrid.testing import FakeExecutor, FakeWorker

if TYPE_CHECKING:
    from venvgrid.model import Interpreter
    from venvgrid.running.executors.remote.cluster import Answered

HERE = Path(__file__).resolve().parent
ROOT = Path("/nowhere/project")
PLACES = jobs.Places(ROOT)
WAIT, SLOTS = "VENVGRID_BENCH_SECONDS", "VENVGRID_BENCH_SLOTS"
FREE = threading.Semaphore(int(os.environ.get(SLOTS, "1")))  # of a worker: it may be given one job more than it does
SCIENTIFIC = (
    '[axes]\npython = ["3.9", "3.10", "3.11", "3.12"]\nnumpy = ["1.26", "2.0"]\n[install]\nrequires = ["pytest"]\n'
)
TRIVIAL = """\
[project]
install = "none"
[axes]
python = ["3.11", "3.12"]
"env.N" = [{numbers}]
[install]
requires = ["pytest"]
"""


def wait(text: str, key: str) -> str:
    """Answer a job as a worker would, after the seconds of a cell. It runs in the workers."""
    del key
    job = jobs.parse_job(text, PLACES)
    match job.task:
        case tasks.TestTask():
            with FREE:
                time.sleep(float(os.environ[WAIT]))
            known = tasks.base_result(job.task.cell, job.task.entry)
            result: tasks.TaskResult = tasks.TestDone(result=replace(known, outcome=Outcome.PASSED))
        case tasks.BuildTask():
            place = ROOT / ".venvgrid/store" / job.task.entry.key
            made = Environment(
                key=job.task.entry.key,
                path=place,
                python=place / "bin/python",
                site=place / "lib",
                interpreter=job.task.entry.interpreter,
                detail="built",
            )
            result = tasks.BuildDone(environment=made, took=0.0)
        case _:
            result = tasks.CompileDone(files=0)
    return jobs.render_answer(
        jobs.Answer(attempt=job.attempt, machine="waiting", result=jobs.render_value(result, PLACES))
    )


class WaitingCluster(DaskCluster):
    """The workers of a scheduler; what they do is to wait."""

    def send(self, address: str, key: str, job: str, answered: Answered) -> None:
        """Submit a wait for one worker."""
        import machines  # noqa: PLC0415  (the worker finds the function by the name of its module)

        future = self._client.submit(
            machines.wait, job, key, key=key, workers=[address], allow_other_workers=False, pure=False
        )
        future.add_done_callback(lambda ended: answered(ended.result() if ended.status == "finished" else None))


class Workers:
    """A scheduler with certificates, and workers, as processes."""

    def __init__(self, place: Path, count: int, slots: int, environ: dict[str, str]) -> None:
        """Start all of them."""
        place.mkdir(exist_ok=True)
        self.certificates, log = place / "certificates", place / "scheduler.log"
        venvgrid = (sys.executable, "-m", "venvgrid")
        given = ("--certificates", str(self.certificates))
        with log.open("wb") as stream:
            command = (*venvgrid, "scheduler", "tls://127.0.0.1:0", *given)
            self.started = [subprocess.Popen(command, stderr=stream, env=environ)]
        while "scheduler is at" not in (text := log.read_text(encoding="utf-8")):
            time.sleep(0.1)
        self.address = text.partition("scheduler is at ")[2].split()[0]
        for _ in range(count):
            command = (*venvgrid, "worker", self.address, *given, "--slots", str(slots), "--any-plan")
            self.started.append(subprocess.Popen(command, stderr=subprocess.DEVNULL, env=environ))

    def close(self) -> None:
        """End all of them."""
        for process in reversed(self.started):
            process.terminate()
        for process in self.started:
            process.wait()


def waiting(options: argparse.Namespace) -> None:
    """Time cells that only wait, and print how near it is to the ideal."""
    from venvgrid.app.cluster import certificates  # noqa: PLC0415

    with tempfile.TemporaryDirectory(prefix="venvgrid-machines-") as folder:
        environ = {**os.environ, WAIT: str(options.seconds), SLOTS: str(options.slots), "PYTHONPATH": str(HERE)}
        workers = Workers(Path(folder), options.workers, options.slots, environ)
        try:
            cluster = WaitingCluster(workers.address, certificates.security(workers.certificates))
            fleet = Fleet(cluster, print)
            fleet.wait(options.workers, 120.0, cancelled=lambda: False)
            python = next(iter(fleet.machines.values())).interpreters[-1]
            cpu, began = time.process_time(), time.monotonic()
            first = _run(options.cells, options.environments, fleet, python, Path(folder))
            took = time.monotonic() - began
            fleet.close()
        finally:
            workers.close()
    ideal = options.cells * options.seconds / (options.workers * options.slots)
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"{options.cells:,} cells of {options.seconds} s, {options.workers} workers with {options.slots} slots:")
    print(f"  {took:.1f} s, ideal {ideal:.1f} s: {ideal / took:.1%} of the ideal; the first result after {first:.1f} s")
    used = time.process_time() - cpu
    print(f"  coordinator: {used:.1f} CPU s ({1000 * used / options.cells:.2f} ms a cell), peak {memory:.0f} MiB")


def _run(count: int, environments: int, fleet: Fleet, python: Interpreter, folder: Path) -> float:
    """Run cells; return the seconds until the first of them ended."""
    (folder / "matrix.toml").write_text('[axes]\npython = "3.12"\n[project]\ninstall = "none"\n', encoding="utf-8")
    config = loading.build(config_file.find(folder / "matrix.toml", cwd=folder))
    cells = [Cell(id=f"cell{number}", axes={"python": "3.12", "n": str(number)}) for number in range(count)]
    keys = [f"{number:016x}" for number in range(environments)]
    entries = {
        cell.id: LockEntry(key=keys[number % environments], interpreter=python, distributions=())
        for number, cell in enumerate(cells)
    }
    request = RunRequest(
        config=config,
        plan=Plan(
            cells=tuple(PlannedCell(cell=cell, status=Status.RUNNABLE, reason="") for cell in cells), strategy="full"
        ),
        interpreters={"3.12": python},
        metadata=None,
        run="bench",
        time="2026-01-01T00:00:00+00:00",
        version="0",
        locked=entries,
        given=frozenset(entries),
    )
    bundle = folder / "bundle"
    bundle.write_bytes(b"")
    parcel = Parcel(
        run="bench",
        plan="bench",
        bundle=jobs.Blob(digest="0" * 64, size=0),
        places=PLACES,
        place=lambda name: folder / name,
        files=lambda _digest: bundle,
        wheel=lambda _path: jobs.Blob(digest="0" * 64, size=0),
        expected={},
        here=frozenset(),
    )
    local = FakeExecutor(execute=FakeWorker().execute, slots=Slots(cpu=1, network=1))
    executor = RemoteExecutor(fleet, local, parcel)
    scheduler = Scheduler(request, cached=lambda *_: None, append_log=lambda *_: "")
    began, first, done = time.monotonic(), 0.0, 0
    for event in loop.run(scheduler, executor):
        if type(event).__name__ == "CellFinished":
            first = first or time.monotonic() - began
            done += 1
            if event.result.outcome is not Outcome.PASSED:
                raise SystemExit(f"{event.result.id}: {event.result.outcome} {event.result.reason}")
    if done != count:
        raise SystemExit(f"{done} of {count} cells have a result")
    return first


def beside(options: argparse.Namespace) -> None:
    """Time two grids here and on workers, in turns, and print the ratios."""
    numbers = ", ".join(f'"{number}"' for number in range(options.cells // 2))
    with tempfile.TemporaryDirectory(prefix="venvgrid-machines-") as folder:
        place = Path(folder)
        environ = {**os.environ, "VENVGRID_CACHE_DIR": str(place / "cache")}
        trivial = TRIVIAL.format(numbers=numbers)
        for name, text, count in (("scientific", SCIENTIFIC, 2), ("trivial", trivial, 4)):
            project = place / name
            shutil.copytree(HERE.parent / "examples/plotlib", project)
            if name == "trivial":
                shutil.rmtree(project / "tests")
                (project / "tests").mkdir()
                (project / "tests/test_it.py").write_text("def test_it():\n    pass\n", encoding="utf-8")
            (project / "matrix.toml").write_text(text, encoding="utf-8")
            workers = Workers(place / f"of-{name}", count, 1, environ)
            try:
                _compare(name, project, workers, count, options.rounds, environ)
            finally:
                workers.close()


def _compare(name: str, project: Path, workers: Workers, count: int, rounds: int, environ: dict[str, str]) -> None:
    there = ("--on", workers.address, "--certificates", str(workers.certificates), "--machines", str(count))
    ways = {"here": ("-j", str(count)), "there": there}
    for extra in ways.values():
        _time(project, extra, environ)
    taken: dict[str, list[tuple[float, float, int]]] = {"here": [], "there": []}
    for _ in range(rounds):
        for way, extra in ways.items():
            taken[way].append(_time(project, extra, environ))
    whole = statistics.median(b[0] / a[0] for a, b in zip(taken["here"], taken["there"], strict=True))
    cells = taken["here"][0][2]
    each = statistics.median((b[1] - a[1]) / cells for a, b in zip(taken["here"], taken["there"], strict=True))
    print(f"{name}, {cells} cells, {count} at once, ready: {whole:.2f} of `-j {count}` for the whole command;")
    print(
        f"  from the first stage to the last result {1000 * each:+.0f} ms a cell, {1000 * each * count:+.0f} ms a slot"
    )


def _time(project: Path, extra: tuple[str, ...], environ: dict[str, str]) -> tuple[float, float, int]:
    """Return the seconds of the command, those from the first stage of a cell to the last result, and the cells."""
    began = time.monotonic()
    command = (sys.executable, "-m", "venvgrid", "run", "--no-cache", *extra)
    subprocess.run(command, cwd=project, env=environ, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    took = time.monotonic() - began
    newest = max((project / ".venvgrid/runs").iterdir())
    events = [json.loads(line) for line in (newest / "events.jsonl").read_text(encoding="utf-8").splitlines()]
    started = min(item["at"] for item in events if item["event"] == "StageStarted" and item["stage"] != "resolve")
    ended = [item["at"] for item in events if item["event"] == "CellFinished"]
    return took, max(ended) - started, len(ended)


def main() -> None:
    """Read the arguments and measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parts = parser.add_subparsers(required=True)
    one = parts.add_parser("waiting")
    one.add_argument("--cells", type=int, default=10_000)
    one.add_argument("--seconds", type=float, default=5.0)
    one.add_argument("--workers", type=int, default=4)
    one.add_argument("--slots", type=int, default=16)
    one.add_argument("--environments", type=int, default=500)
    one.set_defaults(do=waiting)
    other = parts.add_parser("beside")
    other.add_argument("--rounds", type=int, default=3)
    other.add_argument("--cells", type=int, default=40)
    other.set_defaults(do=beside)
    options = parser.parse_args()
    options.do(options)


if __name__ == "__main__":
    main()
