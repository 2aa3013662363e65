"""Discovery of every Python of a machine, active or not, with a record of the places that were searched."""

from __future__ import annotations

import dataclasses
import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from venvgrid.interpreters.cache import InterpreterCache
from venvgrid.interpreters.candidates import Candidates, Rejected, base_executable, canonical, collect
from venvgrid.interpreters.locations import Machine, lookups
from venvgrid.interpreters.query import TIMEOUT, QueryResult, ask
from venvgrid.model.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from venvgrid.model import Interpreter
    from venvgrid.processes.command import Runner

    # `map`, or a version of it that handles several items at a time; results keep the order of the items.
    MapParallel = Callable[[Callable[[Any], Any], Iterable[Any]], Iterable[Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A place that was searched, and the result."""

    source: str  # "pyenv", "uv", "PATH", …
    folder: str
    exists: bool = True
    versions: tuple[str, ...] = ()  # of the interpreters that no earlier place had
    duplicates: int = 0  # interpreters that an earlier place had
    rejected: tuple[Rejected, ...] = ()

    @property
    def found(self) -> int:
        """Number of interpreters that no earlier place had."""
        return len(self.versions)


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """The interpreters of a machine, each once, and the places that were searched, in the same order."""

    interpreters: tuple[Interpreter, ...] = ()
    places: tuple[Place, ...] = ()


def discover(
    *,
    run: Runner,
    cache: Path | None,
    environ: Mapping[str, str] | None = None,
    map_parallel: MapParallel = map,
) -> Found:
    """Find the interpreters of this machine.

    `cache` is the folder of the interpreter cache, or None. Interpreters in it start no process; the others are queried
    with `run`, several at a time if `map_parallel` does that. Nothing is raised: a candidate that fails is rejected.
    """
    known = os.environ if environ is None else environ
    machine = Machine(environ=known, home=Path.home(), running=sys.executable or "")
    return search(machine, run=run, cache=cache, map_parallel=map_parallel)


def search(
    machine: Machine,
    *,
    run: Runner,
    cache: Path | None,
    map_parallel: MapParallel = map,
    timeout: float = TIMEOUT,
    clock: Callable[[], float] = time.time,
) -> Found:
    """Find the interpreters of `machine`, as `discover` does. `timeout` is the limit for a candidate, in seconds."""
    collected = [collect(lookup, machine) for lookup in lookups(machine)]
    now = clock()
    known = InterpreterCache(cache, now=now)
    wanted: dict[str, Path] = {}
    for candidates in collected:
        for path in candidates.executables:
            wanted.setdefault(_real(path), path)
    answers = {real: answer for real, path in wanted.items() if (answer := known.find(path))}
    unknown = [(real, path) for real, path in wanted.items() if real not in answers]

    def ask_one(item: tuple[str, Path]) -> QueryResult:
        return ask(item[1], run=run, environ=machine.environ, timeout=timeout)

    for (real, path), answer in zip(unknown, map_parallel(ask_one, unknown), strict=True):
        answers[real] = dataclasses.replace(answer, asked=now)
        known.add(path, answers[real])
    known.save()
    return _assemble(collected, answers)


def find_one(
    path: Path, *, run: Runner, cache: Path | None, environ: Mapping[str, str], source: str = "path"
) -> Interpreter | Rejected:
    """Return the interpreter at `path`, of an environment the one it was made from, or the reason why there is none."""
    base = base_executable(path)
    if base is not None and not base.exists():
        return Rejected(path=str(path), reason=f"a virtual environment of {base}, which is gone")
    path = canonical(base or path)
    known = InterpreterCache(cache, now=time.time())
    answer = known.find(path)
    if answer is None:
        answer = dataclasses.replace(ask(path, run=run, environ=environ), asked=time.time())
        known.add(path, answer)
        known.save()
    if answer.interpreter is None:
        return Rejected(path=str(path), reason=answer.reason)
    return dataclasses.replace(answer.interpreter, source=source)


def _assemble(collected: Iterable[Candidates], answers: Mapping[str, QueryResult]) -> Found:
    """Return the interpreters, each attributed to the first place that has it."""
    interpreters: list[Interpreter] = []
    places: list[Place] = []
    seen: set[object] = set()
    for candidates in collected:
        versions: list[str] = []
        duplicates = 0
        rejected = list(candidates.rejected)
        for path in candidates.executables:
            answer = answers[_real(path)]
            if answer.interpreter is None:
                rejected.append(Rejected(path=str(path), reason=answer.reason))
                continue
            keys = _identities(answer.interpreter, answer.prefix)
            if seen & keys:
                duplicates += 1
            else:
                interpreters.append(dataclasses.replace(answer.interpreter, source=candidates.lookup.source))
                versions.append(answer.interpreter.version)
            seen |= keys
        place = Place(
            source=candidates.lookup.source,
            folder=str(candidates.lookup.folder),
            exists=candidates.exists,
            versions=tuple(versions),
            duplicates=duplicates,
            rejected=tuple(rejected),
        )
        places.append(place)
    return Found(interpreters=tuple(interpreters), places=tuple(places))


def _identities(interpreter: Interpreter, prefix: str) -> set[object]:
    """Return keys that all names of an interpreter share: the file, or the installation (Windows copies files)."""
    build = (interpreter.version, interpreter.implementation, interpreter.free_threaded, interpreter.debug)
    keys: set[object] = {(_real(Path(interpreter.executable)), interpreter.version)}
    return keys | {(_real(Path(prefix)), interpreter.bits, *build)} if prefix else keys


def _real(path: Path) -> str:
    return os.path.normcase(os.path.realpath(path))
