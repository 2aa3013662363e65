"""The use case "bisect --commits": which commit of the project broke a cell.

Each commit is checked out into one temporary folder, a clone that shares the objects of git. The user's checkout, its
index and its work trees are only read. The configuration is that of today, and so are the versions of distributions,
where the commit allows it. The line is that of first parents; if a merge is to blame, its branch is searched, too.
"""

from __future__ import annotations

import shutil
import tempfile
from contextlib import contextmanager
from dataclasses import field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from venvgrid.analysis.search.bisection import Line, bisected
from venvgrid.analysis.search.protocol import Observation, Probe, Verdict, answer
from venvgrid.app.investigation.bisect import BASE, Bisection, aimed, told
from venvgrid.app.investigation.prober import FOLDER, Prober
from venvgrid.app.investigation.target import Target
from venvgrid.app.investigation.worlds import company, distributions, unbounded
from venvgrid.app.reproduction.checkout import Checkouts
from venvgrid.app.reproduction.commits import History
from venvgrid.app.reproduction.tests_of import WORK_TREE, take_tests
from venvgrid.model import ConfigError, InfrastructureError, LockEntry, UsageError, serialization
from venvgrid.model.values import dataclass
from venvgrid.processes.diagnosis import headline
from venvgrid.storage import digests, directories, json_cache

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from venvgrid.app.context import RunContext
    from venvgrid.model import Cell, CellResult

FORMAT = "venvgrid-commits-1"
MAX_MERGES = 8  # within each other


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """The ends, as the user names them; `good` is "" where it is to be found. `tests_of` is a commit, "." or ""."""

    good: str = ""
    bad: str = "HEAD"
    tests_of: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Commit:
    """The probe of a commit; `again` counts repetitions."""

    name: str
    again: int = 0


def bisect(context: RunContext, cell: Cell, asked: Asked, earlier: CellResult | None = None) -> Bisection:
    """Return which commit broke a cell; `earlier` is the last result of the cell, if it was red.

    Raises:
        UsageError: this is no checkout, there is no such commit, or good is no ancestor of bad.
        InfrastructureError: git fails, or the cell cannot be resolved at the bad commit.
    """
    project, folder = context.config.project.path, context.config.root
    history = History.of(project, context.machine.environ, context.machine.run)
    if not folder.is_relative_to(history.root):
        raise UsageError(
            f"{context.config.file} is not in the repository of the project, {history.root}: move it there"
        )
    bad, good = history.commit(asked.bad), history.commit(asked.good) if asked.good else ""
    line = history.line(good, bad)
    if history.read("status", "--porcelain", "--untracked-files=no"):
        context.front.notify("note: the changes in your checkout that are not committed are in none of the commits")
    directories.prepare(context.root, context.environments)  # git ignores it
    with _workbench(context, cell, history, asked.tests_of) as bench:
        bench.aim(bad, earlier)
        found = bench.search(line, has_good=bool(good))
        for _ in range(MAX_MERGES):
            inner = bench.inside_merge(found)
            if inner is None:
                break
            found = inner
        found = bench.judged(found)
        named = {name for item in found.changes for name in (item.good, item.bad)} | {item.name for item in found.steps}
        return replace(
            found,
            builds=len(bench.built),
            runs=bench.runs,
            titles=history.titles(sorted(named)),
        )


@contextmanager
def _workbench(context: RunContext, cell: Cell, history: History, tests_of: str) -> Iterator[_Bench]:
    folder = Path(tempfile.mkdtemp(prefix="venvgrid-bisect-"))
    try:
        tests = tests_of if tests_of in {"", WORK_TREE} else history.commit(tests_of)
        yield _Bench(context=context, cell=cell, history=history, tests_of=tests, root=folder / history.root.name)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@dataclass(slots=True, kw_only=True)
