"""Times venvgrid beside tox and the floor on the same cells; see README.md. Prints Markdown."""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tarfile
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import watching
from works import GREEN, ITSDANGEROUS, SCIENTIFIC, TRIVIAL, Work, many_cells

if TYPE_CHECKING:
    from collections.abc import Callable

HERE = Path(__file__).resolve().parent
PEERS = {"tox-uv": ("tox==4.*", "tox-uv==1.*", "uv"), "tox": ("tox==4.*",)}
QUIET = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
SCRIPTS = "Scripts" if os.name == "nt" else "bin"
EDITS = 5  # in a session of watch
MANY = 1000  # cells of the measurement of memory
MEBIBYTE = 1024  # KiB
Round = dict[str, float]


@dataclass(frozen=True)
class Row:
    """One line of the table: a measurement, what it is compared with ("" for its own value), and the goal."""

    work: str
    what: str
    against: str
    goal: float
    unit: str = ""


ROWS = (
    Row("scientific", "fresh", "tox-uv, fresh", 0.40),
    Row("scientific", "fresh", "floor", 1.20),
    Row("scientific", "fresh, shared", "floor", 1.20),
    Row("scientific", "--fresh", "floor", 1.35),
    Row("scientific", "first of the day", "floor", 1.35),
    Row("scientific", "ready", "floor", 1.05),
    Row("scientific", "nothing changed", "", 0.4, "s"),
    Row("itsdangerous", "fresh", "tox-uv, fresh", 0.55),
    Row("itsdangerous", "fresh", "floor", 1.25),
    Row("itsdangerous", "ready", "floor", 1.12),
    Row("trivial", "fresh", "tox-uv, fresh", 0.30),
    Row("pip", "fresh", "tox, fresh", 0.50),
    Row("cold", "fresh", "tox-uv, fresh", 0.85),
    Row("memory", "peak", "", 150, "MiB"),
    Row("watch", "an edit, all cells warm", "floor", 0.35),
    Row("watch", "an edit, first result", "", 0.3, "s + the test"),
    Row("watch", "idle", "", 0.5, "% of a CPU"),
    Row("watch", "memory", "", 80, "MB"),
    Row("start", "--version", "python -c pass", 3),
    Row("start", "plan, locked", "python -c pass", 8),
    Row("start", "nothing changed", "python -c pass", 8),
)


class Machine:
    """What all measurements share: venvgrid and the peers in environments of their own, and a PATH with the Pythons."""

    def __init__(self, home: Path, workers: int) -> None:
        """Install the peers and venvgrid, where that was not done before."""
        self.home, self.workers = home, workers
        for name, requirements in PEERS.items():
            place = home / name
            if not place.exists():
                subprocess.run([sys.executable, "-m", "venv", place], check=True)
                pip = [place / SCRIPTS / "python", "-m", "pip", "install", "-q"]
                subprocess.run([*pip, *requirements], check=True)
        subprocess.run(
            [
                home / "tox-uv" / SCRIPTS / "python",
                "-m",
                "pip",
                "install",
                "-q",
                "--force-reinstall",
                f"{HERE.parent}[watch]",
            ],
            check=True,
        )
        self.environ = {
            name: value for name, value in os.environ.items() if name not in {"CI", "PYTHONDONTWRITEBYTECODE"}
        }
        self.environ["VENVGRID_CACHE_DIR"] = str(home / "cache")
        self.environ["UV_CACHE_DIR"] = str(home / "uv")
        self.environ["PATH"] = os.pathsep.join([str(self._pythons()), self.environ["PATH"]])

    def _pythons(self) -> Path:
        """Make a folder with python3.X for each interpreter that venvgrid finds: tox does not find them all."""
        place = self.home / "pythons"
        place.mkdir(exist_ok=True)
        command = [self.home / "tox-uv" / SCRIPTS / "venvgrid", "python", "--json"]
        listed = subprocess.run(command, capture_output=True, text=True, check=True)
        for item in reversed(json.loads(listed.stdout)["interpreters"]):
            link = place / f"python{'.'.join(item['version'].split('.')[:2])}"
            if item["implementation"] == "cpython" and not item["free_threaded"] and not link.exists():
                link.symlink_to(item["executable"])
        return place

    def run(self, peer: str, root: Path, *argv: str, **environ: str) -> float:
        """Run a command of a peer's environment; a red cell is no trouble of the benchmark. Gives its seconds."""
        folder = self.home / peer / SCRIPTS
        environ = {**self.environ, "PATH": f"{folder}{os.pathsep}{self.environ['PATH']}", **environ}
        began = time.perf_counter()
        done = subprocess.run([folder / argv[0], *argv[1:]], cwd=root, env=environ, check=False, **QUIET)
        if done.returncode not in {0, 1}:
            message = f"{' '.join(argv)} in {root} ended with status {done.returncode}"
            raise SystemExit(message)
        return time.perf_counter() - began


