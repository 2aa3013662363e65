"""Helpers of end-to-end and fault tests: commands, results, waiting, and a project that checks its environments."""

from __future__ import annotations

import contextlib
import io
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import textwrap
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import forked

from venvgrid.storage import json_cache

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

HERE = f"{sys.version_info.major}.{sys.version_info.minor}"
# Variables of the test run (pytest, its workers, coverage) are not passed on.
NOT_PASSED = ("PYTEST_", "COVERAGE_", "COV_", "CI", "VIRTUAL_ENV", "VENVGRID_", "PYTHONDONTWRITEBYTECODE")
INTERRUPTED = 130  # the exit status after Ctrl-C
INSTALLER = "VENVGRID_INSTALLER"  # the tests run with the installer that it names, "uv" or "pip"; passed on
LIMIT = 300.0  # seconds of one command or one wait; only a hang takes so long
# Tests that no distribution is missing, and that every file has the content of its RECORD.
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

# A project with and without the hand-made distribution "toy".
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
    """Exit status and output of a command."""

    status: int
    out: str
    err: str


def environment(cache: Path, **more: str) -> dict[str, str]:
    """Return a user's environment variables, with a cache folder."""
    base = {name: value for name, value in os.environ.items() if name == INSTALLER or not name.startswith(NOT_PASSED)}
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


def committed(root: Path) -> Path:
    """Put a folder under version control with all that git does not ignore; return it."""
    git = ("git", "-c", "user.name=n", "-c", "user.email=n@example.org")
    for words in (("init", "-q"), ("add", "-A"), ("commit", "-qm", "x")):
        subprocess.run([*git, *words], cwd=root, check=True)
    return root


def argv(*arguments: str) -> list[str]:
    """Return the command line of venvgrid."""
    return [sys.executable, "-m", "venvgrid", *arguments]


def venvgrid(root: Path, cache: Path, *arguments: str, before: Sequence[str] = (), **more: str) -> Ended:
    """Run venvgrid in a project, under the program `before` if there is one, with more variables."""
    env = environment(cache, **more)
    if forked.WORKS and not before:
        status, *output = forked.run(arguments, root, env, LIMIT)
    else:
        done = subprocess.run(
            [*before, *argv(*arguments)], cwd=root, env=env, capture_output=True, timeout=LIMIT, check=False
        )
        status, *output = done.returncode, done.stdout, done.stderr
    out, err = (io.TextIOWrapper(io.BytesIO(text), "utf-8", "replace").read() for text in output)
    return Ended(status, out, err)


def results(root: Path) -> dict[str, Any]:
    """Read results.json of the last run."""
    last = max((root / ".venvgrid" / "runs").iterdir())
    found: dict[str, Any] = json.loads((last / "results.json").read_text(encoding="utf-8"))
    return found


def build_details(root: Path) -> list[str]:
    """Read what the last run did about the environment of each cell: "built", "reused", "project reinstalled"."""
    text = (max((root / ".venvgrid" / "runs").iterdir()) / "events.jsonl").read_text(encoding="utf-8")
    events = [json.loads(line) for line in text.splitlines()]
    return [item["detail"] for item in events if item["event"] == "StageFinished" and item["stage"] == "build"]


def outcomes(root: Path) -> dict[str, str]:
    """Map the cells of the last run to their outcomes."""
    return {item["id"]: item["outcome"] for item in results(root)["cells"]}


def verdicts(root: Path) -> list[tuple[str, str, dict[str, int]]]:
    """Return cells, outcomes and numbers of tests of the last run: equal in two runs of the same."""
    return [(item["id"], item["outcome"], item["tests"]) for item in results(root)["cells"]]


def wait_for(condition: Callable[[], object], running: subprocess.Popen[Any] | None = None) -> None:
    """Wait until a condition is true; raise AssertionError after LIMIT seconds, or when `running` ended before."""
    deadline = time.monotonic() + LIMIT
    while not condition():
        assert time.monotonic() < deadline, "it never happened"
        assert running is None or running.poll() is None or condition(), "the process ended before"
        time.sleep(0.01)


def processes(marker: str) -> list[int]:
    """Return the other processes with a word in their command line or environment."""
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
    """Print the findings of a gate and its figure; exit with status 1 if there are findings."""
    for line in wrong:
        print(line)
    print(f"{len(wrong)} {told}")
    sys.exit(bool(wrong))


def has(program: str) -> bool:
    """Return whether this machine has a program."""
    return shutil.which(program) is not None


def _works(*argv: str) -> bool:
    return has(argv[0]) and subprocess.run(argv, capture_output=True, check=False).returncode == 0


def may_trace() -> bool:
    """Return whether strace works here."""
    return _works("strace", "-f", "-o", os.devnull, "true")


def may_mount() -> bool:
    """Return whether a file system in memory can be mounted here; many containers refuse."""
    return sys.platform == "linux" and _works("unshare", "-m", "mount", "-t", "tmpfs", "none", tempfile.gettempdir())


def may_loop() -> bool:
    """Return whether a disk image can be made and mounted here."""
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
    """Return whether a command can be run without a network."""
    return sys.platform == "linux" and _works("unshare", "-n", "true")


def answers(root: Path) -> set[str]:
    """Return the worlds whose answers the investigations of a project remember."""
    found = set()
    for file in (root / ".venvgrid" / "investigations").glob("*.json"):
        with contextlib.suppress(ValueError):
            found |= {f"{file.name} {name}" for name in json_cache.load(file).get("results", {})}
    return found


def interrupted(argv: Sequence[str], root: Path, env: Mapping[str, str], *, after: int) -> set[str]:
    """Send Ctrl-C to a command that probes when it knows `after` answers; return those that it left."""
    with subprocess.Popen(argv, cwd=root, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as first:
        wait_for(lambda: len(answers(root)) >= after, first)
        first.send_signal(signal.SIGINT)
        assert first.wait() == INTERRUPTED
    return answers(root)
