"""Rehearses a pipeline of Buildkite: steps with dependencies and parallelism, and its agent's artifacts."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from rehearsal.machine import Job, Machine, Rehearsal, WrongPipelineError

if TYPE_CHECKING:
    from collections.abc import Mapping

AGENT = Path(__file__).with_name("buildkite_agent.py")


class Run(Rehearsal):
    """A build. A job in `lost` never runs."""

    def start(self) -> None:
        """Run all jobs; a second time: retry those that failed."""
        self.attempt += 1
        for step in yaml.safe_load(self.text)["steps"]:
            count = step.get("parallelism", 1)
            for index in range(count):
                title = f"{step['key']} {index + 1}" if "parallelism" in step else step["key"]
                if self.has_passed(title):
                    continue
                if title in self.lost or not all(map(self._is_met, _needs(step))):
                    self.jobs[title] = Job(title, "skipped")
                    continue
                numbers = {"BUILDKITE_PARALLEL_JOB": str(index), "BUILDKITE_PARALLEL_JOB_COUNT": str(count)}
                self.jobs[title] = self._job(title, step, numbers)

    def _is_met(self, need: Mapping[str, Any]) -> bool:
        found = [job for name, job in self.jobs.items() if name.split()[0] == need["step"]]
        return need.get("allow_failure", False) or all(job.result == "success" for job in found)

    def _job(self, title: str, step: dict[str, Any], numbers: dict[str, str]) -> Job:
        place = title.replace(" ", "-")
        variables = {**self.facts, **numbers, "BUILDKITE": "true", "BUILDKITE_RETRY_COUNT": str(self.attempt - 1)}
        machine = Machine(self.folder / f"{place}-{self.attempt}", self.repository, self.cache, variables)
        store = self.folder / "artifacts" / step["key"] / place
        machine.program("buildkite-agent", f"#!/bin/sh\nexec '{sys.executable}' '{AGENT}' '{store}' \"$@\"\n")
        machine.check_out(0)
        made = Job(title)
        status, made.log = machine.run(_uploaded(step["command"]), "bash", "-e")
        made.result = "success" if status == 0 else "failure"
        return made


def _needs(step: dict[str, Any]) -> list[dict[str, Any]]:
    needs = step.get("depends_on", [])
    return [{"step": needs}] if isinstance(needs, str) else needs


def _uploaded(command: str) -> str:
    """Return a command as `buildkite-agent pipeline upload` leaves it: it would fill in a variable with one dollar."""
    if found := re.search(r"(?<!\$)\$(?!\$)[\w{]+", command.replace("$$", "\0\0")):
        raise WrongPipelineError(f"{found[0]} would be filled in when the pipeline is uploaded")
    return command.replace("$$", "$")
