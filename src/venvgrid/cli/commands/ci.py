"""`venvgrid ci`: write a whole pipeline for a vendor of CI, or check the one that is there."""

from __future__ import annotations

import difflib
import importlib
import os
import shlex
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

from venvgrid.app.pipelines import pipeline as pipelines
from venvgrid.app.pipelines.vendors import VENDORS
from venvgrid.cli import parser as parsers
from venvgrid.cli.parser_parts import RefusedError
from venvgrid.config import config_file, grids, loading
from venvgrid.model import ExitStatus, UsageError
from venvgrid.model.values import dataclass
from venvgrid.model.version import __version__
from venvgrid.project import history
from venvgrid.storage.atomic import write_atomic

if TYPE_CHECKING:
    import argparse
    from collections.abc import Mapping

    from venvgrid.app.pipelines.pipeline import Pipeline
    from venvgrid.cli.terminal import Terminal

STDOUT = "-"
# The actions of `venvgrid ci` that write no pipeline, each with its module of cli/commands, whose `main` is called.
# Register one here, and its options in `_add_ci` of cli/parser.py.
OTHERS: Mapping[str, str] = MappingProxyType({"issues": "ci_issues"})


def main(arguments: argparse.Namespace, terminal: Terminal) -> int:
    """Write a pipeline, print it, or check the one that is there."""
    if arguments.action is None:
        raise UsageError(f"ci: say of which vendor: {', '.join(VENDORS)}. For example: venvgrid ci github")
    if arguments.action in OTHERS:
        module = importlib.import_module(f"venvgrid.cli.commands.{OTHERS[arguments.action]}")
        status: int = module.main(arguments, terminal)
        return status
    wanted = _wanted(arguments)
    text = pipelines.render(wanted.pipeline)
    if wanted.file is None:
        terminal.data(text)
        return ExitStatus.PASSED
    if arguments.check:
        return _check(wanted.file, wanted.before, text, wanted.pipeline, terminal)
    return _write(wanted, text, terminal, force=arguments.force)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Wanted:
    """A pipeline, the file that it belongs into, None for stdout, and the text that is there, None without a file."""

    pipeline: Pipeline
    file: Path | None
    before: str | None = None


def _wanted(arguments: argparse.Namespace) -> _Wanted:
    """Return the pipeline that is asked for. What is not asked for is as in the file that is there."""
    vendor, root = VENDORS[arguments.action], _top(Path.cwd())
    place = arguments.output or root / vendor.file_of(arguments.grid)
    file = None if arguments.output == STDOUT else Path(place).absolute()
    is_inside = file is None or Path(os.path.normpath(file)).is_relative_to(root)
    if file and not is_inside and not file.parent.is_dir():  # inside of the repository, it is made
        raise UsageError(f"{_shown(file)}: there is no folder {_shown(file.parent)}; make it first")
    before = _content(file) if file else None
    known = _earlier(before or "", vendor.name)
    given = arguments.config or (known and known.config and root / known.config)
    source = config_file.find(Path(given) if given else None, cwd=Path.cwd())
    grid = arguments.grid or (known.grid if known else "")
    config = loading.build(source, grid=grid)
    if not grid and "axes" not in source.table and grids.names(source.table):
        raise UsageError(f"{source.file.name}: name a grid: venvgrid ci {vendor.name} GRID")
    try:
        path = source.file.relative_to(root).as_posix()
    except ValueError:
        raise UsageError(f"{source.file} is not in the repository {root}") from None
    made = pipelines.Pipeline(
        vendor=vendor.name,
        version=__version__,
        shards=arguments.shards or (known.shards if known else None) or pipelines.SHARDS,
        config="" if path in {config_file.FILE_NAME, config_file.PYPROJECT} else path,
        grid=grid,
        platforms=next((axis.values for axis in config.axes if axis.name == "platform"), ("linux",)),
        has_nightly="nightly" in config.tiers,
        needs_history=history.may_have_version(config.project.path),
        branches=_branches(arguments, known, root) if vendor.names_branches else (),
    )
    return _Wanted(pipeline=made, file=file, before=before)


