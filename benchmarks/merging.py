"""How long `venvgrid merge` and `gate` take, and their memory, with many cells: records are made, then merged twice.

    python benchmarks/merging.py --cells 100000 --shards 100

The records are those of a plan whose cells all passed, but for one in a thousand. They are packed, as artifacts are.
"""

from __future__ import annotations

import argparse
import filecmp
import json
import os
import shutil
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

from venvgrid.analysis import document
from venvgrid.model import (
    Attestation,
    Cell,
    CellFinished,
    CellResult,
    Failure,
    Interpreter,
    Outcome,
    Plan,
    PlannedCell,
    RunFinished,
    RunStarted,
    Status,
)
from venvgrid.model.shard import Shard
from venvgrid.results import journal, plan_file, records
from venvgrid.results.report import build_report

PYTHONS = [f"3.{minor}" for minor in range(9, 14)]
PACKAGES = ("iniconfig", "packaging", "pluggy", "pygments", "pytest", "six", "attrs", "idna", "certifi", "urllib3")
MADE = (records.EVENTS, records.RESULTS)
RED_EVERY = 1000
FAILURE = Failure(test="tests/test_a.py::test_b", kind="ValueError", message="bad", signature="ValueError: bad")


def result(cell: Cell, number: int) -> CellResult:
    """Return the result of a cell: red for some."""
    python = cell.axes["python"]
    is_red = number % RED_EVERY == 0
    pinned = {name: f"{cell.axes[name]}.0" for name in PACKAGES if name in cell.axes}
    return CellResult(
        id=cell.id,
        axes=cell.axes,
        outcome=Outcome.FAILED if is_red else Outcome.PASSED,
        reason="1 failed of 40" if is_red else "",
        attempts=1,
        interpreter=Interpreter(
            executable=f"/opt/python/{python}/bin/python",
            version=f"{python}.1",
            implementation="cpython",
            free_threaded=False,
            debug=False,
            bits=64,
            platform="linux-x86_64",
            cache_tag="",
            markers={"python_version": python},
            source="PATH",
        ),
        packages={
            name: pinned.get(name, f"{1 + number % 2000 % (7 + index)}.{index}") for index, name in enumerate(PACKAGES)
        },
        durations={"resolve": 0.0, "build": 0.2, "test": 1.0 + number % 13},
        tests={"passed": 39, "failed": 1} if is_red else {"passed": 40},
        failures=(FAILURE,) if is_red else (),
        attested=Attestation(
            python=f"cpython {python}.1 /e/bin/python", packages=pinned, project_origin="/e/p.py", collected=40
        ),
        log=f"logs/{cell.id}.log",
    )


def _cell(number: int) -> Cell:
    a, b, c = number // 5 % 20, number // 100 % 20, number // 2000
    python = PYTHONS[number % 5]
    axes = {"python": python, "six": str(a), "attrs": str(b), "env.C": str(c)}
    return Cell(id=f"py{python}-six{a}-attrs{b}-C.{c}", axes=axes)


