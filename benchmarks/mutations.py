"""Seeded mutations: how early the first red comes, by the order of tests and cells that `venvgrid watch` has.

    python benchmarks/mutations.py tests [PROJECT…] [--mutants 40]
    python benchmarks/mutations.py cells [--mutants 30]

Each mutant is a real project with one expression changed: a comparison, a sum, a constant, a condition, or what is
returned. `tests` runs the whole suite of each in one environment, and asks at which place of the natural order, of
failed-first and of affected-first the first failing test stands. `cells` runs each in a whole grid with venvgrid. Half
of its mutants are wrong only from some Python on, or only before. A mutant that no test notices counts nowhere.
"""

from __future__ import annotations

import argparse
import ast
import itertools
import os
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from first_hour import fetch

import venvgrid
from venvgrid.analysis import prioritisation
from venvgrid.analysis.affected import reach
from venvgrid.analysis.affected.tests import affected
from venvgrid.analysis.watching import order
from venvgrid.model import Cell
from venvgrid.outcomes import probe
from venvgrid.results.report import Earlier

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from venvgrid.results.report import Report

SEED = 17
HERE = f"{sys.version_info.major}.{sys.version_info.minor}"
PYTHONS = ("3.8", "3.9", "3.10", "3.11", "3.12", "3.13")
LIMIT = 120  # seconds of a suite; a mutant that takes longer is left out
FLIPPED = {
    ast.Eq: "!=", ast.NotEq: "==", ast.Lt: ">=", ast.GtE: "<", ast.Gt: "<=", ast.LtE: ">",
    ast.Is: "is not", ast.IsNot: "is", ast.In: "not in", ast.NotIn: "in",
    ast.Add: "-", ast.Sub: "+", ast.Mult: "+", ast.Mod: "*",
}  # fmt: skip


@dataclass(frozen=True)
class Project:
    """A released project: its source distribution, what its tests need, and the folder of its code."""

    sdist: str
    requires: tuple[str, ...] = ("pytest",)
    source: str = "src"


PROJECTS = {
    "itsdangerous": Project("itsdangerous==2.2.0", ("pytest", "freezegun")),
    "click": Project("click==8.1.8", ("pytest<9",)),
    "jinja2": Project("jinja2==3.1.6", ("pytest<9", "trio")),
}


@dataclass(frozen=True)
class Mutant:
    """One changed expression of a file. `guard` is a condition of Python under which the change holds, or ""."""

    file: Path
    start: int
    end: int
    text: str
    kind: str
    guard: str = ""

    def write(self) -> bytes:
        """Write it, and return the file as it was."""
        before = self.file.read_bytes()
        old = before[self.start : self.end].decode()
        new = f"({self.text} if __import__('sys').version_info {self.guard} else ({old}))" if self.guard else self.text
        self.file.write_bytes(before[: self.start] + new.encode() + before[self.end :])
        return before


def mutants(folder: Path, number: int, rng: random.Random) -> list[Mutant]:
    """Return mutants of the files below a folder, the files in turns; those that are no Python are left out."""
    by_file = []
    for file in sorted(folder.rglob("*.py")):
        found = list(sites(file))
        rng.shuffle(found)
        by_file.append(found)
    rng.shuffle(by_file)
    turns = (item for some in itertools.zip_longest(*by_file) for item in some if item)
    return list(itertools.islice((item for item in turns if is_valid(item)), number))


def is_valid(mutant: Mutant) -> bool:
    """Return whether a mutant is a program."""
    before = mutant.write()
    try:
        ast.parse(mutant.file.read_bytes())
    except (SyntaxError, ValueError):
        return False
    else:
        return True
    finally:
        mutant.file.write_bytes(before)


def sites(file: Path) -> Iterator[Mutant]:
    """Yield the mutants of the functions of a file."""
    data = file.read_bytes()
    lines = list(itertools.accumulate((len(line) for line in data.splitlines(keepends=True)), initial=0))

    def changed(node: ast.expr, text: str, kind: str) -> Mutant:
        start, end = lines[node.lineno - 1] + node.col_offset, lines[node.end_lineno - 1] + node.end_col_offset
        return Mutant(file, start, end, text, kind)

    for function in ast.walk(ast.parse(data)):
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
            for statement in function.body:
                for node in ast.walk(statement):
                    if new := mutated(node):
                        yield changed(*new)


