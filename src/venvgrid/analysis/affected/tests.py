"""The order of tests after an edit: those that it can reach go first, the nearest before all. Pure.

The distance of a test module from an edited file is the number of steps in the map of a cell (see `reach`):
0 is the edited module itself, 1 a module that uses the edited file or opened it. A conftest.py is one step away from
all tests in its folder. A file that the map does not know may affect all tests. The tests that reach other files of
its folder go first then, as a guess. A new test module goes before all. At one distance, the module that is called as
the edited file goes first, then those that take the least time.
"""

from __future__ import annotations

from dataclasses import field
from itertools import groupby
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from venvgrid.analysis.affected.reach import INSTALLED, Reach
from venvgrid.model.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

CONFTEST = "conftest.py"
GUESSED = 1000  # steps by which a guess is behind all that is known
Rank = tuple[int, bool, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Affected:
    """The test modules that an edit can reach.

    `distances` has their steps, `modules` are the same, nearest first. `unknown` are edited files that no session
    recorded: with any of them, all tests may be affected. `named` are modules that are called as an edited file is,
    `seconds` the time that the tests of modules took.
    """

    distances: Mapping[str, int] = field(default_factory=dict)
    modules: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()
    named: frozenset[str] = frozenset()
    seconds: Mapping[str, float] = field(default_factory=dict)

    def rank(self, test: str) -> Rank | None:
        """Return the place of a test by its module, the lowest first; None if the edit is not known to reach it."""
        module = test.partition("::")[0]
        if module not in self.distances:
            return None
        return self.distances[module], module not in self.named, self.seconds.get(module, 0.0)

    def order(self, tests: Sequence[str], failed: Collection[str] = ()) -> tuple[str, ...]:
        """Return the ids of tests in their new order: failed ones, then by distance, else as they are. None is lost."""
        before = {test: place for place, test in enumerate(tests)}

        def place(test: str) -> tuple[bool, bool, Rank, int]:
            rank = self.rank(test)
            return test not in failed, rank is None, rank or (0, False, 0.0), before[test]

        return tuple(sorted(before, key=place))

    def groups(self) -> Iterator[tuple[int, tuple[str, ...]]]:
        """Yield each distance with its modules, nearest first."""
        for distance, some in groupby(self.modules, key=lambda module: self.distances[module]):
            yield distance, tuple(some)


def affected(reach: Reach, edited: Iterable[str]) -> Affected:
    """Return what an edit of these files can reach; `reach` is the map of one cell, or of several."""
    given = frozenset(edited)
    if not given:
        return Affected()
    known = {*reach.edges, *reach.tests.values()}
    known.update(*reach.edges.values(), *reach.opened.values())
    installed = {name: _installed_as(name, known) for name in given - known}
    wanted = given.union(*installed.values()) - {name for name, places in installed.items() if places}
    unknown = tuple(sorted(name for name in wanted - known if PurePosixPath(name).name != CONFTEST))
    distances = _of_modules(reach, wanted)
    for name in unknown:
        folder = PurePosixPath(name).parent
        beside = {other for other in known if PurePosixPath(other).parent == folder}
        for module, steps in _of_modules(reach, beside).items():
            distances.setdefault(module, steps + GUESSED)
        if _is_test(name):
            distances[name] = 0
    stems = {_stem(name) for name in given}
    named = frozenset(module for module in distances if _stem(module) in stems)
    seconds = reach.seconds
    order = sorted(distances, key=lambda name: (distances[name], name not in named, seconds.get(name, 0.0), name))
    return Affected(distances=distances, modules=tuple(order), unknown=unknown, named=named, seconds=seconds)


def _installed_as(name: str, known: Iterable[str]) -> set[str]:
    """Return the installed files that may come from a source, by the ends of their paths."""
    found = (other for other in known if other.startswith(INSTALLED))
    return {other for other in found if f"/{name}".endswith(f"/{other.removeprefix(INSTALLED)}")}


def joined(maps: Iterable[Reach]) -> Reach:
    """Return one map of several cells: an edge of any of them counts."""
    tests: dict[str, str] = {}
    edges: dict[str, set[str]] = {}
    opened: dict[str, set[str]] = {}
    seconds: dict[str, float] = {}
    for reach in maps:
        tests |= reach.tests
        seconds |= reach.seconds
        for name, others in reach.edges.items():
            edges.setdefault(name, set()).update(others)
        for test, files in reach.opened.items():
            opened.setdefault(test, set()).update(files)
    return Reach(
        tests=tests,
        edges={name: frozenset(others) for name, others in edges.items()},
        opened={test: frozenset(files) for test, files in opened.items()},
        seconds=seconds,
    )


def _of_modules(reach: Reach, files: Collection[str]) -> dict[str, int]:
    """Return the distance of each test module that reaches one of the files."""
    steps = _steps(reach, files)
    found = {}
    for module, file in reach.tests.items():
        folders = [str(folder) for folder in PurePosixPath(file).parents]
        above = [folder + "/" + CONFTEST if folder != "." else CONFTEST for folder in folders]
        possible = [steps[file]] if file in steps else []
        possible += [steps[name] + 1 for name in above if name in steps]
        possible += [1] if not reach.opened.get(module, frozenset()).isdisjoint(files) else []
        if possible:
            found[module] = min(possible)
    return found


def _steps(reach: Reach, files: Collection[str]) -> dict[str, int]:
    """Return the steps from each file that reaches one of `files`, by way of the edges."""
    users: dict[str, list[str]] = {}
    for name, others in reach.edges.items():
        for other in others:
            users.setdefault(other, []).append(name)
    steps = dict.fromkeys(files, 0)
    edge = list(files)
    while edge:
        reached = [user for name in edge for user in users.get(name, ())]
        distance = steps[edge[0]] + 1
        edge = [name for name in dict.fromkeys(reached) if name not in steps]
        steps.update(dict.fromkeys(edge, distance))
    return steps


def _is_test(name: str) -> bool:
    """Return whether pytest takes a file for a test module, unless it is configured in another way."""
    path = PurePosixPath(name)
    return path.suffix == ".py" and (path.stem.startswith("test_") or path.stem.endswith("_test"))


def _stem(name: str) -> str:
    """Return what a file and its test module have in common: "signer" of `signer.py` and of `test_signer.py`."""
    path = PurePosixPath(name)
    stem = path.parent.name if path.stem == "__init__" else path.stem
    return stem.removeprefix("test_").removesuffix("_test").strip("_")
