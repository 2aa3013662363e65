"""What a large grid costs the coordinator: the whole command `venvgrid run`, but for the executor, which is a fake.

    python benchmarks/coordinator.py --cells 1000000
    python benchmarks/coordinator.py --cells 100000 --whole -- -q
    python benchmarks/coordinator.py --folder FOLDER --until 100000 --tests 5 -- -q
    python benchmarks/coordinator.py --folder FOLDER -- -q --resume

Configuration, plan, order, journal, report and progress are real; each task is answered at once, and no process is
started. Each cell has an environment of its own (three axes): the worst case. CPU seconds of this process from its
start, and its peak memory, are printed when the first test of a cell is to start; with `--whole`, after each tenth
of the cells and at the end, too. The journal does not wait for the disk. `--until`: the run is killed there, which
leaves a journal to resume; each cell tells `--tests` results of tests.
"""

from __future__ import annotations

import argparse
import math
import os
import resource
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from venvgrid.app import run
from venvgrid.cli import main as program
from venvgrid.model import CaseOutcome, TestFinished
from venvgrid.results import journal
from venvgrid.running import tasks
from venvgrid.testing import FakeExecutor, FakeWorker

if TYPE_CHECKING:
    from venvgrid.running.executors.base import Deliver

PYTHONS = ("3.9", "3.10", "3.11", "3.12")


class Watched(FakeExecutor):
    """A fake executor that tells when the first test is to start; without `whole`, the process ends there."""

    step = until = seen = tests = 0

    def submit(self, task: tasks.Task, deliver: Deliver) -> None:
        """Do a task."""
        if isinstance(task, tasks.TestTask):
            if self.seen % self.step == 0:
                told(f"cell {self.seen + 1:,} runs")
            if self.seen == self.until:
                os._exit(0)
            self.seen += 1
            for number in range(self.tests):
                name = f"tests/test_it.py::test_number_{number}"
                deliver(TestFinished(cell=task.cell.id, test=name, verdict=CaseOutcome.PASSED, duration=0.01))
        super().submit(task, deliver)


def told(what: str) -> None:
    """Print the CPU seconds so far, and the memory."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"{what}: {time.process_time():.2f} CPU s, peak {peak:.0f} MB", file=sys.stderr, flush=True)


def matrix(cells: int, *, shared: bool = False) -> str:
    """Return a configuration with at least so many cells: Pythons and two axes of equal length.

    `shared`: these are variables, so that cells share their environments, and a lock of all is made at once.
    """
    side = math.isqrt(-(-cells // len(PYTHONS)) - 1) + 1
    numbers = ", ".join(f'"1.{number}"' for number in range(side))
    pythons = ", ".join(f'"{python}"' for python in PYTHONS)
    one, other = ("env.A", "env.B") if shared else ("numpy", "six")
    return f'[project]\ninstall = "none"\n[axes]\npython = [{pythons}]\n{one} = [{numbers}]\n{other} = [{numbers}]\n'


def main() -> None:
    """Read the arguments and measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cells", type=int, default=1_000_000)
    parser.add_argument("--whole", action="store_true", help="perform the whole run")
    parser.add_argument("--shared", action="store_true", help="cells of a Python share an environment")
    parser.add_argument("--until", type=int, default=0, help="number of cells after which the run is killed")
    parser.add_argument("--tests", type=int, default=0, help="number of tests of each cell")
    parser.add_argument("--folder", type=Path, help="place of the project; default: a temporary folder")
    parser.add_argument("options", nargs="*", help="options of venvgrid run, after --")
    given = parser.parse_args()
    Watched.step, Watched.tests = max(1, given.cells // 10), given.tests
    Watched.until = -1 if given.whole else given.until
    run.ThreadExecutor = lambda _, slots, __: Watched(execute=FakeWorker().execute, slots=slots)  # type: ignore[assignment,misc]
    journal.sync = lambda _: None  # type: ignore[assignment]  # it costs no CPU
    with tempfile.TemporaryDirectory(prefix="venvgrid-coordinator-") as temporary:
        folder = given.folder or Path(temporary)
        folder.mkdir(exist_ok=True)
        (folder / "matrix.toml").write_text(matrix(given.cells, shared=given.shared), encoding="utf-8")
        os.chdir(folder)
        began = time.process_time()
        try:
            program.main(["run", *given.options])
        except SystemExit:
            pass
        finally:
            took = time.process_time() - began
            told(f"the command, {1000 * took / given.cells:.3f} ms a cell")


if __name__ == "__main__":
    main()