def mutated(node: ast.AST) -> tuple[ast.expr, str, str] | None:
    """Return the expression of a node that is to be changed, its new text, and the kind of the change; or None."""
    match node:
        case ast.Compare(left=left, ops=[one], comparators=[right]):
            return node, f"({ast.unparse(left)} {FLIPPED[type(one)]} {ast.unparse(right)})", "comparison"
        case ast.BinOp(left=left, op=one, right=right) if type(one) in FLIPPED:
            return node, f"({ast.unparse(left)} {FLIPPED[type(one)]} {ast.unparse(right)})", "arithmetic"
        case ast.Return(value=ast.expr() as value) if not isinstance(value, ast.Constant):
            return value, "None", "return"
        case ast.If(test=test):
            return test, f"(not ({ast.unparse(test)}))", "condition"
        case ast.Assign(value=ast.Constant(value=bool() | int() as old) as value):
            return value, str(not old if isinstance(old, bool) else old + 1), "constant"
        case ast.Call(args=[*_, ast.Constant(value=bool() | int() as old) as value]):
            return value, str(not old if isinstance(old, bool) else old + 1), "constant"
        case _:
            return None


@dataclass
class Tried:
    """A project with its environment: the suite in natural order with seconds, and what each test module reaches."""

    root: Path
    python: str
    seconds: dict[str, float]
    reached: reach.Reach
    folder: Path
    runs: int = field(default=0)

    def failing(self, source: str) -> set[str]:
        """Return the ids of the tests that fail now; all if the suite cannot be collected."""
        self.runs += 1
        place = self.folder / str(self.runs)
        environ = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
        environ |= {"PYTHONPATH": str(self.root / source), "PYTHONDONTWRITEBYTECODE": "1"}
        environ |= probe.switch_on(place, prefix="", options="-p no:cacheprovider", user_env=environ)
        command = [self.python, "-m", "pytest", "-q", "--tb=no"]
        try:
            subprocess.run(command, cwd=self.root, env=environ, capture_output=True, timeout=LIMIT, check=False)
        except subprocess.TimeoutExpired:
            return set()
        found = probe.Stream(place / probe.STREAM_NAME).read_new()
        shutil.rmtree(place)
        bad = {item.id for item in found if getattr(item, "verdict", None) in {"failed", "error"}}
        return {test for test in self.seconds if test in bad or test.partition("::")[0] in bad}


def unpack(project: Project, folder: Path, pythons: Sequence[str]) -> Path:
    """Download and unpack a project, and write its matrix.toml; return its folder."""
    root = fetch(project.sdist, folder)
    requires = ", ".join(f'"{line}"' for line in project.requires)
    axes = ", ".join(f'"{version}"' for version in pythons)
    (root / "matrix.toml").write_text(
        f"[axes]\npython = [{axes}]\n[install]\nrequires = [{requires}]\n", encoding="utf-8"
    )
    return root


def of_tests(name: str, number: int, place: Path) -> list[str]:
    """Return the rows of a project: how far down the list the first red is, by each order."""
    project, rng = PROJECTS[name], random.Random(SEED)  # noqa: S311
    root = unpack(project, place, (HERE,))
    report = venvgrid.run(root / "matrix.toml")
    ((cell, cases),) = report.tests.items()
    private = root / ".venvgrid" / "cells" / cell
    python = str(root / ".venvgrid" / "envs" / cell / "bin" / "python")
    seconds = {test: case.duration for test, case in cases.items()}
    tried = Tried(root, python, seconds, reach.load(private), place / "runs")
    if tried.failing(project.source):
        sys.exit(f"{name}: tests fail without a mutant")
    natural, before, ranks = tuple(seconds), set[str](), dict[str, list[tuple[int, float]]]()
    hidden = 0
    for mutant in mutants(root / project.source, number, rng):
        original = mutant.write()
        try:
            failing = tried.failing(project.source)
        finally:
            mutant.file.write_bytes(original)
        if not failing:
            hidden += 1
            continue
        found = affected(tried.reached, [mutant.file.relative_to(root).as_posix()])
        orders = {
            "natural": natural,
            "failed first": (*(test for test in natural if test in before), *(t for t in natural if t not in before)),
            "affected first": found.order(natural),
            "failed, then affected": found.order(natural, before),
        }
        for kind, tests in orders.items():
            ranks.setdefault(kind, []).append(first_red(tests, failing, seconds))
        before = failing
    print(f"{name}: {len(natural)} tests, {number - hidden} mutants seen, {hidden} not seen", file=sys.stderr)
    return [row(name, kind, found) for kind, found in ranks.items()]


