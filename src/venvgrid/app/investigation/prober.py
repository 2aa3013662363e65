"""Runs probes: resolves their worlds, tests all of a batch in one trial, and remembers what each showed.

A world is its lock entry: two probes with equal entries are one question. What was answered is kept in
`.venvgrid/investigations`, so that an investigation that was interrupted goes on where it stopped.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import field, replace
from typing import TYPE_CHECKING

from packaging.version import Version

from venvgrid.analysis.search.protocol import Observation, Probe, Verdict
from venvgrid.analysis.search.story import Effort
from venvgrid.app import assembly
from venvgrid.app.investigation.kept import Answers
from venvgrid.app.investigation.worlds import attested, pinned, undated
from venvgrid.app.request import interpreters_for
from venvgrid.app.resolution import TASK_ERRORS, metadata_of
from venvgrid.app.run import trial, using_environments
from venvgrid.installers.base import ResolveFailed, Unresolvable
from venvgrid.model import (
    Distribution,
    LockEntry,
    Outcome,
    Plan,
    PlannedCell,
    Status,
    UsageError,
)
from venvgrid.model.names import normalise
from venvgrid.model.values import dataclass
from venvgrid.processes.diagnosis import headline
from venvgrid.processes.parallel import map_parallel
from venvgrid.project import reads
from venvgrid.resolving.requirements import Wish
from venvgrid.running.executors.base import Slots
from venvgrid.storage import digests, own_folders

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from pathlib import Path

    from venvgrid.app.context import RunContext
    from venvgrid.app.investigation.target import Target
    from venvgrid.model import Cell, CellResult
    from venvgrid.project.metadata import Metadata
    from venvgrid.resolving.resolver import Resolver

FOLDER = "investigations"
WORDS = {Verdict.GOOD: "passes", Verdict.BAD: "fails", Verdict.UNKNOWN: "unknown"}
OF_PROBE = ".probe"  # in the ids of the cells that probes run in


class SpentError(Exception):
    """An investigation would build more environments than it may."""


@dataclass(kw_only=True)
class Prober:
    """Asks probes about one failure. `cells` are those that probes name, by id; "" is the one of the search.

    `bases` are the worlds that probes keep to, by name, and may have a cell of their own by that name; a base that is
    a time is what resolves until then. `limits` are versions that no world reaches: of culprits that were found.
    `metadata_for` returns the metadata of the project that a cell is resolved with. It counts what it did:
    `resolves`, `builds`, `tests`.
    """

    context: RunContext
    target: Target
    cells: Mapping[str, Cell]
    bases: dict[str, tuple[Distribution, ...]] = field(default_factory=dict)
    limits: dict[str, str] = field(default_factory=dict)
    entries: dict[Probe, LockEntry] = field(default_factory=dict)
    builds: set[str] = field(default_factory=set)
    titles: dict[str, str] = field(default_factory=dict)  # of the bases, for people
    most: int | None = None  # environments that may be built
    metadata_for: Callable[[Cell, Metadata], Metadata] = lambda _cell, metadata: metadata
    undecided: dict[Probe, str] = field(default_factory=dict)  # no resolver could say whether their worlds exist
    resolves: int = 0
    tests: int = 0
    _answers: Answers = field(init=False)
    told: set[str] = field(default_factory=set)  # lines that the user was told
    _resolvers: dict[str, Resolver | str] = field(default_factory=dict, init=False)  # by the id of the cell

    def __post_init__(self) -> None:
        """Read what was answered before.

        Tests are not retried, as a flaky failure is an answer too, and few tests need not import the project.
        """
        suite = replace(self.context.config.test, retries=0, imports="noted")
        config = replace(self.context.config, test=suite)
        self.context = replace(self.context, config=config).sharing(self.context)
        self._answers = Answers.read(self._file, reads.state_of)

    def ask(self, probes: Sequence[Probe], ahead: Sequence[Probe] = ()) -> list[Observation]:
        """Return what each probe shows; what was answered before is not run again. `ahead` are run beside them.

        Raises:
            SpentError: too many environments were built.
        """
        every = (*probes, *ahead)
        found = dict(zip(every, self._resolved(every), strict=True))
        todo: dict[str, Probe] = {}
        for probe, world in found.items():
            if isinstance(world, LockEntry):
                self.entries[probe] = world
                if (key := self._key(probe, world)) not in self._answers.known:
                    todo.setdefault(key, probe)
        if self.most is not None and len(self.builds) >= self.most and todo:
            raise SpentError(f"stopped after {len(self.builds)} environments; to go on, type the same again")
        self._run(todo)
        return [self._seen(probe, found[probe]) for probe in dict.fromkeys(probes)]

    def _seen(self, probe: Probe, world: LockEntry | str) -> Observation:
        """Return what a probe showed, and tell the user."""
        if isinstance(world, str):
            seen = Observation(verdict=Verdict.UNKNOWN, reason=world, runs=0)
        else:
            seen = self.target.observation(self._answers.known[self._key(probe, world)])
        why = f" ({seen.reason})" if seen.reason else ""
        self._tell(f"  {self.title(probe)}: {WORDS[seen.verdict]}{why}")
        return seen

    def title(self, probe: Probe) -> str:
        """Return what a probe tries, for people: "2022-03-01 with numpy 2.0.0"."""
        plain = (probe.base or probe.cutoff or probe.cell or "today").removesuffix("T00:00:00Z")
        base = self.titles.get(probe.base) or plain
        pins = ", ".join(f"{name} {version}" for name, version in probe.pins)
        return base + (f" with {pins}" if pins else "") + (", again" if probe.again else "")

    def set_base(self, name: str, distributions: Iterable[Distribution]) -> None:
        """Let a name stand for another world."""
        self.bases[name] = tuple(distributions)
        for probe in [item for item in self.entries if item.base == name]:
            del self.entries[probe]

    def limit(self, name: str, bad: str, good: str) -> None:
        """Let every further world have a version of a distribution on the good side of a bad one."""
        self.limits[name] = f"{'<' if Version(good) < Version(bad) else '>'}{bad}"
        self.entries.clear()

    @property
    def effort(self) -> Effort:
        """What was done so far, without the seconds."""
        return Effort(resolves=self.resolves, builds=len(self.builds), tests=self.tests)

    def tidy(self) -> None:
        """Delete the environments and folders that only probes had."""
        store, root = self.context.store, self.context.root
        with using_environments(self.context):
            for left in (*root.glob(f"envs/*{OF_PROBE}*"), *root.glob(f"cells/*{OF_PROBE}*")):
                with suppress(OSError):
                    own_folders.delete(left.parent, left.name)
            used = set(store.linked().values())
            for key in self.builds - used:
                store.wipe(key)

    def _cell(self, probe: Probe) -> Cell:
        """Return the cell of a probe: the one that it names, that of its base, or that of the search."""
        if probe.cell:
            return self.cells[probe.cell]
        return self.cells.get(probe.base) or self.cells[""]

    def result(self, probe: Probe) -> CellResult | None:
        """Return the result of a probe that was asked; None if its world does not resolve, or was not tested."""
        world = self.resolve(probe)
        return self._answers.known.get(self._key(probe, world)) if isinstance(world, LockEntry) else None

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
        self.resolves += sum(replace(probe, again=0) not in self.entries for probe in probes)
        for probe in probes:  # makes what the threads share before the first of them asks
            self._resolver(self._cell(probe))
        workers = Slots.for_workers(self.context.options.workers).network
        found = list(map_parallel(self._world, probes, workers=workers))
        for probe, world in zip(probes, found, strict=True):
            if probe.cutoff and isinstance(world, LockEntry):
                self._tell(*(f"note: {note}" for note in world.notes if note.startswith("as-of")))
        return found

    def _tell(self, *lines: str) -> None:
        """Tell the user what was not told before."""
        for line in lines:
            if line not in self.told:
                self.told.add(line)
                self.context.front.notify(line)

    def _world(self, probe: Probe) -> LockEntry | str:
        first = replace(probe, again=0)
        if first in self.entries:
            return self.entries[first]
        resolver, cell = self._resolver(self._cell(probe)), self._cell(probe)
        if isinstance(resolver, str):
            return resolver
        chosen, _ = interpreters_for(self.context, [cell.axes["python"]])
        interpreter = chosen[cell.axes["python"]]
        if isinstance(interpreter, str):
            return interpreter
        own = {normalise(name) for name in cell.axes}
        pins = tuple(item for item in probe.pins if item[0] not in own)
        base = self._base(probe.base)
        if isinstance(base, str):
            return base
        wish = Wish(pins=pins, prefer=base, limits=tuple(self.limits.items()), cutoff=probe.cutoff)
        try:
            answer = resolver.resolve(pinned(cell, probe), interpreter, wish)
        except UsageError as error:  # of the configuration, unless it is about what the probe asks for
            if not pins:
                raise
            return headline(str(error))
        except TASK_ERRORS as error:
            answer = ResolveFailed(reason=headline(str(error)))
        if isinstance(answer, LockEntry) and (reason := undated(probe, answer)):
            answer = ResolveFailed(reason=reason)
        if isinstance(answer, ResolveFailed):
            self.undecided[probe] = answer.reason
        return answer.reason if isinstance(answer, Unresolvable | ResolveFailed) else answer

    def _base(self, name: str) -> tuple[Distribution, ...] | str:
        """Return the world that a name stands for: one that was set, or that of a time."""
        if name in self.bases or not name:
            return self.bases.get(name, ())
        world = self._world(Probe(cutoff=name))
        return world if isinstance(world, str) else world.distributions

    def _resolver(self, cell: Cell) -> Resolver | str:
        if cell.id not in self._resolvers:
            chosen, _ = interpreters_for(self.context, [cell.axes["python"]])
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
            cell = self._cell(probe)
            name = f"{cell.id}{OF_PROBE}{number}"
            cells[name] = PlannedCell(cell=replace(pinned(cell, probe), id=name), status=Status.RUNNABLE)
            entries[name] = self.entries[probe]
        context = self.context.with_options(
            tests=self.target.tests,
            attest=(*self.context.options.attest, *attested(self.context, entries.values(), todo.values())),
            run_unchanged=True,
            locked=False,
            fail_fast=False,
        )
        keys = dict(zip(cells, todo, strict=True))

        def finished(result: CellResult) -> None:
            if result.outcome is Outcome.CANCELLED:
                return
            key = keys[result.id]
            self._answers.add(key, replace(result, id=self._cell(todo[key]).id))
            self.tests += 1
            self.builds.add(entries[result.id].key)

        trial(context, Plan(cells=tuple(cells.values())), entries=entries, finished=finished)

    def _key(self, probe: Probe, world: LockEntry) -> str:
        """Return the key of a world and its repetition, on this machine, with these variables."""
        around = self.context.result_cache.surroundings(self._cell(probe), world.interpreter)
        return f"{digests.of_json([world.key, around], 16)}.{probe.again}"

    @property
    def _file(self) -> Path:
        context, options = self.context, self.context.options
        sources = [context.config.digest, context.project.inputs_digest]
        asked = [*sources, self.target.tests, options.arguments, options.attest]
        return self.context.root / FOLDER / f"{digests.of_json(asked, 16)}.json"


def with_all_tests(prober: Prober) -> Prober:
    """Return a prober of the same failure that runs all tests, as those that failed do not fail alone."""
    prober.context.front.notify("the tests that failed do not fail so alone: all tests are run")
    return replace(prober, target=replace(prober.target, tests=()))