class Bench:
    """One project, and the commands that are timed on it."""

    def __init__(self, machine: Machine, name: str, work: Work) -> None:
        """Write the project."""
        self.machine, self.root, self.work = machine, machine.home / name, work
        if not self.root.exists():
            self.root.mkdir()
            if work.sdist:
                self._unpack(work.sdist)
            for file, text in work.files.items():
                (self.root / file).parent.mkdir(parents=True, exist_ok=True)
                (self.root / file).write_text(text, encoding="utf-8")
            for file in ("tox.ini", "tox.toml"):
                (self.root / file).unlink(missing_ok=True)
        (self.root / "matrix.toml").write_text(work.matrix, encoding="utf-8")
        (self.root / "tox.toml").write_text(work.tox, encoding="utf-8")

    def _unpack(self, requirement: str) -> None:
        with tempfile.TemporaryDirectory() as folder:
            pip = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "--no-binary", ":all:", "-d", folder]
            subprocess.run([*pip, requirement], check=True)
            (archive,) = Path(folder).iterdir()
            with tarfile.open(archive) as sdist:
                sdist.extractall(folder, filter="data")
            (source,) = (path for path in Path(folder).iterdir() if path.is_dir())
            shutil.copytree(source, self.root, dirs_exist_ok=True)

    def venvgrid(self, *options: str, fresh: bool = False, **environ: str) -> float:
        """Run all cells with venvgrid; `fresh`: without environments."""
        if fresh:
            shutil.rmtree(self.root / ".venvgrid", ignore_errors=True)
        return self.machine.run(
            "tox-uv", self.root, "venvgrid", "run", "-q", "-j", str(self.machine.workers), *options, **environ
        )

    def tox(self, peer: str = "tox-uv", *, fresh: bool = False, **environ: str) -> float:
        """Run all cells with tox."""
        if fresh:
            shutil.rmtree(self.root / ".tox", ignore_errors=True)
        return self.machine.run(
            peer, self.root, "tox", "run-parallel", "-q", "-p", str(self.machine.workers), **environ
        )

    def floor(self) -> float:
        """Run pytest alone in venvgrid's environments."""

        def one(cell: Path) -> None:
            python = cell / SCRIPTS / "python"
            subprocess.run(
                [python, "-m", "pytest", "-q"], cwd=self.root, env=self.machine.environ, check=False, **QUIET
            )

        began = time.perf_counter()
        with ThreadPoolExecutor(self.machine.workers) as pool:
            list(pool.map(one, sorted((self.root / ".venvgrid" / "envs").iterdir())))
        return time.perf_counter() - began

    def usual(self) -> Round:
        """Time everything once, in turns."""
        return {
            "fresh": self.venvgrid(fresh=True),
            "tox-uv, fresh": self.tox(fresh=True),
            "floor": self.floor(),
            "ready": self.venvgrid("--no-cache"),
            "tox-uv, ready": self.tox(),
            "nothing changed": self.venvgrid(),
        }

    def all_of_it(self) -> Round:
        """Time everything once, also what is asked and read again: by option, after a night, beside a neighbour."""
        seconds = {**self.usual(), "--fresh": self.venvgrid("--fresh")}
        shutil.rmtree(self.machine.home / "cache" / "resolutions")
        for pages in (self.machine.home / "uv").glob("simple-*"):
            shutil.rmtree(pages)
        seconds["first of the day"] = self.venvgrid("--no-cache")
        neighbour = Bench(self.machine, f"{self.root.name}-neighbour", self.work)
        neighbour.venvgrid(fresh=True)  # its environments share the cached packages, and stay
        seconds["fresh, shared"] = self.venvgrid(fresh=True)
        shutil.rmtree(neighbour.root / ".venvgrid")
        return seconds

    def watch(self) -> Round:
        """Time edits of the package while watch runs, and what it costs while it waits."""
        program = self.machine.home / "tox-uv" / SCRIPTS / "venvgrid"
        argv, edited = (program, "watch", "-j", str(self.machine.workers)), self.root / "src" / "bench.py"
        with watching.Watching(argv, self.root, self.machine.environ) as session:
            session.wait(watching.WAITING)
            first, whole = watching.edits(session, edited, EDITS)
            session.wait(watching.WARM)
            share, memory = session.cost()
        return {
            "floor": self.floor(),
            "an edit, all cells warm": statistics.median(whole),
            "an edit, first result": statistics.median(first),
            "idle": share,
            "memory": memory,
        }

    def trivial(self) -> Round:
        """Time what is almost nothing but environments."""
        return {"fresh": self.venvgrid(fresh=True), "tox-uv, fresh": self.tox(fresh=True)}

    def starts(self) -> Round:
        """Time commands that start no tests beside a Python that does nothing: medians of starts in turns."""
        self.machine.run("tox-uv", self.root, "venvgrid", "lock")
        commands = {"python -c pass": "python -c pass", "--version": "venvgrid --version"}
        commands |= {"plan, locked": "venvgrid plan", "nothing changed": "venvgrid run -q --locked"}
        rounds = [
            {name: self.machine.run("tox-uv", self.root, *words.split()) for name, words in commands.items()}
            for _ in range(5)
        ]
        return {name: statistics.median(item[name] for item in rounds) for name in commands}

    def pip(self) -> Round:
        """Time both with pip."""
        return {
            "fresh": self.venvgrid(fresh=True, VENVGRID_INSTALLER="pip"),
            "tox, fresh": self.tox("tox", fresh=True),
        }

    def cold(self) -> Round:
        """Time both with empty caches."""
        seconds = {}
        for name, run in (("fresh", self.venvgrid), ("tox-uv, fresh", self.tox)):
            with tempfile.TemporaryDirectory(dir=self.machine.home) as cache:
                folders = {
                    "VENVGRID_CACHE_DIR": f"{cache}/venvgrid",
                    "UV_CACHE_DIR": f"{cache}/uv",
                    "PIP_CACHE_DIR": f"{cache}/pip",
                }
                folders |= {"XDG_DATA_HOME": f"{cache}/data", "XDG_CACHE_HOME": f"{cache}/cache"}
                seconds[name] = run(fresh=True, **folders)
        return seconds


