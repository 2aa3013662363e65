"""Gate: memory does not grow with what tests print: `python tests/faults/flood.py --megabytes 5000`."""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import rig

MATRIX = f"""
    [project]
    install = "none"
    [axes]
    python = ["{rig.HERE}"]
    env.KIND = ["lines", "one line", "bytes"]
    [test]
    command = ["pytest", "-s", "-p", "no:cacheprovider"]
    pass-env = ["MEGABYTES"]
"""
TEST = """
    import os, sys

    def test_flood():
        kind, each = os.environ["KIND"], int(os.environ["MEGABYTES"]) // 3
        piece = {"lines": b"x" * 99 + b"\\n", "one line": b"y" * 100, "bytes": bytes(range(100, 200))}[kind] * 10000
        for _ in range(each):
            sys.__stdout__.buffer.write(piece)
"""


def peak(folder: Path, megabytes: int) -> tuple[float, int, int]:
    """Return the peak of venvgrid's memory in MiB, its status, and the size of the logs in bytes."""
    root = rig.project(folder / "project", MATRIX, {"test_whole.py": TEST})
    rig.venvgrid(root, folder / "cache", "run", "-q", MEGABYTES="3")
    started = subprocess.Popen(
        rig.argv("run", "--no-cache", "--report", "junit=x.xml", "--report", "json=x.json"),
        cwd=root,
        env=rig.environment(folder / "cache", MEGABYTES=str(megabytes)),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    most = 0
    status = Path(f"/proc/{started.pid}/status")
    while started.poll() is None:
        try:
            lines = status.read_text(encoding="ascii").splitlines()
            most = max([most, *(int(line.split()[1]) for line in lines if line.startswith("VmHWM"))])
        except OSError:
            break
        time.sleep(0.05)
    started.wait()
    logs = max((root / ".venvgrid" / "runs").iterdir()) / "logs"
    return most / 1024, started.returncode, sum(file.stat().st_size for file in logs.iterdir())


def main() -> None:
    """Print the figure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--megabytes", type=int, default=5000)
    arguments = parser.parse_args()
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="venvgrid-flood-") as folder:
        most, status, logs = peak(Path(folder), arguments.megabytes)
    took = time.monotonic() - began
    print(f"{most:.0f} MiB at most with {arguments.megabytes} MB of output, {logs:,} bytes of logs, in {took:.0f} s")
    sys.exit(most > 100 or status != 0)


if __name__ == "__main__":
    main()
