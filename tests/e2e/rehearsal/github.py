"""Rehearses a workflow of GitHub Actions: jobs with needs, matrices and outputs; steps, artifacts and caches."""

from __future__ import annotations

import glob
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from rehearsal.expressions import condition, fill
from rehearsal.machine import Job, Machine, WrongPipelineError, below, copy, head

if TYPE_CHECKING:
    from collections.abc import Mapping

OWN_CACHES = {"UV_CACHE_DIR", "VENVGRID_CACHE_DIR"}  # those of the tests are used instead
BASH = ("bash", "--noprofile", "--norc", "-eo", "pipefail")  # what `shell: bash` means


@dataclass
class Run:
    """A run of a workflow, with its artifacts and the caches of its repository. `lost` names jobs that a service loses.

    A lost job is "cancelled" before its first step, "skipped", or "dies": its machine is gone when its tests have run.
    """

    text: str
    repository: Path
    cache: Path
    folder: Path
    event: str = "push"
    lost: dict[str, str] = field(default_factory=dict)
    jobs: dict[str, list[Job]] = field(default_factory=dict)
    installed: set[str] = field(default_factory=set)
    attempt: int = 0

    @property
    def artifacts(self) -> list[str]:
        """The names of all artifacts so far."""
        return sorted(path.name for path in (self.folder / "artifacts").iterdir())

    def start(self) -> None:
        """Run all jobs; a second time: re-run the failed jobs, and those that need them."""
        self.attempt += 1
        (self.folder / "artifacts").mkdir(parents=True, exist_ok=True)
        flow = yaml.load(self.text, yaml.BaseLoader)  # "on" is no boolean
        if self.event not in flow["on"]:
            raise WrongPipelineError(f"the workflow does not start on {self.event}")
        again: set[str] = set()
        for name, job in flow["jobs"].items():
            needs = [job["needs"]] if isinstance(job.get("needs"), str) else job.get("needs", [])
            before = self.jobs.get(name, [])
            if before and all(leg.result == "success" for leg in before) and not again & set(needs):
                continue
            again.add(name)
            known = {need: _together(self.jobs[need]) for need in needs}
            self.jobs[name] = [self._leg(flow, name, values, known, before) for values in _matrix(job)]

    def _leg(
        self, flow: dict[str, Any], name: str, values: dict[str, str], needs: dict[str, Job], before: list[Job]
    ) -> Job:
        """Run one job of a matrix, or return what it was if it had succeeded."""
        job, title = flow["jobs"][name], "-".join([name, *values.values()])
        if any(leg.name == title and leg.result == "success" for leg in before) and values:
            return next(leg for leg in before if leg.name == title)
        results = {need.result for need in needs.values()}
        contexts: dict[str, Any] = {
            "github": self._github(),
            "matrix": values,
            "needs": {need: {"result": job.result, "outputs": job.outputs} for need, job in needs.items()},
            "status": {"always()": True, "success()": results <= {"success"}, "cancelled()": "cancelled" in results},
        }
        if not condition(job.get("if"), contexts):
            return Job(title, "skipped")
        if self.lost.get(title) in {"cancelled", "skipped"}:
            return Job(title, self.lost[title])
        return _Leg(self, flow, job, Job(title), contexts).run()

    def _github(self) -> dict[str, str]:
        attempt = str(self.attempt)
        return {
            "event_name": self.event,
            "run_attempt": attempt,
            "run_id": "4711",
            "workflow": "venvgrid",
            "ref": "refs/heads/main",
        }