def make(folder: Path, count: int, shards: int) -> None:
    """Write plan.json and the records of all shards."""
    cells = [_cell(number) for number in range(count)]
    plan = Plan(cells=tuple(PlannedCell(cell=cell, status=Status.RUNNABLE) for cell in cells))
    made = plan_file.PlanFile(
        plan=plan,
        venvgrid="0.1.0",
        project="p",
        project_version="1.0",
        config="matrix.toml",
        grid="",
        config_digest="d",
        inputs_digest="i",
        commit="c" * 40,
        lock="",
        seconds={cell.id: 1.0 for cell in cells},
    )
    (folder / "plan.json").write_text(made.render({"strategy": {"name": "full"}}), encoding="utf-8")
    plan_read = plan_file.read(folder / "plan.json")
    for index in range(shards):
        mine = cells[index::shards]
        started = RunStarted(
            run=f"20260101-120000-{index:04x}",
            time="2026-01-01T12:00:00+00:00",
            venvgrid="0.1.0",
            config="matrix.toml",
            config_digest="d",
            project="p",
            project_version="1.0",
            plan=Plan(cells=tuple(PlannedCell(cell=cell, status=Status.RUNNABLE) for cell in mine)),
        )
        results = [result(cell, index + shards * number) for number, cell in enumerate(mine)]
        events = [started, *(CellFinished(result=item, at=1.0) for item in results), RunFinished(exit_status=1, at=2.0)]
        place = folder / "made"
        (place / "logs").mkdir(parents=True, exist_ok=True)
        (place / records.EVENTS).write_bytes(b"".join(map(journal.encode, events)))
        finished = replace(build_report(events), finished=True)
        (place / records.RESULTS).write_text(json.dumps(document.to_results(finished), indent=1), encoding="utf-8")
        for item in results:
            (place / item.log).write_text(f"{item.id}: 40 tests\n", encoding="utf-8")
        header = records.Header(
            plan=plan_read.digest,
            commit="c" * 40,
            shard=Shard(index + 1, shards),
            attempt=1,
            began=started.time,
            cells=tuple(cell.id for cell in mine),
        )
        records.seal(place, plan_read, header)
        records.pack(place, folder / f"shard-{index:03}.record")
        shutil.rmtree(place)


def measured(*words: str, cwd: Path) -> tuple[int, float, float, float]:
    """Run venvgrid; return its exit status, seconds, seconds of CPU, and MB of memory."""
    began = time.monotonic()
    with Path(os.devnull).open("w") as nothing:
        argv = [sys.executable, "-m", "venvgrid", *words]
        child = os.posix_spawn(
            sys.executable,
            argv,
            {**os.environ, "PWD": str(cwd)},
            file_actions=[(os.POSIX_SPAWN_DUP2, nothing.fileno(), 1), (os.POSIX_SPAWN_DUP2, nothing.fileno(), 2)],
        )
        _, status, used = os.wait4(child, 0)
    unit = 1 if sys.platform == "darwin" else 1024
    took = time.monotonic() - began
    return os.waitstatus_to_exitcode(status), took, used.ru_utime + used.ru_stime, used.ru_maxrss * unit / 1e6


def main() -> None:
    """Print what was measured."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cells", type=int, default=100_000)
    parser.add_argument("--shards", type=int, default=100)
    parser.add_argument("--keep", type=Path, help="a folder for the records; they are made if it is not there")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="venvgrid-merging-") as temporary:
        folder = arguments.keep or Path(temporary, "records")
        if not folder.exists():
            folder.mkdir(parents=True)
            make(folder, arguments.cells, arguments.shards)
        merged = [Path(temporary, name) for name in ("one", "two")]
        plan = folder / "plan.json"
        print("| command | status | seconds | CPU seconds | memory |")
        print("|---|---|---|---|---|")
        for target in merged:
            told = measured("merge", str(folder), "--plan", str(plan), "-o", str(target), cwd=folder)
            print(f"| merge | {told[0]} | {told[1]:.1f} | {told[2]:.1f} | {told[3]:.0f} MB |")
        told = measured("gate", str(plan), str(folder), cwd=folder)
        print(f"| gate | {told[0]} | {told[1]:.1f} | {told[2]:.1f} | {told[3]:.0f} MB |")
        same = all(filecmp.cmp(merged[0] / name, merged[1] / name, shallow=False) for name in MADE)
        print(f"\nThe two merged folders are {'equal' if same else 'NOT equal'}.")
        cells = json.loads((merged[0] / records.RESULTS).read_bytes())["cells"]
        found, made = sum(cell["outcome"] == Outcome.FAILED for cell in cells), -(-len(cells) // RED_EVERY)
        if found != made:  # cells that contradict their records are red, and their logs are kept: that is slower
            sys.exit(f"{found} cells are red, but {made} were made red")


if __name__ == "__main__":
    main()
