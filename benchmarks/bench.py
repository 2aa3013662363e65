"""Times venvgrid beside tox-uv and the floor on the same cells; see README.md. Prints Markdown."""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

HERE = Path(__file__).resolve().parent
PEERS = ("tox==4.*", "tox-uv==1.*", "uv")
QUIET = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
PYPROJECT = """\
[build-system]
requires = ["flit_core>=3.4"]
build-backend = "flit_core.buildapi"
[project]
name = "bench"
version = "1.0"
description = "for a benchmark"
dependencies = [{dependencies}]
"""
DRAW = """\
import matplotlib
matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from scipy import stats


def draw(path):
    frame = pd.DataFrame({"x": np.arange(100), "y": stats.norm.rvs(size=100, random_state=1)})
    figure, axes = plt.subplots()
    axes.plot(frame.x, frame.y)
    figure.savefig(path)
"""


@dataclass(frozen=True)
class Work:
    """A project and its cells, for venvgrid and for tox."""

    dependencies: str
    module: str
    test: str
    matrix: str
    pythons: tuple[str, ...]
    factors: dict[str, dict[str, str]]  # axis → factor of tox → requirement
    impossible: tuple[str, ...] = ()


WORK = {
    "scientific": Work(
        dependencies='"numpy", "pandas", "scipy", "matplotlib"',
        module=DRAW,
        test="import bench\n\n\ndef test_draw(tmp_path):\n    bench.draw(tmp_path / 'a.png')\n",
        matrix='[axes]\npython = "3.10..3.13"\npandas = ["2.2", "2.3"]\nnumpy = ["1.26", "2.2"]\n',
        pythons=("3.10", "3.11", "3.12", "3.13"),
        factors={
            "pandas": {"pd22": "pandas==2.2.*", "pd23": "pandas==2.3.*"},
            "numpy": {"np126": "numpy==1.26.*", "np22": "numpy==2.2.*"},
        },
        impossible=("3.13-pd22-np126", "3.13-pd23-np126"),
    ),
    "pure": Work(
        dependencies="",
        module="import json\n\n\ndef double(text):\n    return json.dumps(json.loads(text) * 2)\n",
        test="import bench, freezegun, pytest\n\n\n@pytest.mark.parametrize('n', range(200))\ndef test_double(n):\n"
        "    with freezegun.freeze_time('2020-01-01'):\n        assert bench.double(str(n)) == str(2 * n)\n",
        matrix='[axes]\npython = "3.8..3.12"\nfreezegun = ["1.2", "1.5"]\n',
        pythons=("3.8", "3.9", "3.10", "3.11", "3.12"),
        factors={"freezegun": {"fg12": "freezegun==1.2.*", "fg15": "freezegun==1.5.*"}},
    ),
}


def tox_configuration(work: Work) -> str:
    """Give the tox.toml of the same cells: what is impossible has to be left out by hand."""
    lists = [list(work.pythons), *(list(factors) for factors in work.factors.values())]
    product = json.dumps(lists)
    lines = [f"env_list = [{{ product = {product}, exclude = {json.dumps(list(work.impossible))} }}]", "[env_run_base]"]
    conditions = [
        f'    {{ replace = "if", condition = "factor.{factor}", then = ["{requirement}"], extend = true }},'
        for factors in work.factors.values()
        for factor, requirement in factors.items()
    ]
    return "\n".join([*lines, "deps = [", '    "pytest",', *conditions, "]", 'commands = [["pytest", "-q"]]', ""])


