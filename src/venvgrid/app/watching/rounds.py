"""A round of watch: one run of the grid in a thread of its own, which a newer edit ends at once."""

from __future__ import annotations

import threading
from contextlib import contextmanager, suppress
from dataclasses import field, replace
from typing import TYPE_CHECKING

from venvgrid.analysis import prioritisation
from venvgrid.analysis.findings import Analysis
from venvgrid.analysis.watching import order
from venvgrid.app import run
from venvgrid.app.context import RunContext
from venvgrid.app.machine import Machine
from venvgrid.app.plan import choose_cells, make_plan
from venvgrid.app.request import make_request, runnable
from venvgrid.app.watching.messages import Ended, Finished, Planned, Prepared
from venvgrid.app.watching.nearest import nearest
from venvgrid.app.watching.previews import Previews
from venvgrid.model import CellFinished, ExitStatus, Stage, VenvgridError
from venvgrid.model.values import dataclass
from venvgrid.processes.command import Cancellation
from venvgrid.results import run_folders
from venvgrid.storage import own_folders

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from venvgrid.app.options import FrontEnd, RunOptions
    from venvgrid.app.watching.messages import Message
    from venvgrid.app.watching.previews import Warmed
    from venvgrid.app.watching.session import Wanted
    from venvgrid.app.watching.warming import Warmth
    from venvgrid.config.config_file import Source
    from venvgrid.environments.package_cache.cache import Trees
    from venvgrid.model import Event, Plan


@dataclass(kw_only=True)
class Round:
    """One round, as the session `wanted` it. `find` reads the configuration; `trees` are shared by all rounds."""

    wanted: Wanted
    find: Callable[[], Source]
    options: RunOptions
    front: FrontEnd
    grid: str
    warmth: Warmth
    trees: Trees
    warmed: Callable[[Warmed], None]  # shows the previews
    post: Callable[[Message], None]
    _cancellation: Cancellation = field(default_factory=Cancellation)
    _stops: list[Callable[[], None]] = field(default_factory=list)
    _thread: threading.Thread | None = None
    _is_unwanted: bool = False  # the run sets the cancellation itself, when it ends with an error

    def start(self) -> None:
        """Run it in a thread; it posts what happens, and at last Ended."""
        self._thread = threading.Thread(target=self._run, name="venvgrid-round", daemon=True)
        self._thread.start()

    def cancel(self) -> None:
        """Kill all of its commands and wait for its end. It posts Ended without a report."""
        self._is_unwanted = True
        for _ in range(2):  # the second time without a grace period
            self._cancellation.set()
            for stop in self._stops:
                stop()

        if self._thread is not None:
            self._thread.join()

    def _run(self) -> None:
        ended = Ended(round=self.wanted.number, error="a round ended without a result: a bug in venvgrid")
        try:
            ended = self._perform()
        except VenvgridError as error:
            ended = Ended(round=self.wanted.number, error="" if self._is_unwanted else str(error))
        except KeyboardInterrupt:
            ended = Ended(round=self.wanted.number)
        except OSError as error:
            ended = Ended(round=self.wanted.number, error=f"{error.filename or ''}: {error.strerror or error}")
        finally:
            self.post(ended)
        if ended.done is not None:
            with suppress(VenvgridError, KeyboardInterrupt, OSError):
                self._prepare(ended.done[0], [cell.id for cell in ended.done[1].cells])

    def _perform(self) -> Ended:
        front = replace(self.front, listening=self._listening, progress=self._progress)
        config = run.read_config(self.find(), self.options, front, grid=self.grid).config
        context = RunContext(config=config, options=self.options, front=front)
        machine = Machine(
            front=front,
            project=config.root,
            offline=self.options.offline,
            cancellation=self._cancellation,
            trees=self.trees,
        )
        context.__dict__.update(machine=machine)
        plan = make_plan(context)
        cells = runnable(plan)
        self.post(Planned(round=self.wanted.number, cells=tuple(cell.id for cell in cells)))
        red = self.wanted.red or tuple(name for name, earlier in context.history.items() if earlier.outcome.is_red)
        near = nearest(context.root, cells, self.wanted.edited)
        first = order.first(near.cells, red, self.wanted.sides)
        if len(near.cells) < len(cells):  # those that the edit is not known to reach go last
            places = prioritisation.order(near.cells, context.history).places
            first = tuple(dict.fromkeys((*first, *sorted(places, key=lambda name: places[name]))))
        context = context.with_options(first=first, tests_first=(*self.wanted.failed, *near.tests))
        self.warmth.of(context, self.wanted.inputs)
        context = replace(context, observe=self.warmth.observing(context)).sharing(context)
        if self.wanted.edited:  # an edit that was undone has its results already
            new = {cell.id for cell in cells if not context.result_cache.may_find(cell)}
            if self.warmth.ready(new):
                some = choose_cells(plan, lambda cell: cell.id in new)
                self._preview(context, some, may_leave_out=bool(near.tests) and not near.unknown)
        return self._ended(context, plan)

    def _preview(self, context: RunContext, plan: Plan, *, may_leave_out: bool) -> None:
        """Show what the tests of all cells say in warm processes."""
        previews = Previews(
            round=self.wanted.number,
            warmth=self.warmth,
            context=context,
            plan=plan,
            cancellation=self._cancellation,
            post=self.post,
            may_leave_out=may_leave_out,
        )
        with self.front.progress({}) as show:
            warmed = previews.run(show)
        if not self._cancellation.is_set():
            self.warmed(warmed)  # from here: the session would print it into the progress of the run that follows

    def _prepare(self, context: RunContext, cells: list[str]) -> None:
        """Let the next edit find warm processes; build the environments of cells whose result was kept."""
        if unknown := self.warmth.unknown(cells):
            plan = choose_cells(make_plan(context), lambda cell: cell.id in unknown)
            run.trial(context, plan, until=Stage.BUILD)
        first = context.options.first
        self.warmth.prepare(tuple(dict.fromkeys((*first, *cells))), self._cancellation)
        if not self._cancellation.is_set():
            self.post(Prepared(round=self.wanted.number, cells=len(self.warmth.ready(cells))))

    def _ended(self, context: RunContext, plan: Plan) -> Ended:
        report, folder = run.execute(context, make_request(context, plan))
        if report.exit_status == ExitStatus.INTERRUPTED:
            with suppress(OSError):
                own_folders.delete(context.root, run_folders.RUNS, folder.id)
            return Ended(round=self.wanted.number)
        sides = tuple(order.sides(Analysis(report)))
        return Ended(round=self.wanted.number, done=(context, report, folder), sides=sides)

    @contextmanager
    def _listening(self, stop: Callable[[], None]) -> Iterator[None]:
        self._stops.append(stop)
        if self._cancellation.is_set():  # before there was something to stop
            stop()
        yield

    @contextmanager
    def _progress(self, expected: Mapping[str, float]) -> Iterator[Callable[[Event], None]]:
        with self.front.progress(expected) as show:

            def pass_on(event: Event) -> None:
                if isinstance(event, CellFinished):
                    self.post(Finished(round=self.wanted.number, result=event.result))
                show(event)

            yield pass_on
