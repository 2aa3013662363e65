"""What a probe costs, and what slots gain: `venvgrid bisect` with one version at once and with four.

    python benchmarks/slots.py

The package has 40 releases, wheels that are made here; the test waits, so that few CPUs do not decide what slots gain.
Each run begins with a warm cache and without what an investigation knows. The releases that are tried are counted, too:
rounds say what slots gain where tests wait for nothing and each slot has a CPU.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import zipfile
from pathlib import Path

from venvgrid.analysis.search.protocol import Observation, Probe, Verdict
from venvgrid.analysis.search.releases import boundary

PROJECT = """\
[build-system]
requires = ["flit_core>=3.4"]
build-backend = "flit_core.buildapi"

[project]
name = "broken-by-thing"
version = "1.0"
description = "A project that a release broke."
dependencies = ["slots-thing"]
"""
MATRIX = """\
[axes]
python = ["{python}"]

[install]
requires = ["pytest"]
"""
TEST = """\
import time

import broken_by_thing
import slots_thing


def test_it():
    time.sleep({wait})
    assert slots_thing.NUMBER < {bad}
"""
RELEASES = 40


def wheel(folder: Path, number: int) -> str:
    """Write the wheel of a release, and return its version."""
    version = f"{1 + number // 10}.{number % 10}"
    info = f"slots_thing-{version}.dist-info"
    files = {
        "slots_thing.py": f"NUMBER = {number}\n",
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: slots-thing\nVersion: {version}\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: slots\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = "".join(f"{name},,\n" for name in (*files, f"{info}/RECORD"))
    with zipfile.ZipFile(folder / f"slots_thing-{version}-py3-none-any.whl", "w") as archive:
        for name, text in {**files, f"{info}/RECORD": record}.items():
            archive.writestr(name, text)
    return version


def project(place: Path, python: str, wait: float, bad: int) -> list[str]:
    """Write the project and the wheels; return the releases."""
    wheels = place / "wheels"
    wheels.mkdir()
    versions = [wheel(wheels, number) for number in range(RELEASES)]
    (place / "pyproject.toml").write_text(PROJECT, encoding="utf-8")
    (place / "broken_by_thing.py").write_text('"""A project that a release broke."""\n', encoding="utf-8")
    (place / "matrix.toml").write_text(MATRIX.format(python=python), encoding="utf-8")
    (place / "test_it.py").write_text(TEST.format(wait=wait, bad=bad), encoding="utf-8")
    return versions


def bisect(place: Path, versions: list[str], slots: int) -> dict:
    """Return the answer of `venvgrid bisect`, with nothing known of an earlier one."""
    shutil.rmtree(place / ".venvgrid", ignore_errors=True)
    environ = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    ends = [versions[0], versions[-1]]
    command = [sys.executable, "-m", "venvgrid", "bisect", "slots-thing", *ends, "--wheel", str(place / "wheels")]
    command += ["-j", str(slots), "--json", "-q"]
    began = time.monotonic()
    done = subprocess.run(command, cwd=place, env=environ, capture_output=True, text=True, check=False)
    if not done.stdout:
        sys.exit(done.stderr)
    return {**json.loads(done.stdout), "seconds": time.monotonic() - began}


def rounds(versions: list[str], slots: int) -> float:
    """Return the mean number of rounds over all releases that may be the first bad one; the ends take two more."""
    found = []
    for bad in range(1, len(versions)):
        places = {version: place for place, version in enumerate(versions)}
        search, count = boundary(versions, lambda version: Probe(pins=(("slots-thing", version),)), slots), 0
        try:
            batch = next(search)
            while True:
                count += 1
                seen = [places[probe.pins[0][1]] for probe in batch]
                batch = search.send([Observation(verdict=Verdict.BAD if at >= bad else Verdict.GOOD) for at in seen])
        except StopIteration:
            found.append(count)
    return statistics.mean(found)


def main() -> None:
    """Print what was measured."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--python", default=f"{sys.version_info.major}.{sys.version_info.minor}")
    parser.add_argument("--wait", type=float, default=5.0, help="seconds that the test takes")
    parser.add_argument("--bad", type=int, default=27, help="number of the first bad release")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        versions = project(place, options.python, options.wait, options.bad)
        bisect(place, versions, 4)  # warms the cache
        found = {slots: bisect(place, versions, slots) for slots in (1, 4)}
    print("| slots | answer | tests | seconds | rounds, mean |\n|--:|---|--:|--:|--:|")
    for slots, item in found.items():
        mean = rounds(versions, slots)
        print(f"| {slots} | {item['bad']} | {item['runs']} | {item['seconds']:.1f} | {mean:.1f} |")
    one, four = found[1], found[4]
    print(f"\nfour slots are {one['seconds'] / four['seconds']:.2f} times as fast as one")
    print(f"a probe costs {one['seconds'] / one['runs'] - options.wait:.2f} s and its tests")
    print(f"{len(versions)} releases: log2 is {math.log2(len(versions)):.1f}")


if __name__ == "__main__":
    main()
