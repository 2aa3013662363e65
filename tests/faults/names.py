"""Gate: no name leads out of its place: `python tests/faults/names.py --names 100000`.

Fuzzed names and paths go through everything that makes a path of them: members of wheels (RECORD), values of axes and
cells, names of projects, runs and logs. Some of them are also put into real environments and kept in a real cache.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import os
import posixpath
import random
import re
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath, PureWindowsPath

from venvgrid import testing
from venvgrid.config import loading
from venvgrid.environments.package_cache import record
from venvgrid.environments.package_cache.cache import PackageCache
from venvgrid.environments.package_cache.ingest import add_installed
from venvgrid.model import Axis, AxisKind, CellResult, ConfigError, Distribution, Outcome
from venvgrid.planning.cell_ids import cell_id
from venvgrid.results import run_folders
from venvgrid.storage import directories

PIECES = [
    *(
        "..",
        ".",
        "",
        "a",
        "toy",
        "x.py",
        "bin",
        "site-packages",
        "con",
        "aux.txt",
        "nul",
        "C:",
        "c:x",
        "\\",
        "..\\",
        "/",
    ),
    *(
        "\0",
        "\n",
        "\r",
        "\x1b[2J",
        "%2e%2e",
        "~",
        "$(x)",
        "`x`",
        "; touch x",
        "|",
        "é",
        "\u202e",
        "\ud800",
        "ﬁ",
        "a" * 300,
    ),
    *(" ", "-", "--index-url", "*", "?", "<", ">", '"', "'", "COM1", ".pyc", "....", "…", "//", "\\\\host\\x", "@"),
]
SAFE_ID = re.compile(r"[A-Za-z0-9._-]{1,80}")


def name(chance: random.Random) -> str:
    """Make a name of a few pieces."""
    separators = ["/", "\\", "", "/../", ":"]
    parts = [chance.choice(PIECES) for _ in range(chance.randrange(1, 7))]
    return "".join(part + chance.choice(separators) for part in parts)


def wrong_with(text: str, folder: Path) -> list[str]:
    """Return the functions that a name escapes."""
    found = []
    if record.is_inside(text) and not _is_below(text):
        found.append(f"is_inside {text!r}")
    for depth in (1, 3, 4):
        path = record.below_environment(text, depth)
        if path and not _is_below(path):
            found.append(f"below_environment {text!r} at {depth}: {path!r}")
    if not SAFE_ID.fullmatch(directories.file_name(text)):
        found.append(f"file_name {text!r}: {directories.file_name(text)!r}")
    axes = (
        Axis(name="python", kind=AxisKind.PYTHON, values=("3.12",)),
        Axis(name="env.X", kind=AxisKind.VARIABLE, values=(text,)),
    )
    made = cell_id(axes, {"python": "3.12", "env.X": text})
    if not SAFE_ID.fullmatch(made) or made.startswith("."):
        found.append(f"cell_id {text!r}: {made!r}")
    for section in (
        f"[axes]\nenv.X = [{_toml(text)}]\n",
        f"[axes]\n{_toml(text)} = ['1']\n",
        f"[grid.{_toml(text)}]\n",
    ):
        try:
            loaded = loading.parse(section, file=folder / "matrix.toml", running="3.12")
        except ConfigError:
            continue
        ids = [cell_id(loaded.axes, {axis.name: axis.values[0] for axis in loaded.axes}, loaded.grid)]
        found += [f"configured {text!r}: {item!r}" for item in ids if not SAFE_ID.fullmatch(item)]
    run = run_folders.find(folder, text)
    if run is not None and run.path.parent != folder / "runs":
        found.append(f"run {text!r}")
    return found


def _is_below(path: str) -> bool:
    """Return whether a relative path stays below its start, on every system."""
    posix, windows = PurePosixPath(path), PureWindowsPath(path)
    if posix.is_absolute() or windows.is_absolute() or windows.drive or windows.root or "\0" in path:
        return False
    return posixpath.normpath(path).split("/")[0] != ".." and ".." not in windows.parts


def _toml(text: str) -> str:
    escaped = "".join(f"\\u{ord(c):04x}" if ord(c) < 0x10000 else f"\\U{ord(c):08x}" for c in text)
    return f'"{escaped}"'


def kept(folder: Path, names: list[str]) -> list[str]:
    """Add a distribution whose RECORD has these names to a cache; return what was written outside of it."""
    environment = folder / "environment"
    site = environment / "lib/python3.12/site-packages"
    info = site / "toy-1.0.dist-info"
    info.mkdir(parents=True, exist_ok=True)
    (environment / "bin").mkdir(exist_ok=True)
    (environment / "bin/x").write_bytes(b"data")
    (site / "toy.py").write_bytes(b"x = 1\n")
    digest = base64.urlsafe_b64encode(hashlib.sha256(b"x = 1\n").digest()).rstrip(b"=").decode()
    rows = ["toy.py,sha256=" + digest + ",6", "../../../bin/x,,4"]
    rows += ['"' + text.replace('"', '""') + '",,' for text in names]
    (info / "RECORD").write_text("\n".join(rows) + "\n", encoding="utf-8", errors="surrogatepass")
    (folder / "victim").write_bytes(b"mine")
    cache = folder / "cache" / "trees"
    before = _listing(folder, cache.parent)
    distribution = Distribution(name="toy", version="1.0", hashes=("sha256:" + "0" * 64,))
    add_installed(
        PackageCache(folder=cache), environment, site, environment / "bin/python", testing.interpreter(), [distribution]
    )
    after = _listing(folder, cache.parent)
    return [f"{names!r}: {sorted(before ^ after)[:5]}"] if before != after else []


def _listing(folder: Path, but: Path) -> set[tuple[str, int]]:
    """Return the files below a folder and their sizes, without those below `but`."""
    found = set()
    for place, folders, files in os.walk(folder):
        folders[:] = [item for item in folders if Path(place, item) != but]
        found |= {(f"{place}/{item}", os.lstat(f"{place}/{item}").st_size) for item in files}
    return found


def logs(folder: Path, names: list[str]) -> list[str]:
    """Read logs by the names in a foreign results file; return those that were read from outside."""
    run = run_folders.create(folder / "other", now=datetime.now(UTC))
    (folder / "secret.log").write_text("secret", encoding="utf-8")
    found = []
    for text in [*names, "../../../secret.log", str(folder / "secret.log"), "logs/../../../../secret.log"]:
        result = CellResult(id="py3.12", axes={"python": "3.12"}, outcome=Outcome.FAILED, log=text)
        if "secret" in run.read_log(result):
            found.append(f"log {text!r}")
    return found


def sweep(names: int, seed: int = 0) -> list[str]:
    """Return what is wrong with so many names."""
    chance = random.Random(seed)
    wrong: list[str] = []
    with tempfile.TemporaryDirectory(prefix="venvgrid-names-") as temporary:
        folder = Path(temporary)
        some = []
        for _ in range(names):
            text = name(chance)
            wrong += wrong_with(text, folder)
            some.append(text)
        for number in range(0, min(len(some), 3000), 10):
            wrong += kept(folder / "kept", some[number : number + chance.randrange(1, 4)])
        wrong += logs(folder, some[:2000])
    return wrong


def main() -> None:
    """Print the figure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--names", type=int, default=100_000)
    arguments = parser.parse_args()
    wrong = sweep(arguments.names)
    for line in wrong[:50]:
        print(ascii(line)[:200])
    print(f"{len(wrong)} outside of its place, of {arguments.names} names and paths")
    sys.exit(bool(wrong))


if __name__ == "__main__":
    main()
