"""What the rehearsals of all vendors share: a machine for each job, with venvgrid on it, and what became of the job."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import rig

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

SERVICES = ("GITHUB_", "GITLAB_", "CI_", "BUILDKITE", "SYSTEM_", "BUILD_", "AGENT_", "RUNNER_", "TF_BUILD")
# `python -m pip install 'venvgrid[uv]==…'` is noted, and means the venvgrid of these tests; the rest is real.
PYTHON = """#!/bin/sh
case "$*" in
"-m pip install "*) shift 3; echo "$@" >> '{installed}' ;;
"-m venv "*) mkdir -p "$3/bin"; : > "$3/bin/activate" ;;
*) exec '{python}' "$@" ;;
esac
"""
VENVGRID = "#!/bin/sh\nexec '{python}' -m venvgrid \"$@\"\n"


class WrongPipelineError(Exception):
    """The pipeline asks for something that the vendor refuses, or that the rehearsal does not know."""


def head(repository: Path) -> str:
    """Return the commit that a repository is at."""
    command = ["git", "-C", str(repository), "rev-parse", "HEAD"]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


@dataclass
class Job:
    """What became of a job: `result` is "success", "failure", "cancelled" or "skipped"."""

    name: str
    result: str = "success"
    outputs: dict[str, str] = field(default_factory=dict)
    log: str = ""
    summary: str = ""


@dataclass
class Rehearsal:
    """A run of a pipeline, started again for the jobs that did not pass. A job in `lost` never runs.

    `facts` are what the vendor says of the commit and the event.
    """

    text: str
    repository: Path
    cache: Path
    folder: Path
    facts: dict[str, str]
    lost: set[str] = field(default_factory=set)
    jobs: dict[str, Job] = field(default_factory=dict)
    attempt: int = 0

    def has_passed(self, title: str) -> bool:
        """Return whether a job passed in an earlier attempt."""
        return title in self.jobs and self.jobs[title].result == "success"


@dataclass
class Machine:
    """A fresh machine of a vendor: folders of its own, the tests' cache, and a search path with venvgrid on it."""

    folder: Path
    repository: Path
    cache: Path
    variables: Mapping[str, str]

    def __post_init__(self) -> None:
        """Make the folders and programs."""
        shutil.rmtree(self.folder, ignore_errors=True)
        self.temp, self.work, programs = self.folder / "temp", self.folder / "work", self.folder / "bin"
        for place in (self.temp, programs):
            place.mkdir(parents=True)
        facts = {"installed": self.folder / "installed", "python": sys.executable}
        for name, text in {"python": PYTHON, "python3": PYTHON, "venvgrid": VENVGRID}.items():
            self.program(name, text.format(**facts))

    def program(self, name: str, text: str) -> None:
        """Put a script on the machine's search path."""
        file = self.folder / "bin" / name
        file.write_text(text, encoding="utf-8")
        file.chmod(file.stat().st_mode | stat.S_IXUSR)

    @property
    def installed(self) -> list[str]:
        """The requirements that steps installed."""
        file = self.folder / "installed"
        return file.read_text(encoding="utf-8").splitlines() if file.exists() else []

    def check_out(self, depth: int = 1) -> None:
        """Clone the repository; a depth of 0 is all of the history."""
        shallow = [f"--depth={depth}"] if depth else []
        address = f"file://{self.repository}"
        subprocess.run(["git", "clone", "-q", *shallow, address, str(self.work)], check=True, capture_output=True)

    def run(self, script: str, *shell: str, **more: str) -> tuple[int, str]:
        """Run a script in a shell; return its status and what it printed."""
        self.work.mkdir(exist_ok=True)
        file = self.temp / "step.sh"
        file.write_text(script, encoding="utf-8")
        base = rig.environment(self.cache, **self.variables, **more, CI="true", TMPDIR=str(self.temp))
        known = {name: value for name, value in base.items() if name in self.variables or name in more or fits(name)}
        known["PATH"] = f"{self.folder / 'bin'}{os.pathsep}{base['PATH']}"
        done = subprocess.run(
            [*shell, str(file)],
            cwd=self.work,
            env=known,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            text=True,
            encoding="utf-8",
            timeout=rig.LIMIT,
            check=False,
        )
        return done.returncode, done.stdout


def fits(name: str) -> bool:
    """Whether a variable of this process is none of a CI service that the tests themselves run in."""
    return not name.startswith(SERVICES)


def copy(files: Mapping[str, Path], target: Path) -> None:
    """Copy files into a folder, each to its relative path."""
    for name, source in files.items():
        place = target / name
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(source, place)


def below(folder: Path, *, hidden: bool) -> dict[str, Path]:
    """Return the files below a folder by their relative paths; hidden ones only if asked for."""
    found = {path.relative_to(folder).as_posix(): path for path in sorted(folder.rglob("*")) if path.is_file()}
    return {name: path for name, path in found.items() if hidden or not any(p[:1] == "." for p in name.split("/"))}
