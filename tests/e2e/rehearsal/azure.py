"""Rehearses a pipeline of Azure: jobs with `dependsOn`, slices, output variables, conditions and artifacts."""

from __future__ import annotations

import fnmatch
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from rehearsal.machine import Job, Machine, Rehearsal, WrongPipelineError, below, copy, head

if TYPE_CHECKING:
    from collections.abc import Mapping

BASH = ("bash", "--noprofile", "--norc")  # what the step `bash` starts
OUTPUT = re.compile(r"\$\[ dependencies\.(\w+)\.outputs\['(\w+)\.(\w+)'\] \]")
SET = re.compile(r"##vso\[task\.setvariable variable=(\w+);isOutput=true\](.*)")
OWN_CACHES = {"UV_CACHE_DIR", "VENVGRID_CACHE_DIR"}  # those of the tests are used instead


class Run(Rehearsal):
    """A run of a pipeline. A job in `lost` never runs."""

    def start(self) -> None:
        """Run all jobs; a second time: rerun the failed jobs, and those that depend on them."""
        self.attempt += 1
        (self.folder / "artifacts").mkdir(parents=True, exist_ok=True)
        for job in yaml.safe_load(self.text)["jobs"]:
            needs = [job["dependsOn"]] if isinstance(job.get("dependsOn"), str) else job.get("dependsOn", [])
            fine = all(made.result == "success" for name, made in self.jobs.items() if name.split()[0] in needs)
            count = int(job.get("strategy", {}).get("parallel", 1))
            for index in range(1, count + 1):
                title = f"{job['job']} {index}" if "strategy" in job else job["job"]
                if self.has_passed(title):
                    continue
                if title in self.lost or not (fine or job.get("condition") == "always()"):
                    self.jobs[title] = Job(title, "cancelled" if title in self.lost else "skipped")
                    continue
                slices = {"System.JobPositionInPhase": str(index), "System.TotalJobsInPhase": str(count)}
                self.jobs[title] = self._job(title, job, slices)

    def _job(self, title: str, job: dict[str, Any], slices: dict[str, str]) -> Job:
        machine = Machine(self.folder / f"{title.replace(' ', '-')}-{self.attempt}", self.repository, self.cache, {})
        known = {
            **slices,
            "System.JobAttempt": str(self.attempt),
            "Agent.TempDirectory": str(machine.temp),
            "Pipeline.Workspace": str(machine.folder),
            "Agent.OS": "Linux",
            "Build.SourceVersion": head(self.repository),
            **self.facts,
        }
        for name, value in job.get("variables", {}).items():
            known[name] = OUTPUT.sub(lambda found: self.jobs[found[1]].outputs.get(found[3], ""), value)
        made = Job(title)
        for step in job["steps"]:
            if made.result != "success" and step.get("condition") != "always()":
                continue
            if not self._step(step, machine, made, known):
                made.result = "failure"
        return made

    def _step(self, step: dict[str, Any], machine: Machine, made: Job, known: Mapping[str, str]) -> bool:
        if "checkout" in step:
            if step["checkout"] == "self":
                machine.check_out(int(step["fetchDepth"]))
            return True
        if "bash" in step:
            env = {name.upper().replace(".", "_"): value for name, value in known.items() if name not in OWN_CACHES}
            status, printed = machine.run(_macros(step["bash"], known), *BASH, **env)
            made.log += printed
            made.outputs |= dict(SET.findall(printed))
            return status == 0
        inputs = {name: _macros(str(value), known) for name, value in step["inputs"].items()}
        store = self.folder / "artifacts"
        match step["task"]:
            case "UsePythonVersion@0" | "Cache@2":
                return True
            case "PublishPipelineArtifact@1":
                source, target = Path(inputs["targetPath"]), store / inputs["artifact"]
                if not source.is_dir() or target.exists():
                    return False
                copy(below(source, hidden=True), target)
                return True
            case "DownloadPipelineArtifact@2" if "artifactName" in inputs:
                source = store / inputs["artifactName"]
                copy(below(source, hidden=True) if source.is_dir() else {}, Path(inputs["targetPath"]))
                return source.is_dir()
            case "DownloadPipelineArtifact@2":  # the pattern is of artifact and file
                found = below(store, hidden=True)
                taken = fnmatch.filter(found, inputs["itemPattern"].replace("**", "*"))
                copy({name: found[name] for name in taken}, Path(inputs["targetPath"]))
                return True
            case unknown:
                raise WrongPipelineError(f"the rehearsal does not know {unknown}")


def _macros(text: str, known: Mapping[str, str]) -> str:
    """Replace `$(name)` where there is such a variable, as Azure does; a shell's `$(command)` stays."""
    return re.sub(r"\$\(([\w.]+)\)", lambda found: known.get(found[1], found[0]), text)
