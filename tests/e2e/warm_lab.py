"""Cells that ran once, and their previews: what the tests of warm servers are made of."""

from __future__ import annotations

import shutil
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import rig

from venvgrid.app import assembly, run
from venvgrid.app.context import RunContext
from venvgrid.app.options import FrontEnd, RunOptions
from venvgrid.app.plan import make_plan
from venvgrid.app.request import make_request
from venvgrid.config import config_file
from venvgrid.model import CellResult
from venvgrid.processes.parallel import usable_cpus
from venvgrid.project import inputs
from venvgrid.running import loop, tasks
from venvgrid.running.cell_command import CellCommands
from venvgrid.running.executors.base import Slots
from venvgrid.running.executors.threads import ThreadExecutor
from venvgrid.running.scheduler import Scheduler
from venvgrid.running.warm.pool import WarmPool
from venvgrid.storage import directories

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from venvgrid.running.executors.base import Post


@dataclass(frozen=True, kw_only=True)
class Grid:
    """A project whose cells all ran: their tasks and results, and the pool of their servers."""

    context: RunContext
    tasks: dict[str, tasks.TestTask]
    results: dict[str, CellResult]
    pool: WarmPool


@contextmanager
def ran(root: Path, cache: Path, **environ: str) -> Iterator[Grid]:
    """Run all cells of a project as usual, and keep what is needed for previews."""
    front = FrontEnd(environ=rig.environment(cache, **environ), notify=lambda _text: None)
    source = config_file.find(None, cwd=root)
    options = RunOptions(workers=2)
    config = run.read_config(source, options, front).config
    context = RunContext(config=config, options=options, front=front)
    done, tested = dict[str, tasks.TestTask](), dict[str, CellResult]()
    with run.using_environments(context):
        _ = context.project.inputs
        worker = assembly.make_worker(context, root / ".venvgrid" / "cold")

        def execute(task: tasks.Task, post: Post) -> tasks.TaskResult:
            result = worker.execute(task, post)
            if isinstance(task, tasks.TestTask) and isinstance(result, tasks.TestDone):
                done[task.cell.id], tested[task.cell.id] = task, result.result
            return result

        executor = ThreadExecutor(execute, Slots.for_workers(2), context.machine.cancellation)
        scheduler = Scheduler(
            make_request(context, make_plan(context)),
            cached=lambda _cell, _entry, _project: None,
            why=lambda _cell: "",
            append_log=lambda _cell, text: text,
            clean=lambda text: text,
        )
        for _ in loop.run(scheduler, executor):
            pass
        commands = CellCommands(
            config=config,
            root=context.root,
            folder=root / ".venvgrid" / "previews",
            arguments=(),
            environ=front.environ,
            redactor=context.machine.redactor,
            cpus=usable_cpus(),
        )
        pool = WarmPool(
            commands=commands, folder=directories.short_folder(), inputs=lambda: inputs.take(config.project.path)
        )
        try:
            yield Grid(context=context, tasks=done, results=tested, pool=pool)
        finally:
            pool.close()
            shutil.rmtree(pool.folder, ignore_errors=True)
