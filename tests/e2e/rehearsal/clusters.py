"""Slurm and Kubernetes, as far as the files of `examples/` need them: their jobs are local processes.

Slurm, `man sbatch`: a script runs in a copy of its own, in the folder in which it was submitted, with the variables of
the submission (`--export=ALL`) and those of the array. A task that was requeued has SLURM_RESTART_COUNT.
Kubernetes, "Indexed Job": the pod of each index gets JOB_COMPLETION_INDEX, from 0, and runs `command` with `env`.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import rig
import yaml

from rehearsal.machine import Machine, WrongPipelineError, fits

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

SBATCH = """#!/bin/sh
number=$(ls '{jobs}' | wc -l)
{{ pwd; printf '%s\\n' "$@"; }} > '{jobs}/'"$number"
env -0 > '{jobs}/../environment'
echo "$((1000 + number));cluster"
"""
SCONTROL = "#!/bin/sh\necho \"$@\" >> '{requeued}'\n"
DIRECTIVES = {"job-name", "cpus-per-task", "mem", "time", "requeue", "open-mode", "signal"}
OPTIONS = {"parsable", "array", "output", "dependency"}


@dataclass
class Started:
    """A job that runs: what it prints goes into a file."""

    process: subprocess.Popen[bytes]
    output: Path

    def end(self) -> tuple[int, str]:
        """Wait for the job; return its status and what it printed."""
        status = self.process.wait(timeout=rig.LIMIT)
        return status, self.output.read_text(encoding="utf-8", errors="replace")

    def send(self, number: signal.Signals, condition: Callable[[], object]) -> tuple[int, str]:
        """Send a signal as soon as a condition holds: KILL to all processes of the job, as when its node is lost."""
        rig.wait_for(condition, self.process)
        if number is signal.SIGKILL:
            os.killpg(self.process.pid, number)
        else:
            self.process.send_signal(number)
        return self.end()


def start(machine: Machine, command: list[str], folder: Path, variables: Mapping[str, str]) -> Started:
    """Start a job in a session of its own."""
    output = machine.temp / "output"
    path = f"{machine.folder / 'bin'}{os.pathsep}{os.environ['PATH']}"
    with output.open("ab") as file:
        process = subprocess.Popen(
            command,
            cwd=folder,
            env={**variables, "PATH": path, "TMPDIR": str(machine.temp)},
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=file,
            start_new_session=True,
        )
    return Started(process, output)


@dataclass
class Slurm:
    """A cluster of one node. `submit` runs a script that calls sbatch; its jobs start when the test says so."""

    repository: Path
    cache: Path
    folder: Path
    restarts: dict[int, int] = field(default_factory=dict)

    def submit(self, script: Path, *arguments: str) -> tuple[int, str]:
        """Run a script on the login node."""
        self.machine = Machine(self.folder, self.repository, self.cache, {"FOLDER": str(self.folder / "grid")})
        self.jobs = self.folder / "jobs"
        self.jobs.mkdir()
        self.machine.program("sbatch", SBATCH.format(jobs=self.jobs))
        self.machine.program("scontrol", SCONTROL.format(requeued=self.folder / "requeued"))
        self.machine.work = self.repository
        given = " ".join(f"'{word}'" for word in arguments)
        return self.machine.run(f"exec bash '{script}' {given}\n", "bash")

    @property
    def requeued(self) -> list[str]:
        """What jobs told scontrol."""
        file = self.folder / "requeued"
        return file.read_text(encoding="utf-8").splitlines() if file.exists() else []

    def job(self, number: int) -> tuple[Path, Path, dict[str, str], dict[str, str]]:
        """Return a job: where it was submitted, its script, the options of sbatch, the directives of the script."""
        where, *words = (self.jobs / str(number)).read_text(encoding="utf-8").splitlines()
        options = dict(word.removeprefix("--").partition("=")[::2] for word in words[:-1])
        script = Path(words[-1])
        lines = script.read_text(encoding="utf-8").splitlines()
        found = [re.fullmatch(r"#SBATCH --([\w-]+)(?:=(\S+))?", line) for line in lines if line.startswith("#SBATCH")]
        if None in found or not lines[0].startswith("#!") or set(options) - OPTIONS:
            raise WrongPipelineError(f"{script}: {options}, {lines}")
        directives = {item[1]: item[2] or "" for item in found if item}
        if set(directives) - DIRECTIVES:
            raise WrongPipelineError(f"{script}: {set(directives) - DIRECTIVES}")
        return Path(where), script, options, directives

    def start(self, number: int, task: int = 0) -> Started:
        """Start a job, or a task of an array; one that was started before was requeued."""
        where, script, options, directives = self.job(number)
        lines = (self.folder / "environment").read_bytes().decode().rstrip("\0").split("\0")
        variables = dict(line.partition("=")[::2] for line in lines)
        variables |= {"SLURM_JOB_ID": str(1000 + number + task), "SLURM_CPUS_PER_TASK": directives["cpus-per-task"]}
        if task:
            first, last = map(int, options["array"].partition("%")[0].split("-"))
            if not first <= task <= last:
                raise WrongPipelineError(f"the array has no task {task}")
            variables |= {"SLURM_ARRAY_JOB_ID": str(1000 + number), "SLURM_ARRAY_TASK_ID": str(task)}
            variables |= {"SLURM_ARRAY_TASK_COUNT": str(last - first + 1)}
            if restarts := self.restarts.get(task, 0):
                variables["SLURM_RESTART_COUNT"] = str(restarts)
            self.restarts[task] = restarts + 1
        spooled = self.machine.temp / f"job{number}"
        shutil.copy2(script, spooled)
        return start(self.machine, ["bash", str(spooled)], where, variables)


@dataclass
class Kubernetes:
    """A cluster whose pods are processes of this machine: `places` are where the paths of a container are here."""

    repository: Path
    cache: Path
    folder: Path

    def __post_init__(self) -> None:
        """Make the machine and the volume."""
        self.machine = Machine(self.folder, self.repository, self.cache, {})
        self.places = {"/grid": str(self.folder / "grid"), "/tmp/venvgrid-cache": str(self.cache)}
        self.places["/src"] = str(self.repository)
        (self.folder / "grid").mkdir()

    def start(self, file: Path, index: int | None = None) -> Started:
        """Start the pod of a Job, or of an index of it."""
        job: dict[str, Any] = yaml.safe_load(file.read_text(encoding="utf-8"))
        spec, pod = job["spec"], job["spec"]["template"]["spec"]
        (container,) = pod["containers"]
        mounted = {item["mountPath"] for item in container["volumeMounts"]}
        if (job["apiVersion"], job["kind"], mounted) != ("batch/v1", "Job", {"/grid"}):
            raise WrongPipelineError(json.dumps(job))
        variables = {item["name"]: self.places.get(item["value"], item["value"]) for item in container["env"]}
        if index is not None:
            if spec["completionMode"] != "Indexed" or not 0 <= index < spec["completions"]:
                raise WrongPipelineError(f"there is no index {index}")
            if int(variables["SHARDS"]) != spec["completions"]:
                raise WrongPipelineError("SHARDS is another number than completions")
            variables["JOB_COMPLETION_INDEX"] = str(index)
        base = {name: value for name, value in rig.environment(self.cache).items() if fits(name)}  # the index of here
        return start(self.machine, container["command"], self.folder, {**base, **variables})
