"""`venvgrid reproduce`: run the cell of a capsule here, and compare the failure."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from venvgrid.app.capsules import plain
from venvgrid.app.reproduction import download
from venvgrid.app.reproduction.checkout import Checkouts
from venvgrid.app.reproduction.reproduce import Wheels, reproduce
from venvgrid.cli import options
from venvgrid.model import ExitStatus, InfrastructureError, UsageError
from venvgrid.processes import runner
from venvgrid.reporters import text
from venvgrid.results.capsules import archives, comparison
from venvgrid.results.capsules.comparison import Verdict

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

    from venvgrid.app.reproduction.reproduce import Reproduction
    from venvgrid.cli.terminal import Terminal
    from venvgrid.results.capsules.archives import Found
    from venvgrid.results.capsules.capsule import Capsule

STATUS = {
    Verdict.REPRODUCED: ExitStatus.PASSED,
    Verdict.ANOTHER: ExitStatus.TESTS_FAILED,
    Verdict.PASSES: ExitStatus.CANNOT_TELL,
    Verdict.UNKNOWN: ExitStatus.INCOMPLETE,
}
MAX_FAILURES = 5
MAX_LINES = 12  # of one failure


def main(arguments: argparse.Namespace, terminal: Terminal) -> int:
    """Run the capsule, print what became of it, and return the exit status."""
    try:
        return _main(arguments, terminal)
    except (UsageError, InfrastructureError) as error:  # it may quote a stranger's file
        raise type(error)(text.safe(str(error))) from error


def _main(arguments: argparse.Namespace, terminal: Terminal) -> int:
    found = _found(arguments, terminal)
    made = found.capsule
    if arguments.commands:
        terminal.data("\n".join(made.plain or ("the capsule holds no commands: it would be too large",)))
        return ExitStatus.PASSED
    front = options.front_end(arguments, terminal)
    front.notify(text.safe(f"{made.cell}: {made.outcome}: {made.reason}"))
    checkouts = Checkouts(folder=Path.cwd(), environ=terminal.environ, run=runner.run, notify=front.notify)
    with (
        tempfile.TemporaryDirectory(prefix="venvgrid-wheels-") as folder,
        checkouts.of(made, with_patch=arguments.patch) as checkout,
    ):
        wheels = _wheels(found, Path(folder)) if arguments.offline else None
        done = reproduce(
            made, checkout, front, offline=arguments.offline, wheels=wheels, is_archive=bool(found.archive)
        )
    for line in _told(made, done):
        terminal.data(text.safe(line))
    return STATUS[done.verdict]


def _found(arguments: argparse.Namespace, terminal: Terminal) -> Found:
    if download.is_address(arguments.capsule):
        content = download.fetch(arguments.capsule, notify=terminal.message)
        return archives.choose(archives.read(content, arguments.capsule), arguments.cell or "")
    return archives.choose(archives.find(Path(arguments.capsule)), arguments.cell or "")


def _wheels(found: Found, folder: Path) -> Wheels | None:
    """Return the wheels that a capsule brings."""
    if not found.archive:
        return None
    distributions, project = archives.unpack_wheels(found.archive, folder)
    return Wheels(folder=folder / archives.WHEELS, project=tuple(project)) if distributions else None


def _told(made: Capsule, done: Reproduction) -> Iterator[str]:
    """Yield the lines of the report."""
    yield f"{made.cell}: {done.verdict}{_how(made, done)}"
    for failure in done.result.failures[:MAX_FAILURES] if done.verdict is not Verdict.PASSES else ():
        is_same = failure.signature in made.signatures
        yield f"  {'=' if is_same else '≠'} {failure.test or made.cell}: {failure.kind}: {failure.message}".rstrip(": ")
        if done.verdict is Verdict.ANOTHER:
            yield from (f"      {line}" for line in failure.longrepr.splitlines()[-MAX_LINES:])
    if done.verdict is Verdict.ANOTHER:
        yield from (f"  there: {item.signature}" for item in made.failures[:MAX_FAILURES])
        if comparison.is_near(made, done.result):
            yield "  The same test fails with the same kind of exception: only its message or its place differs."
    yield ""
    if done.differences:
        yield "What differs, the most likely reason first:"
        yield from (
            f"  {item.name}: {item.there}" + (f" there, {item.here} here" if item.here else "")
            for item in done.differences
        )
    else:
        yield "Nothing that the capsule tells differs here."
    if done.plain:
        yield ""
        yield f"Without venvgrid, {plain.place(made)}:"
        yield from (f"  {line}" for line in done.plain)


def _how(made: Capsule, done: Reproduction) -> str:
    if done.verdict is Verdict.REPRODUCED:
        many = f": {done.matched} of {text.count(len(made.signatures), 'failure')}" if made.signatures else ""
        return many + (" (only when all tests run)" if done.whole and made.failing_tests else "")
    return f": {done.result.reason}" if done.result.reason else ""