class Bench:
    """The folders, the environment of the peers, and the commands that are timed."""

    def __init__(self, work: Work, home: Path, workers: int) -> None:
        """Write the project into `home` and install the peers."""
        self.workers, self.root = workers, home / "project"
        self.bin = home / "peers" / ("Scripts" if os.name == "nt" else "bin")
        (self.root / "src").mkdir(parents=True, exist_ok=True)
        for name, text in {
            "pyproject.toml": PYPROJECT.format(dependencies=work.dependencies),
            "src/bench.py": work.module,
            "test_bench.py": work.test,
            "matrix.toml": work.matrix,
            "tox.toml": tox_configuration(work),
            "pytest.ini": "[pytest]\n",
        }.items():
            (self.root / name).write_text(text, encoding="utf-8")
        if not self.bin.exists():
            subprocess.run([sys.executable, "-m", "venv", home / "peers"], check=True)
            install = [self.bin / "python", "-m", "pip", "install", "-q", *PEERS, str(HERE.parent)]
            subprocess.run(install, check=True, **QUIET)
        self.environ = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
        self.environ["PATH"] = os.pathsep.join([str(self._pythons(home)), str(self.bin), self.environ["PATH"]])
        self.environ["VENVGRID_CACHE_DIR"] = str(home / "cache")

    def _pythons(self, home: Path) -> Path:
        """Make a folder with python3.X for each interpreter that venvgrid finds."""
        place = home / "pythons"
        place.mkdir(exist_ok=True)
        listed = subprocess.run([self.bin / "venvgrid", "python", "--json"], capture_output=True, text=True, check=True)
        for item in reversed(json.loads(listed.stdout)["interpreters"]):
            link = place / f"python{'.'.join(item['version'].split('.')[:2])}"
            if item["implementation"] == "cpython" and not link.exists():
                link.symlink_to(item["executable"])
        return place

    def run(self, *argv: str) -> None:
        """Run a peer in the project; a red cell is no trouble of the benchmark, no cell at all is."""
        done = subprocess.run([self.bin / argv[0], *argv[1:]], cwd=self.root, env=self.environ, check=False, **QUIET)
        if done.returncode not in {0, 1}:
            message = f"{' '.join(argv)} ended with status {done.returncode}"
            raise SystemExit(message)

    def remove(self, name: str) -> None:
        """Delete what a peer has made."""
        shutil.rmtree(self.root / name, ignore_errors=True)

    def venvgrid(self) -> None:
        """Run all cells with venvgrid."""
        self.run("venvgrid", "run", "-q", "-j", str(self.workers))

    def tox(self) -> None:
        """Run all cells with tox-uv."""
        self.run("tox", "run-parallel", "-q", "-p", str(self.workers))

    def floor(self) -> None:
        """Run pytest alone in venvgrid's environments."""

        def one(cell: Path) -> None:
            python = cell / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
            subprocess.run([python, "-m", "pytest", "-q"], cwd=self.root, env=self.environ, check=False, **QUIET)

        with ThreadPoolExecutor(self.workers) as pool:
            list(pool.map(one, sorted((self.root / ".venvgrid" / "envs").iterdir())))


def timed(work: Callable[[], None]) -> float:
    """Give the seconds that something takes."""
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def one_round(bench: Bench) -> dict[str, float]:
    """Time every command once, in turns."""
    seconds = {}
    bench.remove(".venvgrid")
    seconds["venvgrid, fresh"] = timed(bench.venvgrid)
    bench.remove(".tox")
    seconds["tox-uv, fresh"] = timed(bench.tox)
    seconds["floor"] = timed(bench.floor)
    seconds["venvgrid, ready"] = timed(bench.venvgrid)
    seconds["tox-uv, ready"] = timed(bench.tox)
    return seconds


def table(rounds: list[dict[str, float]]) -> str:
    """Give medians and ratios as a Markdown table."""
    lines = ["| what | median s | min | max | of tox-uv | of floor |", "|---|---|---|---|---|---|"]
    for name in rounds[0]:
        values = [item[name] for item in rounds]
        peer = "tox-uv, ready" if name.endswith("ready") else "tox-uv, fresh"
        of_tox = statistics.median(item[name] / item[peer] for item in rounds)
        of_floor = statistics.median(item[name] / item["floor"] for item in rounds)
        numbers = (statistics.median(values), min(values), max(values), of_tox, of_floor)
        lines.append(f"| {name} | " + " | ".join(f"{number:.2f}" for number in numbers) + " |")
    return "\n".join(lines)


def main() -> None:
    """Read the arguments, run the rounds, print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("work", choices=sorted(WORK))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--home", type=Path)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="venvgrid-bench-") as temporary:
        home = (arguments.home or Path(temporary)).resolve()
        bench = Bench(WORK[arguments.work], home / arguments.work, arguments.workers)
        one_round(bench)  # warms the caches
        rounds = [one_round(bench) for _ in range(arguments.rounds)]
    machine = f"{platform.system()} {platform.machine()}, {os.cpu_count()} CPUs"
    print(f"{arguments.work}: {len(rounds)} rounds, {arguments.workers} workers, {machine}\n")
    print(table(rounds))


if __name__ == "__main__":
    main()