def first_red(tests: Sequence[str], failing: set[str], seconds: dict[str, float]) -> tuple[int, float]:
    """Return the place of the first failing test, from 1, and the share of the suite's seconds until its end."""
    place = next(at for at, test in enumerate(tests, 1) if test in failing)
    return place, sum(seconds[test] for test in tests[:place]) / sum(seconds.values())


def row(name: str, kind: str, found: list[tuple[int, float]]) -> str:
    """Return a row of the table."""
    places, shares = [place for place, _ in found], [share for _, share in found]
    within = [f"{sum(place <= most for place in places) / len(places):.0%}" for most in (1, 10, 50)]
    times = (statistics.median(shares), statistics.fmean(shares), max(shares))
    return " | ".join((f"| {name}", kind, *within, *(f"{share:.1%}" for share in times))) + " |"


def of_cells(number: int, place: Path) -> list[str]:
    """Return the rows of the grid: in how many mutants one of the first cells was red."""
    project, rng = PROJECTS["itsdangerous"], random.Random(SEED)  # noqa: S311
    root = unpack(project, place, PYTHONS)
    report = venvgrid.run(root / "matrix.toml")
    history = {item.id: Earlier(run="", outcome=item.outcome, seconds=item.durations["test"]) for item in report.cells}
    ranks: dict[str, list[int]] = {"everywhere": [], "in some Pythons": []}
    for turn, mutant in enumerate(mutants(root / project.source, number, rng)):
        guard = f"{rng.choice(['>=', '<'])} (3, {rng.randint(9, 13)})" if turn % 2 else ""
        original = Mutant(mutant.file, mutant.start, mutant.end, mutant.text, mutant.kind, guard).write()
        try:
            seen = venvgrid.run(root / "matrix.toml", arguments=("-x",))
        finally:
            mutant.file.write_bytes(original)
        red = {item.id for item in seen.cells if item.outcome.is_red}
        if red:
            places = in_order(report, history)
            ranks["in some Pythons" if guard else "everywhere"].append(
                next(at for at, cell in enumerate(places, 1) if cell in red)
            )
            print(mutant.kind, guard, sorted(red), file=sys.stderr)
    return [
        f"| itsdangerous, {len(PYTHONS)} cells | {kind} | {len(places)} |"
        + "".join(f" {sum(place <= most for place in places) / max(1, len(places)):.0%} |" for most in (1, 2))
        for kind, places in (*ranks.items(), ("all", [place for some in ranks.values() for place in some]))
    ]


def in_order(report: Report, history: dict[str, Earlier]) -> list[str]:
    """Return the ids of the cells as watch runs them after an edit, when all were green and no rule is known."""
    cells = [Cell(id=item.id, axes=item.axes) for item in report.cells]
    first = order.first(cells, (), ())
    places = prioritisation.order(cells, history).after(first).places
    return sorted(places, key=lambda cell: places[cell])


def main() -> None:
    """Print one table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("tests", "cells"))
    parser.add_argument("projects", nargs="*", choices=[*PROJECTS, []])
    parser.add_argument("--mutants", type=int, default=40, help="number of mutants (default: %(default)s)")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        if arguments.what == "cells":
            print("| grid | mutants | seen | first red in cell 1 | in cells 1 and 2 |\n|---|---|--:|--:|--:|")
            print("\n".join(of_cells(arguments.mutants, Path(folder))))
            return
        print("| project | order | red is test 1 | in the first 10 | in the first 50 | median share | mean | worst |")
        print("|---|---|--:|--:|--:|--:|--:|--:|")
        for name in arguments.projects or PROJECTS:
            place = Path(folder) / name
            place.mkdir()
            print("\n".join(of_tests(name, arguments.mutants, place)), flush=True)


if __name__ == "__main__":
    main()
