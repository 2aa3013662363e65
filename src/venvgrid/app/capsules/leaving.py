"""Leaves the capsules of a run: one for each red cell, in the folder of the run."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import field, fields, is_dataclass, replace
from enum import Enum
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from venvgrid.app.capsules import facts, given, plain, repository_state, wheels
from venvgrid.config import placeholders
from venvgrid.model import Cell, InfrastructureError
from venvgrid.model.values import dataclass
from venvgrid.model.version import __version__
from venvgrid.outcomes import signatures
from venvgrid.results.capsules import capsule
from venvgrid.results.capsules.capsule import Capsule, FailedTest, Locked, Order, Python
from venvgrid.results.report import BAD
from venvgrid.running.cell_command import fill
from venvgrid.storage import digests

if TYPE_CHECKING:
    from venvgrid.app.context import RunContext
    from venvgrid.model import Attestation, CellResult, Failure, LockEntry
    from venvgrid.processes.redaction import Redactor
    from venvgrid.results.capsules.capsule import Sources
    from venvgrid.results.report import Report
    from venvgrid.results.run_folders import RunFolder

SEED = re.compile(rb"Using --random(?:ly-seed|-order-seed)=(\d+)")
ASKED = re.compile(r"LANG|LANGUAGE|LC_\w+|TZ|PYTHON\w+|LD_\w+|DYLD_\w+")  # variables that change facts
MAX_HEAD = 100_000  # bytes of a log in which the seed is looked for
KEPT = frozenset({"cell", "axes", "hashes"})  # fields that hold no text of programs
MAX_TEXT = 40_000  # characters of the names of tests in order


def leave(context: RunContext, report: Report, entries: Mapping[str, LockEntry], folder: RunFolder) -> None:
    """Write a capsule of each red cell. A failure is told, and changes nothing else of the run."""
    red = [cell for cell in report.cells if cell.outcome.is_red and not cell.cached and cell.id in entries]
    if not red:
        return
    packer = _Packer(context=context, report=report)
    try:
        with tempfile.TemporaryDirectory(prefix="venvgrid-wheels-") as place:
            (folder.path / capsule.FOLDER).mkdir(exist_ok=True)
            for cell in red:
                entry = entries[cell.id]
                made = packer.pack(cell, entry, folder)
                fetched = wheels.fetch(context, entry, Path(place)) if context.options.with_wheels else None
                target = folder.path / capsule.FOLDER / capsule.file_name(cell.id)
                target.write_bytes(wheels.packed(made, fetched) if fetched else capsule.render(made))
    except (OSError, InfrastructureError) as error:
        context.front.notify(f"warning: no capsule was left: {error}")


@dataclass(frozen=True, kw_only=True)
class _Packer:
    """Makes the capsules of one run; what they share is asked once."""

    context: RunContext
    report: Report
    known: dict[tuple[object, ...], dict[str, str]] = field(default_factory=dict)

    @cached_property
    def _sources(self) -> Sources:
        context = self.context
        digest = repository_state.digest_of_files(context.project.snapshot)
        path, machine = context.config.project.path, context.machine
        return repository_state.sources(
            context.config.file, path, digest, machine.environ, machine.run, machine.redactor
        )

    @cached_property
    def _machine(self) -> dict[str, str]:
        return facts.of_machine(self.context.machine.environ)

    def pack(self, cell: CellResult, entry: LockEntry, folder: RunFolder) -> Capsule:
        """Return the capsule of a cell, without secrets."""
        config, options, interpreter = self.context.config, self.context.options, entry.interpreter
        own = Cell(id=cell.id, axes=cell.axes)
        passed = given.given(config, self.context.machine.environ, own, interpreter)
        told = self._told(interpreter.executable, passed)
        assigned = {**config.test.env, **own.variables}
        place, back = given.folder(config)
        values = placeholders.of_cell(own, **plain.places(back))
        shown = {name: value for name, value in passed.items() if name not in assigned and not self._hides(name, value)}
        made = Capsule(
            cell=cell.id,
            axes=cell.axes,
            grid=config.grid,
            outcome=cell.outcome,
            reason=cell.reason,
            venvgrid=__version__,
            project=self.report.project,
            project_version=self.report.project_version,
            install=config.project.install.value,
            sources=self._sources,
            config_digest=config.digest,
            plan=options.plan_digest,
            python=Python(
                **{item.name: getattr(interpreter, item.name) for item in fields(Python) if item.name != "facts"},
                facts={name: value for name, value in told.items() if name not in facts.OF_MACHINE},
            ),
            lock=Locked(as_of=entry.as_of, notes=entry.notes, distributions=entry.distributions),
            command=(*fill(config.test.command, values), *options.arguments),
            arguments=options.arguments,
            before=tuple(fill(command, values) for command in config.test.before),
            folder=place,
            back=back,
            assigned={name: value for name, value in sorted(assigned.items()) if not self._hides(name, value)},
            passed=dict(sorted(shown.items())),
            hidden=tuple(sorted(passed.keys() - shown.keys() - assigned.keys())),
            order=self._order(cell, folder),
            tests=dict(sorted(cell.tests.items())),
            failures=tuple(_failed(item) for item in cell.failures),
            failed=len(cell.failures),
            attested=_attested(cell.attested),
            machine={**self._machine, **{name: told[name] for name in facts.OF_MACHINE if name in told}},
            requirements=plain.requirements(entry.distributions),
        )
        clean: Capsule = _cleaned(made, self.context.machine.redactor)
        return replace(clean, plain=plain.commands(clean))

    def _told(self, executable: str, passed: Mapping[str, str]) -> dict[str, str]:
        """Return the facts of an interpreter; they depend on few of the variables, and are asked once."""
        key = (executable, *sorted(item for item in passed.items() if ASKED.fullmatch(item[0])))
        if key not in self.known:
            self.known[key] = facts.of_interpreter(executable, passed, self.context.machine.run)
        return self.known[key]

    def _hides(self, name: str, value: str) -> bool:
        return given.hides(name, value, self.context.machine.redactor)

    def _order(self, cell: CellResult, folder: RunFolder) -> Order:
        cases = self.report.tests.get(cell.id, {})
        names = list(cases)
        last = max((index for index, case in enumerate(cases.values()) if case.verdict in BAD), default=-1)
        until = names[: last + 1]
        return Order(
            seed=cell.attested.seed
            if cell.attested.seed.isdecimal()
            else _seed(folder.path / "logs" / f"{cell.id}.log"),
            count=len(names),
            digest=digests.of_json(names),
            tests=tuple(until) if sum(map(len, until)) <= MAX_TEXT else (),
        )


def _failed(failure: Failure) -> FailedTest:
    return FailedTest(
        test=failure.test,
        kind=failure.kind,
        message=failure.message,
        signature=failure.signature,
        longrepr=failure.longrepr[-capsule.MAX_LONGREPR :],
    )


def _attested(seen: Attestation) -> Attestation:
    """Return an attestation without the place of the environment, which is another on each machine."""
    python, _, path = seen.python.rpartition(" ")
    place = signatures.without_environment(path)
    return replace(seen, python=f"{python} {place}", project_origin=signatures.without_environment(seen.project_origin))


def _seed(log: Path) -> str:
    """Return the seed that a plugin printed when the tests began, or ""."""
    with suppress(OSError), log.open("rb") as file:
        found = SEED.findall(file.read(MAX_HEAD))
        return found[-1].decode("ascii") if found else ""
    return ""


def _cleaned(value: Any, redactor: Redactor) -> Any:
    """Return a value whose texts hold no secrets; ids and axes come from the configuration, and stay."""
    if isinstance(value, str):
        return type(value)(value) if isinstance(value, Enum) else redactor.text(value)
    if isinstance(value, tuple):
        return tuple(_cleaned(item, redactor) for item in value)
    if isinstance(value, Mapping):
        return {_cleaned(name, redactor): _cleaned(item, redactor) for name, item in value.items()}
    if is_dataclass(value) and not isinstance(value, type):
        names = [item.name for item in fields(value) if item.name not in KEPT]
        return replace(value, **{name: _cleaned(getattr(value, name), redactor) for name in names})
    return value
