"""The effects of a run, put together: what the director's tasks really do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from venvgrid.environments.builder import BuildError
from venvgrid.model.errors import InfrastructureError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from venvgrid.environments.package_cache.bytecode import Bytecode
    from venvgrid.environments.store import Environment, EnvironmentStore
    from venvgrid.interpreters.provider import InterpreterProvider
    from venvgrid.model.environment import Interpreter, LockEntry
    from venvgrid.model.plan import Cell
    from venvgrid.model.result import CellResult
    from venvgrid.project.metadata import Metadata
    from venvgrid.project.wheels import Wheel, WheelCache
    from venvgrid.resolving.resolver import Resolver
    from venvgrid.results.result_cache import ResultCache
    from venvgrid.running.cell_job import CellJob, TestDone
    from venvgrid.running.cell_runner import CellRunner
    from venvgrid.running.loop import Post
    from venvgrid.running.tasks import CellAnswer


@dataclass(frozen=True, slots=True, kw_only=True)
class Worker:
    """See `director.Work`. `digest` is of the project's sources; `fresh` builds every environment anew."""

    pythons: InterpreterProvider
    wheel_cache: WheelCache
    digest: Callable[[], str]
    resolver: Callable[[Metadata | None], Resolver]
    store: EnvironmentStore
    bytecode: Bytecode
    verdicts: ResultCache
    steps: CellRunner
    invalidate: Callable[[str], None]
    fresh: bool = False

    def wheel(self, interpreter: Interpreter) -> Wheel:
        """Build the project's wheel for an interpreter, or take the one that is there."""
        return self.wheel_cache.wheel(interpreter, self.digest())

    def python(self, value: str, missing: str) -> Interpreter | str:
        """Have uv install an interpreter."""
        return self.pythons.download(value, missing)

    def resolve(self, cell: Cell, interpreter: Interpreter, metadata: Metadata | None) -> CellAnswer:
        """Resolve a cell."""
        return self.resolver(metadata).resolve(cell, interpreter)

    def build(self, entry: LockEntry, wheel: Wheel | None, cells: tuple[Cell, ...], *, alone: bool) -> Environment:
        """Build or reuse an environment, and make `.venvgrid/envs/CELL` of its cells lead to it."""
        try:
            environment = self.store.ensure(
                entry, wheel, prompt=cells[0].id, fresh=self.fresh and not alone, may_link=not alone
            )
        except BuildError:
            self.invalidate(entry.key)  # perhaps the index said something that was wrong
            raise
        for cell in cells:
            self.store.link(cell.id, environment)
        return environment

    def earlier(self, cell: Cell, entry: LockEntry) -> CellResult | None:
        """Give the earlier result of a cell that need not run again."""
        return self.verdicts.find(cell, entry)

    def test(self, work: CellJob, post: Post) -> TestDone:
        """Test a cell."""
        return self.steps.test(work, post)

    def collect(self, environment: Environment, imported: frozenset[str]) -> int:
        """Keep the bytecode of what was imported in a new environment."""
        return self.bytecode.collect(environment.cached_packages, imported, environment.interpreter)

    def record(self, cell: Cell, text: str) -> str:
        """Write a failed step's output into the cell's log."""
        return record(self.steps.folder, cell.id, text, self.steps.redactor.text)


def record(folder: Path, cell: str, text: str, clean: Callable[[str], str]) -> str:
    """Append text to logs/CELL.log of a run's folder; gives that name.

    Raises:
        InfrastructureError: it cannot be written.
    """
    name = f"logs/{cell}.log"
    try:
        (folder / "logs").mkdir(parents=True, exist_ok=True)
        with (folder / name).open("a", encoding="utf-8", errors="replace") as stream:
            stream.write(clean(text).rstrip("\n") + "\n")
    except OSError as error:
        message = f"{folder / name} cannot be written: {error.strerror or error}"
        raise InfrastructureError(message) from error
    return name
