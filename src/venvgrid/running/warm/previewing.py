"""One preview: the command of a cell, as a full run has it, in a fork of a warm server."""

from __future__ import annotations

import shutil
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Protocol

from venvgrid.model import TestFinished
from venvgrid.model.values import dataclass
from venvgrid.outcomes import judgement, probe, witness
from venvgrid.running.monitor import ProgressMonitor
from venvgrid.running.warm.preview import Cold, Preview
from venvgrid.running.witnessing import CellWitness

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from venvgrid.model import Event
    from venvgrid.outcomes.provenance import Scene
    from venvgrid.processes.command import Cancellation, Command, Completed
    from venvgrid.processes.warm.server import State
    from venvgrid.running.cell_command import CellCommands
    from venvgrid.running.executors.base import Post
    from venvgrid.running.tasks import TestTask
    from venvgrid.running.warm import way
    from venvgrid.running.warm.imported import Imported

WITNESS = "witness"  # in the folder of a server


class WarmServer(Protocol):
    """The part of `processes.warm.server.Server` that is used here."""

    folder: Path

    def state(self) -> State | None:
        """Return its state, None while it imports."""

    def wait(self, cancellation: Cancellation) -> State | None:
        """Return its state after its imports."""

    def is_alive(self) -> bool:
        """Return whether its process has not ended."""

    def memory(self) -> int:
        """Return the bytes that its processes hold."""

    def close(self) -> str:
        """End it; return the last of its output."""

    def run(
        self, command: Command, *, script: str = "", cancellation: Cancellation, poll: Callable[[], None]
    ) -> Completed:
        """Run pytest in a fork."""


@dataclass(slots=True, kw_only=True)
class Warm:
    """A server, and what a run needs of it. `users` are the runs of this moment."""

    server: WarmServer
    way: way.Way
    scene: Scene
    imported: Imported
    users: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class PreviewRun:
    """One run of a cell in a server. `scratch` is for this run alone."""

    commands: CellCommands
    task: TestTask
    warm: Warm
    scratch: Path
    overlay: Path | None
    post: Post

    def run(self, cancellation: Cancellation) -> Preview | Cold:
        """Run the tests and judge what they said."""
        began, first = time.monotonic(), list[float]()

        def post(event: Event) -> None:
            if isinstance(event, TestFinished) and not first:
                first.append(time.monotonic() - began)
            self.post(event)

        command, stream = self._command()
        watched = ProgressMonitor(self.task.cell.id, stream, post, 1)
        self.commands.log_of(self.task.cell).unlink(missing_ok=True)
        completed = self.warm.server.run(
            command, script=self.warm.way.script, cancellation=cancellation, poll=watched.poll
        )
        if completed.error:
            return Cold(reason=completed.error)
        if watched.observed.declined:
            return Cold(reason=watched.observed.declined)
        judged = self._judged(watched, completed)
        return Preview(
            cell=self.task.cell.id,
            outcome=judged.outcome,
            reason=judged.reason,
            tests={name: count for name, count in judged.tests.items() if count},
            failures=judged.failures,
            left_out=watched.observed.left_out,
            seconds=time.monotonic() - began,
            first=first[0] if first else None,
            notes=(self.warm.imported.note,) if self.warm.imported.note else (),
        )

    def _command(self) -> tuple[Command, probe.Stream]:
        """Return the command of this run with its variables, and the stream of its probe."""
        child = self.commands.variables(self.task, self.scratch, 1)
        seen = CellWitness(
            task=self.task,
            scene=self.warm.scene,
            folder=self.scratch / "witness",
            private=self.commands.private_folder(self.task.cell),
            project=self.commands.config.project.path,
            is_preview=True,
            overlay=self.overlay,
        )
        child |= seen.switch_on()
        shared = self.warm.server.folder / WITNESS
        partial = shutil.copyfile(child[witness.VARIABLE], self.scratch / "shared")
        partial.replace(shared)
        child |= self.commands.probe(self.task, self.scratch / "probe", child, {})
        stream = probe.Stream(self.scratch / "probe" / probe.STREAM_NAME)
        return self.commands.tests(self.task, child, self.scratch), stream

    def _judged(self, watched: ProgressMonitor, completed: Completed) -> judgement.Judgement:
        ended = self.commands.ending(completed)
        # The project comes from the overlay: where from is not attested.
        expected = replace(self.commands.expectation(self.task), project="", project_version="", project_origin="")
        return judgement.judge(watched.observed, ended, expected)
