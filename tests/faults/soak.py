"""Gate: hundreds of cells with random faults finish with exactly one right outcome each: `python tests/faults/soak.py`.

One cell in ten hangs, crashes, floods, leaves daemons, writes into its environment, eats memory, closes its
descriptors, or exits as if all were well. Memory and descriptors of venvgrid are looked at while it runs, and processes
afterwards.
"""

from __future__ import annotations

import argparse
import random
import subprocess
import tempfile
import time
import uuid
from pathlib import Path

import rig

FAULTS = {
    "hang": "timed-out",
    "segfault": "crashed",
    "kill": "crashed",
    "flood": "passed",
    "daemon": "passed",
    "poison": "passed",
    "memory": "crashed",
    "exit0": "failed",
    "closes": "failed",  # pytest itself fails when it closes its log file: without venvgrid too
    "fails": "failed",
    "nothing": "no-tests",
    "stdin": "failed",
}
TEST = """
    import ctypes, os, pathlib, signal, subprocess, sys, time

    FAULT = os.environ["FAULT"].split("-")[0]

    if FAULT != "nothing":
        def test_cell():
            if FAULT == "hang":
                time.sleep(600)
            elif FAULT == "segfault":
                ctypes.string_at(0)
            elif FAULT == "kill":
                os.kill(os.getpid(), signal.SIGKILL)
            elif FAULT == "flood":
                for _ in range(300):
                    sys.__stdout__.write("x" * 100_000)
            elif FAULT == "daemon":
                argv = [sys.executable, "-S", "-c", "import time; time.sleep(600)", os.environ["MARKER"]]
                subprocess.Popen(argv, start_new_session=True)
            elif FAULT == "poison":
                import iniconfig
                with open(iniconfig.__file__, "a") as file:
                    file.write("# poison")
            elif FAULT == "memory":
                data = bytearray(900_000_000)
                time.sleep(600)
            elif FAULT == "exit0":
                os._exit(0)
            elif FAULT == "closes":
                os.closerange(3, 256)
            elif FAULT == "fails":
                assert 0
            elif FAULT == "stdin":
                assert sys.__stdin__.read(1), "no more input"
            else:
                import iniconfig
                assert "poison" not in open(iniconfig.__file__).read()
"""


def matrix(cells: int, seed: int) -> tuple[str, dict[str, str]]:
    """Return a configuration of so many cells, one in ten with a fault, and the right outcome of each."""
    chance = random.Random(seed)
    values = [f"{chance.choice(list(FAULTS)) if number % 10 == 3 else 'fine'}-{number}" for number in range(cells)]
    text = f"""
        [project]
        install = "none"
        [axes]
        python = ["{rig.HERE}"]
        env.FAULT = {values}
        [install]
        requires = ["pytest", "iniconfig"]
        [test]
        command = ["pytest", "-q", "-s", "-p", "no:cacheprovider"]
        timeout = "20s"
        grace-period = "1s"
        memory = "500 MB"
        pass-env = ["MARKER"]
    """
    wanted = {f"py{rig.HERE}-FAULT.{value}": FAULTS.get(value.split("-")[0], "passed") for value in values}
    return text, wanted


def soak(folder: Path, cells: int, seed: int) -> tuple[list[str], str]:
    """Run; return what is wrong, and the measurements."""
    text, wanted = matrix(cells, seed)
    root = rig.project(folder / "project", text, {"test_whole.py": TEST})
    marker = f"venvgrid-soak-{uuid.uuid4().hex}"
    began = time.monotonic()
    started = subprocess.Popen(
        rig.argv("run", "--no-cache"),
        cwd=root,
        env=rig.environment(folder / "cache", MARKER=marker),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    samples: list[tuple[float, int]] = []
    while started.poll() is None:
        try:
            lines = Path(f"/proc/{started.pid}/status").read_text(encoding="ascii").splitlines()
            rss = next(int(line.split()[1]) for line in lines if line.startswith("VmRSS")) / 1024
            samples.append((rss, len(list(Path(f"/proc/{started.pid}/fd").iterdir()))))
        except (OSError, StopIteration):
            break
        time.sleep(0.2)
    started.wait()
    took = time.monotonic() - began
    found = rig.results(root)["cells"]
    wrong = [f"{len(found)} results of {cells}"] if [item["id"] for item in found] != list(wanted) else []
    wrong += [
        f"{item['id']}: {item['outcome']} instead of {wanted[item['id']]}: {item['reason']}"
        for item in found
        if item["outcome"] != wanted.get(item["id"])
    ]
    left = rig.processes(marker)
    wrong += [f"{len(left)} processes left"] if left else []
    early, late = samples[len(samples) // 4 : len(samples) // 2], samples[-len(samples) // 4 :]
    grown = max(rss for rss, _ in late) - max(rss for rss, _ in early) if early and late else 0.0
    files = max(number for _, number in samples)
    wrong += [f"memory grew by {grown:.0f} MiB"] if grown > 10 + cells / 50 else []
    wrong += [f"{files} descriptors"] if files > 100 else []
    wrong += [f"status {started.returncode}"] if started.returncode != 1 else []
    peak = max(rss for rss, _ in samples)
    return wrong, f"{cells} cells in {took:.0f} s, {peak:.0f} MiB at most, grown by {grown:.0f}, {files} descriptors"


def main() -> None:
    """Print the figure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cells", type=int, default=500)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="venvgrid-soak-") as folder:
        wrong, told = soak(Path(folder), arguments.cells, arguments.seed)
    rig.figure(wrong, f"wrong: {told}")


if __name__ == "__main__":
    main()
