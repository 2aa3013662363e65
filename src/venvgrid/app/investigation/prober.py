"""Runs probes: resolves their worlds, tests all of a batch in one trial, and remembers what each showed.

A world is its lock entry: two probes with equal entries are one question. What was answered is kept in
`.venvgrid/investigations`, so that an investigation that was interrupted goes on where it stopped.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from venvgrid.analysis.search.protocol import Observation, Probe, Verdict
from venvgrid.app import assembly
from venvgrid.app.request import interpreters_for
from venvgrid.app.resolution import TASK_ERRORS, metadata_of
from venvgrid.app.run import trial
from venvgrid.installers.base import ResolveFailed, Unresolvable
from venvgrid.model import CellResult, LockEntry, Plan, PlannedCell, Status, UsageError, serialization
from venvgrid.model.names import normalise
from venvgrid.processes.diagnosis import headline
from venvgrid.processes.parallel import map_parallel
from venvgrid.resolving.requirements import Wish
from venvgrid.running.executors.base import Slots
from venvgrid.storage import digests, json_cache

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from pathlib import Path

    from venvgrid.app.context import RunContext
    from venvgrid.app.investigation.target import Target
    from venvgrid.model import Cell, Distribution
    from venvgrid.project.metadata import Metadata
    from venvgrid.resolving.resolver import Resolver

FORMAT = "venvgrid-investigation-1"
FOLDER = "investigations"


@dataclass(kw_only=True)
class Prober:
    """Asks probes about one failure. `cells` are those that probes name, by id; "" is the one of the search.

    `bases` are the worlds that probes keep to, by name. `metadata_for` returns those of the project that a cell is
    resolved with. It counts what it did: `resolves`, `builds`, `tests`.
    """

    context: RunContext
    target: Target
    cells: Mapping[str, Cell]
    bases: dict[str, tuple[Distribution, ...]] = field(default_factory=dict)
    entries: dict[Probe, LockEntry] = field(default_factory=dict)
    builds: set[str] = field(default_factory=set)
    metadata_for: Callable[[Cell, Metadata], Metadata] = lambda _cell, metadata: metadata
    undecided: dict[Probe, str] = field(default_factory=dict)  # no resolver could say whether their worlds exist
    resolves: int = 0
    tests: int = 0
    _known: dict[str, CellResult] = field(default_factory=dict, init=False)  # by world and repetition
    _resolvers: dict[str, Resolver | str] = field(default_factory=dict, init=False)  # by the id of the cell

    def __post_init__(self) -> None:
        """Read what was answered before.

        Tests are not retried, as a flaky failure is an answer too, and few tests need not import the project.
        """
        suite = replace(self.context.config.test, retries=0, imports="noted")
        config = replace(self.context.config, test=suite)
        self.context = replace(self.context, config=config).sharing(self.context)
        with suppress(ValueError, KeyError, TypeError):
            for key, plain in json_cache.read(self._file, format=FORMAT)["results"].items():
                self._known[key] = serialization.from_plain(CellResult, plain)

    def ask(self, probes: Sequence[Probe]) -> list[Observation]:
        """Return what each probe shows; those that were answered before are not run again."""
        found = dict(zip(probes, self._resolved(probes), strict=True))
        todo: dict[str, Probe] = {}
        for probe, world in found.items():
            if isinstance(world, LockEntry):
                self.entries[probe] = world
                if (key := self._key(probe, world)) not in self._known:
                    todo.setdefault(key, probe)
        self._run(todo)
        return [
            self.target.observation(self._known[self._key(probe, world)])
            if isinstance(world, LockEntry)
            else Observation(verdict=Verdict.UNKNOWN, reason=world, runs=0)
            for probe, world in found.items()
        ]

    def result(self, probe: Probe) -> CellResult | None:
        """Return the result of a probe that was asked; None if its world does not resolve, or was not tested."""
        world = self.resolve(probe)
        return self._known.get(self._key(probe, world)) if isinstance(world, LockEntry) else None

    def resolve(self, probe: Probe) -> LockEntry | str:
        """Return the world of a probe, or why there is none."""
        if probe not in self.entries:
            (world,) = self._resolved([probe])
            if isinstance(world, str):
                return world
            self.entries[probe] = world
        return self.entries[probe]

    # Resolving.

    def _resolved(self, probes: Sequence[Probe]) -> list[LockEntry | str]:
        for probe in probes:  # makes what the threads share before the first of them asks
            self._resolver(self.cells[probe.cell])
        workers = Slots.for_workers(self.context.options.workers).network
        return list(map_parallel(self._world, probes, workers=workers))

    def _world(self, probe: Probe) -> LockEntry | str:
        first = replace(probe, again=0)
        if first in self.entries:
            return self.entries[first]
        resolver, cell = self._resolver(self.cells[probe.cell]), self.cells[probe.cell]
        if isinstance(resolver, str):
            return resolver
        chosen, _ = interpreters_for(self.context, (cell,))
        interpreter = chosen[cell.axes["python"]]
        if isinstance(interpreter, str):
            return interpreter
        pins = tuple(item for item in probe.pins if item[0] not in cell.axes)
        axes = {name: dict(probe.pins).get(name, value) for name, value in cell.axes.items()}
        wish = Wish(pins=pins, prefer=self.bases.get(probe.base, ()), cutoff=probe.cutoff)
        self.resolves += 1
        try:
            answer = resolver.resolve(replace(cell, axes=axes), interpreter, wish)
        except UsageError as error:  # of the configuration, unless it is about what the probe asks for
            if not pins:
                raise
            return headline(str(error))
        except TASK_ERRORS as error:
            answer = ResolveFailed(reason=headline(str(error)))
        if isinstance(answer, ResolveFailed):
            self.undecided[probe] = answer.reason
        return answer.reason if isinstance(answer, Unresolvable | ResolveFailed) else answer

    def _resolver(self, cell: Cell) -> Resolver | str:
        if cell.id not in self._resolvers:
            chosen, _ = interpreters_for(self.context, (cell,))
            metadata = metadata_of(self.context, chosen)[cell.axes["python"]]
            self._resolvers[cell.id] = (
                metadata.reason
                if isinstance(metadata, ResolveFailed)
                else assembly.make_resolver(self.context, metadata and self.metadata_for(cell, metadata))
            )
        return self._resolvers[cell.id]

    # Testing.

    def _run(self, todo: Mapping[str, Probe]) -> None:
        """Test worlds in one trial."""
        if not todo:
            return
        entries: dict[str, LockEntry] = {}
        cells: dict[str, PlannedCell] = {}
        for number, probe in enumerate(todo.values(), 1):
            cell = self.cells[probe.cell]
            axes = {name: dict(probe.pins).get(name, value) for name, value in cell.axes.items()}
            name = f"{cell.id}.probe{number}"
            cells[name] = PlannedCell(cell=replace(cell, id=name, axes=axes), status=Status.RUNNABLE)
            entries[name] = self.entries[probe]
        context = self.context.with_options(
            tests=self.target.tests,
            attest=(*self.context.options.attest, *_attested(self.context, entries.values(), todo.values())),
            run_unchanged=True,
            locked=False,
            fail_fast=False,
        )
        report = trial(context, Plan(cells=tuple(cells.values())), entries=entries)
        by_id = {result.id: result for result in report.cells}
        for name, (key, probe) in zip(cells, todo.items(), strict=True):
            self._known[key] = replace(by_id[name], id=self.cells[probe.cell].id)
            self.tests += 1
            self.builds.add(entries[name].key)
        said = {key: item for key, item in self._known.items() if item.outcome.is_green or item.outcome.is_red}
        plain = {key: serialization.to_plain(item) for key, item in said.items()}  # a build may fail for the network
        json_cache.save(self._file, {"results": plain}, format=FORMAT)

    @property
    def counts(self) -> tuple[int, int, int]:
        """How many worlds were resolved, built and tested."""
        return self.resolves, len(self.builds), self.tests

    def _key(self, probe: Probe, world: LockEntry) -> str:
        """Return the key of a world and its repetition."""
        variables = sorted(self.cells[probe.cell].variables.items())
        return f"{digests.of_json([world.key, variables], 16)}.{probe.again}"

    @property
    def _file(self) -> Path:
        asked = [
            self.context.config.digest,
            self.context.project.inputs_digest,
            self.target.tests,
            self.context.options.arguments,
            self.context.options.attest,
        ]
        return self.context.root / FOLDER / f"{digests.of_json(asked, 16)}.json"


def _attested(context: RunContext, worlds: Iterable[LockEntry], probes: Iterable[Probe]) -> tuple[str, ...]:
    """Return the pinned distributions that all worlds have: the tests have to see the versions that were asked for."""
    axes = {normalise(axis.name) for axis in context.config.axes}
    there = [{item.name for item in world.distributions} for world in worlds]
    pinned = {name for probe in probes for name, _ in probe.pins}
    return tuple(sorted(name for name in pinned - axes if all(name in some for some in there)))
