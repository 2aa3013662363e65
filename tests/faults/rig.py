"""What the fault tests share: a small project whose tests check their own environment, and ways to end a run badly."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import textwrap
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

HERE = f"{sys.version_info.major}.{sys.version_info.minor}"
NOT_PASSED = ("PYTEST_", "COVERAGE_", "COV_", "CI", "VIRTUAL_ENV", "VENVGRID_", "PYTHONDONTWRITEBYTECODE")
LIMIT = 300.0  # seconds of one command; nothing that works takes so long
# Every file of every distribution is there, with the content that its RECORD says, and no distribution is missing.
WHOLE = """
    import base64, csv, hashlib, os, pathlib, sys

    SITE = pathlib.Path(next(p for p in sys.path if p.endswith("site-packages")))


    def test_whole():
        infos = sorted(SITE.glob("*.dist-info"))
        assert [i.name.split("-")[0].lower() for i in infos] == os.environ["EXPECTED"].split(), infos
        for info in infos:
            rows = list(csv.reader((info / "RECORD").read_text().splitlines()))
            assert len(rows) > 3
            for name, digest, size in rows:
                data = (SITE / name).read_bytes()
                if digest:
                    kind, _, wanted = digest.partition("=")
                    found = base64.urlsafe_b64encode(hashlib.new(kind, data).digest()).rstrip(b"=").decode()
                    assert (name, found) == (name, wanted)


    def test_imports():
        import iniconfig, packaging.version, pluggy, pytest
"""
MATRIX = f"""
    [project]
    install = "none"
    [axes]
    python = ["{HERE}"]
    packaging = ["23.2", "24.0"]
    [install]
    requires = ["pytest==8.4.2"]
    [test]
    command = ["pytest", "-q", "-p", "no:cacheprovider"]
    env = {{ EXPECTED = "iniconfig packaging pluggy pygments pytest" }}
"""

# A project that a hand-made distribution "toy" is installed for, or not.
TOY_MATRIX = f"""
    [project]
    install = "none"
    [axes]
    python = ["{HERE}"]
    toy = ["1.0", "absent"]
    [test]
    command = ["pytest", "-q", "-p", "no:cacheprovider"]
"""
TOY_TEST = {"test_whole.py": "def test_it():\n    pass\n"}


@dataclass(frozen=True)
class Ended:
    """How a command ended."""

    status: int
    out: str
    err: str


def environment(cache: Path, **more: str) -> dict[str, str]:
    """Give a user's environment, with a cache of its own."""
    base = {name: value for name, value in os.environ.items() if not name.startswith(NOT_PASSED)}
    return {**base, "VENVGRID_CACHE_DIR": str(cache), **more}


def project(root: Path, matrix: str = MATRIX, files: Mapping[str, str] | None = None) -> Path:
    """Write a project whose tests check their environment; files replace its own."""
    shutil.rmtree(root, ignore_errors=True)
    for name, text in {
        "test_whole.py": WHOLE,
        "matrix.toml": matrix,
        "pytest.ini": "[pytest]\n",
        **(files or {}),
    }.items():
        file = root / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(textwrap.dedent(text), encoding="utf-8")
    return root


def argv(*arguments: str) -> list[str]:
    """Give the command line of venvgrid."""
    return [sys.executable, "-m", "venvgrid", *arguments]


def venvgrid(root: Path, cache: Path, *arguments: str, before: Sequence[str] = (), **more: str) -> Ended:
    """Run venvgrid in a project, maybe under another program, and say how it ended."""
    done = subprocess.run(
        [*before, *argv(*arguments)],
        cwd=root,
        env=environment(cache, **more),
        capture_output=True,
        text=True,
        encoding="utf-8",
        errors="replace",
        timeout=LIMIT,
        check=False,
    )
    return Ended(done.returncode, done.stdout, done.stderr)


def results(root: Path) -> dict[str, Any]:
    """Read results.json of the last run."""
    last = max((root / ".venvgrid" / "runs").iterdir())
    found: dict[str, Any] = json.loads((last / "results.json").read_text(encoding="utf-8"))
    return found


def outcomes(root: Path) -> dict[str, str]:
    """Map the cells of the last run to their outcomes."""
    return {item["id"]: item["outcome"] for item in results(root)["cells"]}


def verdicts(root: Path) -> list[tuple[str, str, dict[str, int]]]:
    """Give what two runs must have in common: cells, outcomes, numbers of tests."""
    return [(item["id"], item["outcome"], item["tests"]) for item in results(root)["cells"]]


def processes(marker: str) -> list[int]:
    """Give the processes that have a word in their command line or environment, but for this one."""
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        try:
            data = (entry / "cmdline").read_bytes() + b"\0" + (entry / "environ").read_bytes()
            state = (entry / "stat").read_text().rpartition(")")[2].split()[0]
        except OSError:
            continue
        if marker.encode() in data and state != "Z":
            found.append(int(entry.name))
    return found


def figure(wrong: Sequence[str], told: str) -> NoReturn:
    """Print what a gate found wrong and its figure, and end with status 1 if there was anything."""
    for line in wrong:
        print(line)
    print(f"{len(wrong)} {told}")
    sys.exit(bool(wrong))


def has(program: str) -> bool:
    """Whether this machine has a program."""
    return shutil.which(program) is not None


def _works(*argv: str) -> bool:
    return has(argv[0]) and subprocess.run(argv, capture_output=True, check=False).returncode == 0


def may_trace() -> bool:
    """Whether strace works here."""
    return _works("strace", "-f", "-o", os.devnull, "true")


def may_mount() -> bool:
    """Whether a file system in memory can be mounted here: containers often refuse."""
    return sys.platform == "linux" and _works("unshare", "-m", "mount", "-t", "tmpfs", "none", tempfile.gettempdir())


def may_loop() -> bool:
    """Whether the image of a disk can be made and mounted here."""
    if not (may_mount() and has("mkfs.ext4")):
        return False
    with tempfile.TemporaryDirectory(prefix="venvgrid-") as folder:
        image = Path(folder, "image")
        with image.open("wb") as file:
            file.truncate(8 * 2**20)
        return _works("mkfs.ext4", "-q", "-F", str(image)) and _works(
            "unshare", "-m", "mount", "-o", "loop", str(image), folder
        )


def may_cut_off() -> bool:
    """Whether a command can be run without any network."""
    return sys.platform == "linux" and _works("unshare", "-n", "true")
