"""The use case "reproduce": the cell of a capsule is built and tested here, its failing tests first.

It is a trial: it leaves no run behind. The commands, the variables and the requirements are those of the sources'
own configuration. Of the capsule, only the locked distributions, the names of tests, the seed and a few harmless
variables are used: nothing that it says is executed.
"""

from __future__ import annotations

import re
import shlex
import tempfile
from contextlib import contextmanager
from dataclasses import fields, replace
from pathlib import Path
from typing import TYPE_CHECKING

from venvgrid.app.capsules import facts, given, plain
from venvgrid.app.capsules.repository_state import digest_of_files
from venvgrid.app.context import RunContext
from venvgrid.app.options import RunOptions
from venvgrid.app.plan import choose_cells, make_plan
from venvgrid.app.reproduction import trusted
from venvgrid.app.request import lock_digest
from venvgrid.app.run import read_config, trial
from venvgrid.config import config_file, loading, placeholders
from venvgrid.model import FrozenPolicy, InfrastructureError, LockError, UsageError
from venvgrid.model.values import dataclass
from venvgrid.project.metadata import ProjectError
from venvgrid.resolving import lock_check, lockfile
from venvgrid.resolving.requirements import requirements_of
from venvgrid.results.capsules import comparison
from venvgrid.results.capsules.capsule import Python
from venvgrid.results.capsules.comparison import Difference, Here, Verdict
from venvgrid.running.cell_command import fill

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from venvgrid.app.options import FrontEnd
    from venvgrid.app.reproduction.checkout import Checkout
    from venvgrid.model import Cell, CellResult, Plan
    from venvgrid.results.capsules.capsule import Capsule

