"""Rehearses a pipeline of GitLab CI: stages, `extends`, `parallel`, rules of the workflow, artifacts, retried jobs."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import yaml

from rehearsal.machine import Job, Machine, Rehearsal, WrongPipelineError, below, copy, head

BASH = ("bash", "-eo", "pipefail")  # what the runner starts scripts with, in images that have bash
OWN_CACHES = {"UV_CACHE_DIR", "VENVGRID_CACHE_DIR"}  # those of the tests are used instead
TERM = re.compile(r"\s*\$(\w+)\s*==\s*(?:\$(\w+)|\"([^\"]*)\")\s*")


@dataclass
class Run(Rehearsal):
    """A pipeline; `facts` are the variables of its source. A job in `lost` never runs, or its artifact is lost."""

    number: int = 0

    def start(self) -> None:
        """Run all jobs; a second time: retry those that failed, and those of later stages that did."""
        self.attempt += 1
        flow = yaml.safe_load(self.text)
        variables = {**flow["variables"], **_rule(flow["workflow"]["rules"], self.facts), **self.facts}
        for stage in flow["stages"]:
            failed = any(job.result != "success" for job in self.jobs.values() if job.name != stage)
            for name, raw in flow.items():
                if not isinstance(raw, dict) or raw.get("stage") != stage:
                    continue
                job = _extended(flow, raw)
                count = job.get("parallel", 1)
                for index in range(1, count + 1):
                    title = f"{name} {index}/{count}" if "parallel" in job else name
                    if self.has_passed(title):
                        continue
                    if (failed and self.attempt == 1 and job.get("when") != "always") or title in self.lost:
                        self.jobs[title] = Job(title, "skipped")
                        continue
                    nodes = {"CI_NODE_INDEX": str(index), "CI_NODE_TOTAL": str(count)}
                    self.jobs[title] = self._job(title, job, {**variables, **nodes})

    def _job(self, title: str, job: dict[str, Any], variables: dict[str, str]) -> Job:
        self.number += 1
        own = {key: str(value) for key, value in job.get("variables", {}).items() if key not in OWN_CACHES}
        machine = Machine(
            self.folder / f"job{self.number}",
            self.repository,
            self.cache,
            {
                **variables,
                **own,
                "GITLAB_CI": "true",
                "CI_JOB_ID": str(100 + self.number),
                "CI_COMMIT_SHA": head(self.repository),
            },
        )
        machine.check_out(int(own.get("GIT_DEPTH", "20")))
        for kept in sorted((self.folder / "artifacts").glob("*")):
            copy(below(kept, hidden=True), machine.work)
        made = Job(title)
        status, made.log = machine.run("\n".join([*job["before_script"], *job["script"]]), *BASH)
        made.result = "success" if status == 0 else "failure"
        artifacts = job.get("artifacts", {})
        if made.result == "success" or artifacts.get("when") == "always":
            found = below(machine.work, hidden=True)
            taken = {name: path for name, path in found.items() if name.startswith(tuple(artifacts["paths"]))}
            copy(taken, self.folder / "artifacts" / title.replace("/", "-"))
        return made


def _extended(flow: dict[str, Any], job: dict[str, Any]) -> dict[str, Any]:
    """Return a job with what it extends; tables are merged."""
    base = flow[job["extends"]]
    merged = {key: {**base[key], **job[key]} for key in base.keys() & job.keys() if isinstance(base[key], dict)}
    return {**base, **job, **merged}


def _rule(rules: list[dict[str, Any]], facts: dict[str, str]) -> dict[str, str]:
    """Return the variables of the first rule that holds."""
    for rule in rules:
        for term in rule["if"].split("||"):
            found = TERM.fullmatch(term)
            if not found:
                raise WrongPipelineError(f"cannot read the rule {rule['if']!r}")
            name, other, text = found.groups()
            if facts.get(name, "") == (facts.get(other, "") if other else text):
                return dict(rule.get("variables", {}))
    raise WrongPipelineError("no rule of the workflow holds: there would be no pipeline")
