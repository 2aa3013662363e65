"""Finding every Python of a machine, active or not, and telling where it was looked for."""

from __future__ import annotations

import dataclasses
import os
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from venvgrid.interpreters.cache import InterpreterCache
from venvgrid.interpreters.candidates import Candidates, Rejected, base_executable, canonical, collect
from venvgrid.interpreters.locations import Machine, lookups
from venvgrid.interpreters.query import TIMEOUT, QueryResult, ask

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from venvgrid.model.environment import Interpreter
    from venvgrid.processes.command import Runner


class MapParallel(Protocol):
    """`map`, or its like that calls the function on several items at a time; results are in the order of the items."""

    def __call__(self, function: Callable[[Any], Any], items: Iterable[Any], /) -> Iterable[Any]:
        """Give the function's results."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where was looked, and what came of it."""

    source: str  # "pyenv", "uv", "PATH", …
    folder: str
    there: bool = True
    versions: tuple[str, ...] = ()  # of the interpreters that were found here first
    again: int = 0  # interpreters that an earlier place had already given
    passed_over: tuple[Rejected, ...] = ()

    @property
    def found(self) -> int:
        """How many interpreters were found here first."""
        return len(self.versions)


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """The interpreters of a machine, each once, in the order of their sources, and the places, in the same order."""

    interpreters: tuple[Interpreter, ...] = ()
    places: tuple[Place, ...] = ()


def discover(
    *,
    run: Runner,
    cache: Path | None,
    environ: Mapping[str, str] | None = None,
    home: Path | None = None,
    platform: str = sys.platform,
    map_parallel: MapParallel = map,
) -> Found:
    """Find the interpreters of this machine.

    `cache` is a folder for what was learned, None for none. What is already known there starts no process; the rest is
    asked by `run`, several at a time if `map_parallel` does that. Nothing is raised: what fails is passed over.
    """
    machine = Machine(
        environ=os.environ if environ is None else environ,
        home=home or Path.home(),
        platform=platform,
        running=sys.executable or "",
    )
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
    """Find the interpreters of `machine`; as `discover`. `timeout` is what one candidate may take, in seconds."""
    collected = [collect(lookup, machine) for lookup in lookups(machine)]
    now = clock()
    memory = InterpreterCache(cache, now=now)
    wanted: dict[str, Path] = {}
    for candidates in collected:
        for path in candidates.executables:
            wanted.setdefault(_real(path), path)
    answers = {real: answer for real, path in wanted.items() if (answer := memory.recall(path))}
    unknown = [(real, path) for real, path in wanted.items() if real not in answers]

    def ask_one(item: tuple[str, Path]) -> QueryResult:
        return ask(item[1], run=run, environ=machine.environ, timeout=timeout)

    for (real, path), answer in zip(unknown, map_parallel(ask_one, unknown), strict=True):
        answers[real] = dataclasses.replace(answer, asked=now)
        memory.keep(path, answers[real])
    memory.save()
    return _assemble(collected, answers)


def find_one(
    path: Path,
    *,
    run: Runner,
    cache: Path | None,
    environ: Mapping[str, str],
    source: str = "path",
) -> Interpreter | Rejected:
    """Ask one executable, or say why it is none; a virtual environment gives the Python that it was made from."""
    base = base_executable(path)
    if base is not None and not base.exists():
        return Rejected(path=str(path), reason=f"a virtual environment of {base}, which is gone")
    path = canonical(base or path)
    memory = InterpreterCache(cache, now=time.time())
    answer = memory.recall(path)
    if answer is None:
        answer = dataclasses.replace(ask(path, run=run, environ=environ), asked=time.time())
        memory.keep(path, answer)
        memory.save()
    if answer.interpreter is None:
        return Rejected(path=str(path), reason=answer.reason)
    return dataclasses.replace(answer.interpreter, source=source)


def _assemble(collected: Iterable[Candidates], answers: Mapping[str, QueryResult]) -> Found:
    """Count every interpreter where it was found first."""
    interpreters: list[Interpreter] = []
    places: list[Place] = []
    seen: set[object] = set()
    for candidates in collected:
        versions: list[str] = []
        again = 0
        passed_over = list(candidates.passed_over)
        for path in candidates.executables:
            answer = answers[_real(path)]
            if answer.interpreter is None:
                passed_over.append(Rejected(path=str(path), reason=answer.reason))
                continue
            keys = _identities(answer.interpreter, answer.prefix)
            if seen & keys:
                again += 1
            else:
                interpreters.append(dataclasses.replace(answer.interpreter, source=candidates.lookup.source))
                versions.append(answer.interpreter.version)
            seen |= keys
        place = Place(
            source=candidates.lookup.source,
            folder=str(candidates.lookup.folder),
            there=candidates.there,
            versions=tuple(versions),
            again=again,
            passed_over=tuple(passed_over),
        )
        places.append(place)
    return Found(interpreters=tuple(interpreters), places=tuple(places))


def _identities(interpreter: Interpreter, prefix: str) -> set[object]:
    """Give what two names of one interpreter have in common: the file, or the installation (Windows copies files)."""
    build = (interpreter.version, interpreter.implementation, interpreter.free_threaded, interpreter.debug)
    keys: set[object] = {(_real(Path(interpreter.executable)), interpreter.version)}
    return keys | {(_real(Path(prefix)), interpreter.bits, *build)} if prefix else keys


def _real(path: Path) -> str:
    return os.path.normcase(os.path.realpath(path))