SEED = {"pytest-randomly": "--randomly-seed", "pytest-random-order": "--random-order-seed"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Wheels:
    """The wheels of a complete capsule: a folder with those of distributions, and the project's."""

    folder: Path
    project: tuple[Path, ...] = ()

    @property
    def variables(self) -> dict[str, str]:
        """The variables that make uv and pip install from the folder alone."""
        place = str(self.folder)
        return {"UV_FIND_LINKS": place, "PIP_FIND_LINKS": place, "UV_NO_INDEX": "1", "PIP_NO_INDEX": "1"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Reproduction:
    """What became of a capsule here. `matched` counts its signatures that were seen; `whole`: all tests ran."""

    verdict: Verdict
    result: CellResult
    matched: int = 0
    whole: bool = False
    differences: tuple[Difference, ...] = ()
    plain: tuple[str, ...] = ()


def reproduce(
    made: Capsule,
    checkout: Checkout,
    front: FrontEnd,
    *,
    offline: bool = False,
    wheels: Wheels | None = None,
    is_archive: bool = False,
) -> Reproduction:
    """Test the cell of a capsule in sources: first the tests that failed, then all of them if those pass.

    `wheels` are those that the capsule brings: they are code, and used only if the caller trusts it. `is_archive`: the
    capsule has some, used or not.

    Raises:
        UsageError, LockError, ConfigError: the capsule does not fit the sources.
        InfrastructureError: this machine cannot have its distributions.
    """
    notes = list(checkout.notes)
    front = replace(
        front, environ={**trusted.without_locale(made, front.environ), **(wheels.variables if wheels else {})}
    )
    with _locked(made) as lock:
        options = _options(made, lock, offline=offline, notes=notes)
        context, is_same = _context(made, checkout, options, front, lock)
        if wheels is not None and wheels.project:
            context = _with_wheel(context, made, wheels, lock.parent)
        is_known = made.sources.commit or not made.sources.inputs_digest
        if not is_known and digest_of_files(context.project.snapshot) != made.sources.inputs_digest:
            notes.append("the files of the project are not those of the capsule, which names no commit")
        if not is_same:
            notes.append(f"{context.config.file.name} is another than that of the capsule")
        cell, plan = _plan(context, made)
        _check_direct(context, cell, made)
        try:
            result, is_whole = _tested(context, plan, made)
        except LockError as error:
            why = re.search(r"\((.*)\)", str(error))
            told = why[1] if why else str(error)
            raise UsageError(f"the capsule does not fit {context.config.file.name}: {told}") from error
        here = _here(context, made, cell, result, tuple(notes))
    return Reproduction(
        verdict=comparison.verdict(made, result),
        result=result,
        matched=len(made.signatures & {item.signature for item in result.failures}),
        whole=is_whole,
        differences=comparison.differences(made, here),
        plain=_plain(context, made, cell, is_archive=is_archive, has_wheels=wheels is not None),
    )


def _plain(context: RunContext, made: Capsule, cell: Cell, *, is_archive: bool, has_wheels: bool) -> tuple[str, ...]:
    """Return the commands without venvgrid; what they run and set is what the configuration says, not the capsule."""
    test = context.config.test
    assigned = {name: value for name, value in test.env.items() if name not in made.passed} | cell.variables
    folder, back = given.folder(context.config)
    values = placeholders.of_cell(cell, **plain.places(back))
    command, before = fill(test.command, values), tuple(fill(words, values) for words in test.before)
    known = replace(made, command=command, arguments=(), before=before, folder=folder, back=back, assigned=assigned)
    return plain.commands(known, is_archive=is_archive, has_wheels=has_wheels) if made.requirements else ()


def _with_wheel(context: RunContext, made: Capsule, wheels: Wheels, folder: Path) -> RunContext:
    """Return the context with the project's wheel of the capsule, in a cache that ends with the trial."""
    found = replace(context, wheels=folder / "project")
    python = made.axes.get("python", "")
    interpreter = found.machine.interpreters.choose([python])[python] if python else ""
    if not isinstance(interpreter, str):
        try:
            found.project_wheels.put(wheels.project[0], interpreter)
        except ProjectError as error:
            raise UsageError(f"the capsule is refused: its wheel of the project is damaged: {error}") from error
    return found


def _tested(context: RunContext, plan: Plan, made: Capsule) -> tuple[CellResult, bool]:
    """Return the result of the failing tests; of all tests if they pass or cannot be chosen."""
    if made.failing_tests and context.config.test.reports == "pytest":
        chosen = replace(context, options=replace(context.options, tests=made.failing_tests))
        (result,) = trial(chosen, plan).cells
        if comparison.verdict(made, result) in {Verdict.REPRODUCED, Verdict.UNKNOWN}:
            return result, False
        context.front.notify("the tests that failed do not fail so alone: all tests of the cell are run")
    (result,) = trial(context, plan).cells
    return result, True


def _options(made: Capsule, lock: Path, *, offline: bool, notes: list[str]) -> RunOptions:
    arguments, left_out = trusted.harmless(made.arguments)
    if left_out:
        notes.append(f"arguments of the run that are not used here: {shlex.join(left_out)}")
    names = {item.name for item in made.lock.distributions}
    seeds = [f"{option}={made.order.seed}" for name, option in SEED.items() if name in names and made.order.seed]
    return RunOptions(
        arguments=arguments,
        lock_file=lock,
        locked=True,
        offline=offline,
        run_unchanged=True,
        pytest_options=" ".join(seeds),
    )


@contextmanager
def _locked(made: Capsule) -> Iterator[Path]:
    """Yield the place for the lock of a capsule."""
    with tempfile.TemporaryDirectory(prefix="venvgrid-capsule-") as folder:
        yield Path(folder, f"{made.cell}.lock")


def _context(
    made: Capsule, checkout: Checkout, options: RunOptions, front: FrontEnd, lock: Path
) -> tuple[RunContext, bool]:
    """Write the lock of a trial; return its context, and whether its configuration is that of the capsule."""
    file = checkout.root / made.sources.config
    if not file.is_file():
        raise UsageError(f"{file} does not exist; the capsule was made with it")
    source = config_file.find(file, cwd=checkout.root)
    # Axes with a policy have the value of the cell, whatever the policy would give today.
    policies = {axis.name: axis.policy for axis in loading.build(source, grid=made.grid).axes if axis.policy}
    frozen = {
        name: FrozenPolicy(policy=policy, values=(made.axes[name],))
        for name, policy in policies.items()
        if trusted.VALUE.fullmatch(made.axes.get(name, ""))
    }
    lock.write_text(lockfile.render(_lock(made, "", frozen)), encoding="utf-8")
    config = read_config(source, options, front, grid=made.grid).config
    config = replace(
        config, test=replace(config.test, retries=0, env={**trusted.taken(made, config), **config.test.env})
    )
    context = RunContext(config=config, options=options, front=front)
    lock.write_text(lockfile.render(_lock(made, lock_digest(context), frozen)), encoding="utf-8")
    return context, config.digest == made.config_digest or bool(policies)


def _lock(made: Capsule, digest: str, frozen: Mapping[str, FrozenPolicy]) -> lockfile.Lock:
    """Return a lock of the one cell. Raises UsageError if it would not be one."""
    locked = lockfile.LockedEnvironment(
        python=made.python.version,
        implementation=made.python.implementation,
        platform=made.python.platform,
        as_of=made.lock.as_of,
        notes=made.lock.notes,
        distributions=made.lock.distributions,
    )
    if wrong := lock_check.malformed(locked.distributions):
        raise UsageError(f"the capsule is refused: {wrong}")
    name = lockfile.name_of(locked)
    return lockfile.Lock(
        digest=digest,
        cells={made.cell: name},
        environments={name: locked},
        chosen=(dict(made.axes),),
        frozen=frozen,
    )


def _plan(context: RunContext, made: Capsule) -> tuple[Cell, Plan]:
    """Return the cell, as the configuration here has it, and a plan of it alone."""
    quiet = replace(context.front, notify=lambda _text: None)
    planned = make_plan(replace(context, front=quiet))
    chosen = choose_cells(planned, lambda cell: cell.id == made.cell and dict(cell.axes) == dict(made.axes))
    if not chosen.cells:
        raise UsageError(f"{context.config.file.name} has no cell {made.cell} with these values")
    cell = chosen.cells[0].cell
    interpreter = context.machine.interpreters.choose([cell.axes["python"]])[cell.axes["python"]]
    if not isinstance(interpreter, str) and interpreter.platform != made.python.platform:
        raise InfrastructureError(
            f"the distributions of the capsule are for {made.python.platform}, and this is {interpreter.platform}; "
            f"type the command on such a machine, or in a container of it"
        )
    return cell, chosen


def _check_direct(context: RunContext, cell: Cell, made: Capsule) -> None:
    """Check that each address from which something would be installed is one that the sources name themselves."""
    needs = requirements_of(context.config, cell, context.project.groups)
    metadata = context.project.metadata
    lines = [*needs.pins, *needs.requires, *(metadata.requires if metadata else ())]
    for item in made.lock.distributions:
        if item.direct and not any(item.direct in line for line in lines):
            raise UsageError(
                f"the capsule is refused: it would install {item.name} from {item.direct!r:.200}, which the project "
                f"does not name"
            )


def _here(context: RunContext, made: Capsule, cell: Cell, result: CellResult, notes: tuple[str, ...]) -> Here:
    machine, interpreter = facts.of_machine(context.machine.environ), result.interpreter
    if interpreter is None:
        return Here(machine=machine, sources=notes)
    got = given.given(context.config, context.machine.environ, cell, interpreter)
    told = facts.of_interpreter(interpreter.executable, got, context.machine.run)
    described = {item.name: getattr(interpreter, item.name) for item in fields(Python) if item.name != "facts"}
    redactor, assigned = context.machine.redactor, {*made.assigned, *cell.variables}
    return Here(
        python=Python(**described, facts={name: item for name, item in told.items() if name not in facts.OF_MACHINE}),
        packages=result.packages,
        passed={
            name: value
            for name, value in got.items()
            if name not in assigned and not given.hides(name, value, redactor)
        },
        names=frozenset(got),
        machine={**machine, **{name: told[name] for name in facts.OF_MACHINE if name in told}},
        sources=notes,
    )
