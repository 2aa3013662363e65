"""Gate: a power cut leaves no damage that is not noticed: `python tests/faults/powercut.py --cuts 100` (root, Linux).

Project and cache are on a file system in a file. The file is copied while runs go on: a copy is what a disk holds when
the power fails. Each copy is mounted, and a run there must have the verdicts of a clean one.
"""

from __future__ import annotations

import argparse
import random
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import rig

if TYPE_CHECKING:
    from collections.abc import Iterator

SIZE = 192  # MiB


def sh(*argv: str) -> None:
    """Run a command that has to work."""
    subprocess.run(argv, check=True, capture_output=True)


@contextmanager
def mounted(image: Path, place: Path, options: str = "loop") -> Iterator[Path]:
    """Mount a file system."""
    place.mkdir(parents=True, exist_ok=True)
    sh("mount", "-o", options, str(image), str(place))
    try:
        yield place
    finally:
        sh("umount", "-l", str(place))


def cut(folder: Path, seed: int, expected: list[tuple[str, str, dict[str, int]]], longest: float) -> str:
    """Cut the power of a run within `longest` seconds; return what is wrong afterwards."""
    chance = random.Random(seed)
    image, copy = folder / "disk.img", folder / "cut.img"
    sh("truncate", "-s", f"{SIZE}M", str(image))
    sh("mkfs.ext4", "-q", "-F", str(image))
    wait = chance.uniform(0.1, 0.9) * longest
    with mounted(image, folder / "disk", "loop,commit=300") as disk:
        root = rig.project(disk / "project")
        sh("sync", "-f", str(disk))
        if seed % 2:  # a second run, over what a first one has left
            rig.venvgrid(root, disk / "cache", "run", "-q", "--no-cache")
            (root / "matrix.toml").write_text((root / "matrix.toml").read_text().replace("24.0", "24.1"))
        started = subprocess.Popen(
            rig.argv("run", "-q", "--no-cache"),
            cwd=root,
            env=rig.environment(disk / "cache"),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        with suppress(subprocess.TimeoutExpired):
            started.wait(wait)
        sh("cp", "--sparse=always", str(image), str(copy))
        started.wait()
    with mounted(copy, folder / "after") as disk:
        root = disk / "project"
        again = rig.venvgrid(root, disk / "cache", "run", "-q", "--no-cache")
        if again.status != 0:
            return f"seed {seed}, cut after {wait:.2f} s: status {again.status}: {again.out[-600:]}{again.err[-600:]}"
        found = [item[1:] for item in rig.verdicts(root)]
    image.unlink()
    copy.unlink()
    return "" if found == [item[1:] for item in expected] else f"seed {seed}, cut after {wait:.2f} s: {found}"


def sweep(cuts: int, *, say: bool = False) -> list[str]:
    """Return what was wrong after so many cuts."""
    wrong = []
    with tempfile.TemporaryDirectory(prefix="venvgrid-cut-") as temporary:
        folder = Path(temporary)
        root = rig.project(folder / "clean" / "project")
        began = time.monotonic()
        rig.venvgrid(root, folder / "clean" / "cache", "run", "-q", "--no-cache")
        longest = time.monotonic() - began
        expected = rig.verdicts(root)
        for seed in range(cuts):
            found = cut(folder, seed, expected, longest)
            wrong += [found] if found else []
            if say:
                sys.stderr.write(f"{seed} {found or 'whole'}\n")
    return wrong


def main() -> None:
    """Print the figure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cuts", type=int, default=100)
    arguments = parser.parse_args()
    if not rig.may_loop():
        sys.exit("this needs root, and Linux")
    wrong = sweep(arguments.cuts, say=True)
    rig.figure(wrong, f"undetected damages in {arguments.cuts} power cuts")


if __name__ == "__main__":
    main()
