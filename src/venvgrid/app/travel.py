"""The use cases of a plan that travels: make it, and run a part of it elsewhere."""

from __future__ import annotations

import tempfile
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from venvgrid.app.capsules.repository_state import unchanged
from venvgrid.app.context import RunContext
from venvgrid.app.plan import choose_cells, make_plan
from venvgrid.app.request import lock_digest, make_request
from venvgrid.app.run import execute, on_machines, read_config
from venvgrid.model import ExitStatus, InfrastructureError, Status, UsageError
from venvgrid.model.values import dataclass
from venvgrid.model.version import __version__
from venvgrid.planning import jobs, packing
from venvgrid.project import repository
from venvgrid.reporters import text
from venvgrid.resolving import lockfile
from venvgrid.results import plan_file, records
from venvgrid.storage import digests

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from venvgrid.app.options import FrontEnd, RunOptions
    from venvgrid.app.resolution import ResolvedPlan
    from venvgrid.config.config_file import Source
    from venvgrid.model import FrozenPolicy, Plan
    from venvgrid.model.shard import Shard
    from venvgrid.results.plan_file import PlanFile
    from venvgrid.results.report import Report
    from venvgrid.results.run_folders import RunFolder


@dataclass(frozen=True, slots=True, kw_only=True)
class WantedJobs:
    """What the jobs of a plan are to be: `count` of them, or as many as `target` seconds for each take (count 0)."""

    count: int = 0
    target: float
    prices: Mapping[str, float]  # of a minute, by platform


# Variables in which services tell how often a job was started, and what has to be added to count from 1.
ATTEMPTS = {
    "GITHUB_RUN_ATTEMPT": 0,
    "BUILDKITE_RETRY_COUNT": 1,
    "SYSTEM_JOBATTEMPT": 0,
    "CI_JOB_ID": 0,
    "SLURM_RESTART_COUNT": 1,
}


def make_plan_file(
    context: RunContext,
    plan: Plan,
    resolved: ResolvedPlan,
    frozen: Mapping[str, FrozenPolicy],
    measured: Mapping[str, float],
) -> PlanFile:
    """Return the plan that other machines run; `measured` are the seconds that cells took.

    Raises:
        InfrastructureError: a cell could not be resolved.
    """
    planned = {item.cell.id: item for item in resolved.plan.cells}
    failed = [item for item in planned.values() if item.status is Status.FAILED]
    if failed:
        more = f" (and {len(failed) - 1} more cells)" if failed[1:] else ""
        raise InfrastructureError(f"no plan was written: {failed[0].cell.id}: {failed[0].reason}{more}")
    lock = lockfile.make(lock_digest(context), planned, {**resolved.entries, **resolved.unbuilt}, plan, frozen)
    metadata, held = context.project.metadata, _repository(context)
    if held is None and (why := _refusal(context)):
        context.front.notify(f"warning: the plan names no commit: {why}")
    cells = [item.cell for item in resolved.plan.cells if item.status in plan_file.TO_RUN]
    return plan_file.PlanFile(
        plan=resolved.plan,
        venvgrid=__version__,
        project=metadata.name if metadata else "",
        project_version=metadata.version if metadata else "",
        config=context.config.file.name,
        grid=context.config.grid,
        config_digest=context.config.digest,
        inputs_digest=_inputs(context),
        commit=held.commit if held else "",
        is_dirty=held.is_dirty if held else False,
        lock=lockfile.render(lock),
        environments=lock.cells,
        seconds=packing.expected_seconds(cells, measured),
    )


def shards_of(plan: PlanFile, count: int, here: str) -> packing.Shards:
    """Return the cells of each of `count` shards: those of the platform `here`, and those of none.

    Raises:
        UsageError: the plan has cells, but none that can run here.
    """
    platforms = by_platform(plan)
    seconds = {**platforms.get("", {}), **platforms.get(here, {})}
    if platforms and not seconds:
        where = ", ".join(platforms)
        raise UsageError(f"the plan has no cell for this machine, which is {here}; it has cells for {where}")
    return packing.pack(seconds, count, plan.environments)


def by_platform(plan: PlanFile) -> dict[str, dict[str, float]]:
    """Return the expected seconds of cells by the platform that they run on."""
    found: dict[str, dict[str, float]] = {}
    for item in plan.cells:
        found.setdefault(item.cell.platform, {})[item.cell.id] = plan.seconds[item.cell.id]
    return found