class _Bench:
    """One folder in which commits are checked out, one after the other; environments in it are used again."""

    context: RunContext
    cell: Cell
    history: History
    tests_of: str
    root: Path
    at: str = ""  # the commit that is checked out
    built: set[str] = field(default_factory=set)
    runs: int = 0
    known: dict[Commit, Observation] = field(default_factory=dict)
    world: LockEntry = field(init=False)  # of the bad commit
    prober: Prober = field(init=False)  # of the commit that is checked out

    # Commits.

    def aim(self, bad: str, earlier: CellResult | None) -> None:
        """Learn which failure the bad commit has, and in which world."""
        prober = self._prober(bad, Target())
        world = prober.resolve(Probe())
        if not isinstance(world, LockEntry):
            raise InfrastructureError(f"{self.cell.id} does not resolve at commit {bad[:10]}: {world}")
        self.world = world
        prober.bases[BASE] = world.distributions
        self.prober = aimed(prober, Probe(base=BASE), earlier)
        self.runs += self.prober.tests
        for key, plain in json_cache.read(self._file, format=FORMAT).get("known", {}).items():
            name, _, again = key.rpartition(".")
            self.known[Commit(name=name, again=int(again))] = serialization.from_plain(Observation, plain)

    def search(self, line: Sequence[str], *, has_good: bool) -> Bisection:
        """Return where commits in a line become bad."""

        def probe(place: int, again: int) -> Commit:
            return Commit(name=line[place], again=again)

        ends = Line(bad=len(line) - 1, good=0 if has_good else None, probe=probe)
        found = answer(bisected(ends), self._ask)
        project = self.context.project.metadata.name if self.context.project.metadata else self.history.root.name
        return told(found, line, Bisection(kind="commits", name=project, cell=self.cell.id), self.prober.target)

    def inside_merge(self, found: Bisection) -> Bisection | None:
        """Return the change within the branch that a bad merge brought; None if the merge itself is to blame."""
        if found.problem or found.changes[-1].skipped:
            return None
        for line in self.history.branch(found.changes[-1].bad):
            (seen,) = self._ask([Commit(name=line[-1])])
            if seen.verdict is Verdict.BAD:
                inner = self.search(line, has_good=True)
                steps = {item.name: item for item in (*found.steps, *inner.steps)}
                return None if inner.problem else replace(inner, steps=tuple(steps.values()))
        return None

    def judged(self, found: Bisection) -> Bisection:
        """Return a bisection with what the bad commit changed besides code: the good one is tried with it."""
        if found.problem:
            return found
        change = found.changes[-1]
        sides = [dict(self.known[Commit(name=name)].packages) for name in (change.good, change.bad)]
        moved = company(*sides)
        if not moved:
            return found
        key = Commit(name=f"{change.good} with {change.bad}")
        if key not in self.known:
            self.known[key] = self._with_company(change.good, moved, sides[1])
            self._save()
        acquitted = {Verdict.GOOD: True, Verdict.BAD: False}.get(self.known[key].verdict)
        return replace(found, changes=(*found.changes[:-1], replace(change, company=moved, acquitted=acquitted)))

    def _with_company(
        self, commit: str, moved: Mapping[str, tuple[str, str]], packages: Mapping[str, str]
    ) -> Observation:
        """Return what a commit shows with the distributions of another one, whatever it requires of these."""
        prober = replace(
            self._prober(commit, self.prober.target),
            metadata_for=lambda _cell, metadata: replace(metadata, requires=unbounded(metadata.requires, moved)),
        )
        prober.bases[BASE] = distributions(packages)
        prober.titles[BASE] = "the commit before, with " + ", ".join(
            f"{name} {new}" for name, (_, new) in moved.items()
        )
        (seen,) = prober.ask([Probe(base=BASE, pins=tuple((name, new) for name, (_, new) in moved.items() if new))])
        self.runs += prober.tests
        return seen

    # Probes.

    def _ask(self, probes: Sequence[Commit]) -> list[Observation]:
        """Return what commits show; the runs of one commit go on at once."""
        found: dict[Commit, Observation] = {}
        for name in dict.fromkeys(probe.name for probe in probes):
            new = [probe for probe in probes if probe.name == name and probe not in self.known]
            seen = dict(zip(new, self._tested(name, new), strict=True)) if new else {}
            self.known.update({probe: item for probe, item in seen.items() if item.runs})
            found.update(seen)
            if seen:
                self._save()
        return [self.known.get(probe) or found[probe] for probe in probes]

    def _save(self) -> None:
        if self.tests_of != WORK_TREE:
            kept = {key: item for key, item in self.known.items() if item.verdict is not Verdict.UNKNOWN}
            plain = {f"{key.name}.{key.again}": serialization.to_plain(item) for key, item in kept.items()}
            json_cache.save(self._file, {"known": plain}, format=FORMAT)

    def _tested(self, commit: str, probes: Sequence[Commit]) -> list[Observation]:
        try:
            prober = self._prober(commit, self.prober.target)
            prober.bases.update(self.prober.bases)
            found = prober.ask([Probe(base=BASE, again=probe.again) for probe in probes])
        except (ConfigError, UsageError) as error:  # today's configuration may not fit an older commit
            return [Observation(verdict=Verdict.UNKNOWN, reason=headline(str(error)), runs=0)] * len(probes)
        if prober.tests:
            self.built.add(commit)
            self.runs += prober.tests
        return found

    def _prober(self, commit: str, target: Target) -> Prober:
        self._check_out(commit)
        self.context.front.notify(f"commit {commit[:10]} {self.history.titles([commit]).get(commit, '')}")
        config, origin = self.context.config, self.history.root

        def moved(path: Path) -> Path:
            return self.root / path.relative_to(origin) if path.is_relative_to(origin) else path

        there = replace(
            config,
            file=moved(config.file),
            root=moved(config.root),
            project=replace(config.project, path=moved(config.project.path)),
        )
        context = replace(self.context, config=there)
        context.__dict__["machine"] = self.context.machine  # the interpreters of the user's configuration
        return Prober(context=context, target=target, cells={self.cell.id: self.cell, "": self.cell})

    @property
    def _file(self) -> Path:
        """The file of what was learnt: interrupted, a search goes on from there."""
        context, target = self.context, self.prober.target
        world = [(item.name, item.version) for item in self.world.distributions]
        around = context.result_cache.surroundings(self.cell, self.world.interpreter)
        what = [context.config.digest, self.cell.id, world, around, target.signature, target.tests, self.tests_of]
        name = f"commits-{digests.of_json([*what, context.options.arguments], 16)}.json"
        return context.root / FOLDER / name

    # The folder.

    def _check_out(self, commit: str) -> None:
        """Check out a commit; the environments in the folder stay."""
        if self.at == commit:
            return
        own = (self.context.root).relative_to(self.history.root)
        kept = self.root.parent / "kept"
        if (self.root / own).is_dir():
            shutil.move(self.root / own, kept)
        shutil.rmtree(self.root, ignore_errors=True)
        self.at = ""
        checkouts = Checkouts(
            folder=self.root.parent,
            environ=self.context.machine.environ,
            run=self.context.machine.run,
            notify=self.context.front.notify,
        )
        checkouts.copy(self.history.root, commit, self.root)
        if self.tests_of:
            inside = self.context.config.project.path.relative_to(self.history.root).as_posix()
            take_tests(self.history, self.tests_of, inside, self.root)
        if kept.is_dir():
            (self.root / own).parent.mkdir(parents=True, exist_ok=True)
            shutil.move(kept, self.root / own)
        self.at = commit