def _branches(arguments: argparse.Namespace, known: argparse.Namespace | None, root: Path) -> tuple[str, ...]:
    """Return the branches whose pushes run. git is asked for a new file only: clones know different things."""
    if arguments.branches or known:
        return tuple(arguments.branches or (known and known.branches) or ())
    name = history.default_branch(root)
    return (name,) if pipelines.is_safe_branch(name) else ()


def _top(folder: Path) -> Path:
    """Return the folder of the checkout, or the folder itself without one."""
    return next((place for place in (folder, *folder.parents) if os.path.lexists(place / ".git")), folder)


def _content(file: Path) -> str | None:
    try:
        return file.read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{file} cannot be read: {getattr(error, 'strerror', None) or error}") from None


def _earlier(text: str, vendor: str) -> argparse.Namespace | None:
    """Return the arguments of the command that wrote a file, or None if it was not ours, of this vendor."""
    try:
        words = pipelines.written_by(text)
        found = parsers.build().parse_args(words) if words else None
    except (RefusedError, ValueError):
        return None
    return found if found and found.command == "ci" and found.action == vendor else None


def _check(file: Path, before: str | None, text: str, made: Pipeline, terminal: Terminal) -> int:
    """Print how a file differs from what would be written."""
    if before == text:
        terminal.message(f"{_shown(file)} is up to date")
        return ExitStatus.PASSED
    again = f"write it with: {_again(file, made)}"
    if before is None:
        terminal.error(f"venvgrid: {_shown(file)} is not there; {again}")
        return ExitStatus.TESTS_FAILED
    names = (f"{_shown(file)} as it is", "as it would be written")
    lines = difflib.unified_diff(before.splitlines(), text.splitlines(), *names, lineterm="")
    terminal.data("\n".join(lines))
    terminal.error(f"venvgrid: {_shown(file)} is not what would be written; {again}")
    return ExitStatus.TESTS_FAILED


def _write(wanted: _Wanted, text: str, terminal: Terminal, *, force: bool) -> int:
    file, vendor = wanted.file, VENDORS[wanted.pipeline.vendor]
    assert file is not None  # noqa: S101  (the caller has printed it)
    known = _earlier(wanted.before or "", vendor.name)
    if wanted.before is not None and not force and (known is None or known.grid != wanted.pipeline.grid):
        whose = "venvgrid did not write it" if known is None else f"it is of the grid {known.grid or '(main)'}"
        raise UsageError(
            f"{_shown(file)} is there already, and {whose}; nothing was written. "
            f"Replace it with --force, or {vendor.instead}"
        )
    if known and wanted.before != text and pipelines.is_edited(wanted.before or "") and not force:
        raise UsageError(
            f"{_shown(file)} was edited after venvgrid wrote it; nothing was written. See what would change with: "
            f"{_again(file, wanted.pipeline)} --check; replace it with --force"
        )
    if wanted.before != text:
        if not file.parent.is_dir():
            file.parent.mkdir(parents=True)
            terminal.message(f"note: the folder {_shown(file.parent)} was not there: it is made")
        write_atomic(file, text)
    is_same = "is up to date" if wanted.before == text else "written"
    terminal.message(
        f"{_shown(file)} {is_same}: {wanted.pipeline.shards} shards. {vendor.next.format(title=wanted.pipeline.title)}"
    )
    return ExitStatus.PASSED


def _again(file: Path, made: Pipeline) -> str:
    vendor = VENDORS[made.vendor]
    output = "" if file == _top(Path.cwd()) / vendor.file_of(made.grid) else f" -o {shlex.quote(_shown(file))}"
    return f"venvgrid {made.command}{output}"


def _shown(file: Path) -> str:
    return file.relative_to(Path.cwd()).as_posix() if file.is_relative_to(Path.cwd()) else str(file)