def peak_memory(machine: Machine) -> Round:
    """Give the most memory (MiB, resident) that venvgrid itself has while it runs many cells, and its seconds."""
    root = machine.home / "memory"
    root.mkdir(exist_ok=True)
    (root / "matrix.toml").write_text(many_cells(MANY), encoding="utf-8")
    shutil.rmtree(root / ".venvgrid", ignore_errors=True)
    command = [machine.home / "tox-uv" / SCRIPTS / "venvgrid", "run", "-q", "-j", str(machine.workers)]
    began, peak = time.perf_counter(), 0.0
    with subprocess.Popen(command, cwd=root, env=machine.environ, **QUIET) as process:
        while process.poll() is None:
            status = Path(f"/proc/{process.pid}/status").read_text(encoding="ascii")
            found = [line.split()[1] for line in status.splitlines() if line.startswith("VmHWM:")]
            peak = max(peak, *(int(number) / MEBIBYTE for number in found), 0.0)
            time.sleep(0.05)
    return {"peak": peak, "seconds": time.perf_counter() - began}


def measurements(machine: Machine) -> dict[str, Callable[[], Round]]:
    """Give the measurement of each work."""
    scientific = Bench(machine, "scientific", SCIENTIFIC)
    return {
        "scientific": scientific.all_of_it,
        "itsdangerous": Bench(machine, "itsdangerous", ITSDANGEROUS).usual,
        "trivial": Bench(machine, "trivial", TRIVIAL).trivial,
        "pip": scientific.pip,
        "cold": scientific.cold,
        "memory": lambda: peak_memory(machine),
        "watch": scientific.watch,
        "start": Bench(machine, "start", GREEN).starts,
    }


def seconds_table(name: str, rounds: list[Round]) -> str:
    """Give the seconds of one work as a Markdown table."""
    lines = [f"{name}, {len(rounds)} rounds:", "", "| what | median | min | max |", "|---|---|---|---|"]
    for what in rounds[0]:
        values = [item[what] for item in rounds]
        lines.append(f"| {what} | {statistics.median(values):.2f} | {min(values):.2f} | {max(values):.2f} |")
    return "\n".join([*lines, ""])


def goals_table(results: dict[str, list[Round]]) -> str:
    """Give the ratios (medians of the ratios of each round) beside their goals as a Markdown table."""
    lines = ["| work | what | against | measured | goal | |", "|---|---|---|---|---|---|"]
    for row in ROWS:
        if row.work in results:
            rounds = results[row.work]
            value = statistics.median(item[row.what] / (item[row.against] if row.against else 1) for item in rounds)
            reached = "reached" if value <= row.goal else "missed"
            unit = f" {row.unit}" if row.unit else ""
            measured = f"{value:.2f}{unit} | ≤ {row.goal:g}{unit} | {reached}"
            lines.append(f"| {row.work} | {row.what} | {row.against or 'absolute'} | {measured} |")
    return "\n".join(lines)


def main() -> None:
    """Read the arguments, run the rounds, print the tables."""
    works = tuple(dict.fromkeys(row.work for row in ROWS))
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("works", nargs="*", choices=[*works, []], help="default: all of them")
    parser.add_argument("--rounds", type=int, default=3, help="that count; one before them warms the caches")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--home", type=Path, help="a folder to keep (default: a temporary one)")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="venvgrid-bench-") as temporary:
        home = (arguments.home or Path(temporary)).resolve()
        home.mkdir(parents=True, exist_ok=True)
        chosen = {
            name: run
            for name, run in measurements(Machine(home, arguments.workers)).items()
            if name in (arguments.works or works)
        }
        for name, run in chosen.items():
            if name not in {"cold", "memory"}:
                run()
        rounds = [{name: run() for name, run in chosen.items()} for _ in range(arguments.rounds)]
    results = {name: [item[name] for item in rounds] for name in chosen}
    print(f"{platform.system()} {platform.machine()}, {os.cpu_count()} CPUs, {arguments.workers} workers\n")
    print(goals_table(results), end="\n\n")
    for name, values in results.items():
        print(seconds_table(name, values))


if __name__ == "__main__":
    main()