def with_jobs(plan: PlanFile, wanted: WantedJobs, here: str) -> PlanFile:
    """Return the plan with the jobs that it needs; a plan without platforms has the prices of `here`.

    Raises:
        UsageError: the plan has cells on more platforms than there are to be jobs.
    """
    platforms = by_platform(plan)
    if wanted.count and wanted.count < len(platforms):
        names = ", ".join(platforms)
        raise UsageError(f"--jobs {wanted.count}: the plan has cells for {names}; give at least {len(platforms)}")
    counts = (
        jobs.counts_for_jobs(platforms, wanted.count)
        if wanted.count
        else jobs.counts_for_target(platforms, plan.environments, wanted.target)
    )
    prices = {"": wanted.prices.get(here, 1.0), **wanted.prices}
    return replace(plan, jobs=jobs.estimate(platforms, plan.environments, counts, prices))


def other_count(plan: PlanFile, shard: Shard, here: str) -> str:
    """Return that the jobs of the plan are of another number than the shards, or "": then some cells may never run."""
    counts = {job.shards for job in plan.jobs if job.platform in {"", here}}
    if not counts or shard.count in counts:
        return ""
    number = text.count(max(counts), "job")
    return f"the plan has {number} for {here}, this is {shard}: the gate tells if cells are missing"


def run_part(
    source: Source, options: RunOptions, front: FrontEnd, plan: PlanFile, shard: Shard
) -> tuple[RunContext, Report, RunFolder]:
    """Run the cells of one shard, and leave a record in the folder of the run.

    Raises:
        UsageError: the plan is not of this configuration and these sources.
    """
    with _unpacked(plan) as lock:
        wanted = replace(options, locked=True, lock_file=lock, strategy=plan.plan.strategy, plan_digest=plan.digest)
        config = read_config(source, wanted, front, grid=plan.grid).config
        context = RunContext(config=config, options=wanted, front=front)
        _check(context, plan)
        mine = frozenset(shards_of(plan, shard.count, context.machine.platform)[shard.index - 1])
        if told := other_count(plan, shard, context.machine.platform):
            front.notify(f"note: {told}")
        chosen = choose_cells(make_plan(context), lambda cell: cell.id in mine)
        if len(chosen.cells) != len(mine):
            raise UsageError(f"the plan has cells that {config.file.name} has not; write it again with: {_AGAIN}")
        with on_machines(context) as context:
            finished, folder = execute(context, make_request(context, chosen))
    header = records.Header(
        plan=plan.digest,
        commit=plan.commit,
        shard=shard,
        platform=context.machine.platform,
        attempt=_attempt(front.environ),
        began=finished.started,
        cells=tuple(sorted(mine)),
    )
    if not options.arguments:  # with others, it is no record: tests may have been left out
        records.seal(folder.path, plan, header)
    if not mine:
        finished = replace(finished, exit_status=ExitStatus.PASSED)
    return context, finished, folder


_AGAIN = "venvgrid plan -o plan.json"


@contextmanager
def _unpacked(plan: PlanFile) -> Iterator[Path]:
    """Write the lock of a plan into a temporary file."""
    with tempfile.TemporaryDirectory(prefix="venvgrid-plan-") as folder:
        path = Path(folder, "matrix.lock")
        path.write_text(plan.lock, encoding="utf-8")
        yield path


def _check(context: RunContext, plan: PlanFile) -> None:
    held = _repository(context)
    commit = held.commit if held else ""
    if context.config.digest != plan.config_digest:
        raise UsageError(f"the plan is of another {context.config.file.name}; write it again with: {_AGAIN}")
    if commit != plan.commit:
        why = "" if held else _refusal(context)
        this = f"this is {commit[:12] or 'none'}" + f": {why}" * bool(why)
        raise UsageError(f"the plan is of commit {plan.commit[:12] or 'none'}, {this}")
    if _inputs(context) != plan.inputs_digest:
        raise UsageError(f"the sources have changed since the plan was made; write it again with: {_AGAIN}")


def _repository(context: RunContext) -> repository.Repository | None:
    return repository.find(context.config.project.path, context.machine.environ)


def _refusal(context: RunContext) -> str:
    return repository.refusal(context.config.project.path, context.machine.environ)


def _inputs(context: RunContext) -> str:
    """Return a digest of the sources; in a checkout, of tracked files, for a plan may lie among them.

    What git calls unchanged counts by its id there: on Windows git may write other line ends, and files for links.
    """
    files, held, path = context.project.snapshot, _repository(context), context.config.project.path
    if held is not None:
        prefix = path.relative_to(held.root).as_posix().removeprefix(".")
        prefix = f"{prefix}/" if prefix else ""
        known = unchanged(held.root, context.machine.environ, context.machine.run)
        named = {name: f"{prefix}{Path(name).as_posix()}" for name in files}
        tracked = {name: digest for name, digest in files.items() if named[name] in held.tracked}
        files = {name: known.get(named[name], digest) for name, digest in tracked.items()}
    return digests.of_json({Path(name).as_posix(): digest for name, digest in files.items()})


def _attempt(environ: Mapping[str, str]) -> int:
    for name, more in ATTEMPTS.items():
        if environ.get(name, "").isdigit():
            return int(environ[name]) + more
    return 1