class _Leg:
    """One job on one machine. A context that is not there yet is an error, such as `runner` in the `if` of a job."""

    def __init__(
        self, run: Run, flow: dict[str, Any], job: dict[str, Any], made: Job, contexts: Mapping[str, Any]
    ) -> None:
        self.whole, self.flow, self.job, self.made = run, flow, job, made
        folder = run.folder / f"attempt{run.attempt}" / made.name
        variables = {"GITHUB_ACTIONS": "true", "GITHUB_EVENT_NAME": run.event, "GITHUB_RUN_ATTEMPT": str(run.attempt)}
        self.machine = Machine(folder, run.repository, run.cache, variables)
        self.contexts = {
            **contexts,
            "runner": {"temp": str(self.machine.temp), "os": "Linux"},
            "steps": {},
            "status": {"always()": True, "success()": True, "failure()": False, "cancelled()": False},
        }

    def run(self) -> Job:
        for step in self.job["steps"]:
            if not condition(step.get("if"), self.contexts):
                continue
            if self.whole.lost.get(self.made.name) == "dies" and "upload-artifact" in step.get("uses", ""):
                self.made.result = "failure"
                return self.made
            inputs = {key: fill(str(value), self.contexts) for key, value in step.get("with", {}).items()}
            ok, outputs = self._shell(step) if "run" in step else self._action(step["uses"], inputs)
            if "id" in step:
                self.contexts["steps"][step["id"]] = {"outputs": outputs}
            if not ok:
                self.made.result = "failure"
                self.contexts["status"] |= {"success()": False, "failure()": True}
        for key, value in self.job.get("outputs", {}).items():
            self.made.outputs[key] = fill(value, self.contexts)
        self.whole.installed |= set(self.machine.installed)
        return self.made

    def _shell(self, step: dict[str, Any]) -> tuple[bool, dict[str, str]]:
        if self.flow.get("defaults", {}).get("run", {}).get("shell") != "bash":
            raise WrongPipelineError("without `shell: bash` a failure within a pipe is lost")
        output, summary = self.machine.temp / "output", self.machine.temp / "summary"
        for file in (output, summary):
            file.write_text("", encoding="utf-8")
        own = {key: fill(value, self.contexts) for key, value in step.get("env", {}).items() if key not in OWN_CACHES}
        more = {
            **own,
            "GITHUB_OUTPUT": str(output),
            "GITHUB_STEP_SUMMARY": str(summary),
            "RUNNER_TEMP": str(self.machine.temp),
            "GITHUB_SHA": head(self.whole.repository),
        }
        status, printed = self.machine.run(fill(step["run"], self.contexts), *BASH, **more)
        self.made.log += f"## {step.get('name')} -> {status}\n{printed}"
        self.made.summary += summary.read_text(encoding="utf-8")
        lines = output.read_text(encoding="utf-8").splitlines()
        return status == 0, dict(line.split("=", 1) for line in lines)

    def _action(self, uses: str, inputs: dict[str, str]) -> tuple[bool, dict[str, str]]:
        name = uses.partition("@")[0]
        if name == "actions/checkout":
            self.machine.check_out(int(inputs.get("fetch-depth", "1")))
            return True, {}
        if name == "actions/setup-python":
            return bool(inputs["python-version"]), {}
        actions = {
            "actions/upload-artifact": self._upload,
            "actions/download-artifact": self._download,
            "actions/cache/restore": self._restore,
            "actions/cache/save": self._save,
        }
        if name not in actions:
            raise WrongPipelineError(f"the rehearsal does not know {name}")
        ok, outputs = actions[name](inputs)
        self.made.log += f"## {name} {inputs.get('name') or inputs.get('pattern') or inputs.get('key')} -> {ok}\n"
        return ok, outputs

    def _upload(self, inputs: dict[str, str]) -> tuple[bool, dict[str, str]]:
        files = _found(inputs["path"], self.machine.work, hidden=inputs.get("include-hidden-files") == "true")
        if not files:
            return inputs.get("if-no-files-found") != "error", {}
        target = self.whole.folder / "artifacts" / inputs["name"]
        if target.exists():  # "an artifact with this name already exists on the workflow run"
            return False, {}
        copy(files, target)
        return True, {}

    def _download(self, inputs: dict[str, str]) -> tuple[bool, dict[str, str]]:
        store, target = self.whole.folder / "artifacts", Path(inputs["path"])
        if "name" in inputs:
            source = store / inputs["name"]
            if source.is_dir():
                copy(below(source, hidden=True), target)
            return source.is_dir(), {}
        for source in sorted(store.glob(inputs["pattern"])):
            copy(below(source, hidden=True), target / source.name)
        return True, {}

    def _restore(self, inputs: dict[str, str]) -> tuple[bool, dict[str, str]]:
        store = self.whole.folder.parent / "caches"
        prefixes = [inputs["key"], *inputs.get("restore-keys", "").splitlines()]
        kept = sorted(store.iterdir(), key=lambda path: path.stat().st_mtime_ns) if store.is_dir() else []
        hits = [path for prefix in prefixes for path in kept if path.name.startswith(prefix)]
        if hits:
            target = Path(inputs["path"])
            copy(below(hits[-1], hidden=True), target.parent if target.suffix else target)
        return True, {"cache-hit": "true" if hits and hits[0].name == inputs["key"] else ""}

    def _save(self, inputs: dict[str, str]) -> tuple[bool, dict[str, str]]:
        target = self.whole.folder.parent / "caches" / inputs["key"]
        target.mkdir(parents=True, exist_ok=True)
        copy(_found(inputs["path"], self.machine.work, hidden=True), target)
        return True, {}


def _matrix(job: dict[str, Any]) -> list[dict[str, str]]:
    """Return the values of each job of a matrix of one dimension; one job without values for none."""
    ((name, values),) = job.get("strategy", {}).get("matrix", {"": [""]}).items()
    return [{name: value} if name else {} for value in values]


def _together(legs: list[Job]) -> Job:
    """Return the result of all jobs of a matrix, as `needs` sees it."""
    results = [leg.result for leg in legs]
    worst = next((result for result in ("failure", "cancelled", "skipped") if result in results), "success")
    return Job(legs[0].name, worst, {key: value for leg in legs for key, value in leg.outputs.items()})


def _found(patterns: str, work: Path, *, hidden: bool) -> dict[str, Path]:
    """Return the files that an upload takes: those below folders, and those that match."""
    files: dict[str, Path] = {}
    for pattern in patterns.split("\n"):
        for place in map(Path, sorted(glob.glob(str(work / pattern.strip())))):  # noqa: PTH207  (it may be absolute)
            files |= below(place, hidden=hidden) if place.is_dir() else {place.name: place}
    return files
