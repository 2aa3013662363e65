"""Translates a file of another runner into a matrix.toml; chooses the reader by the file's name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from venvgrid.config import config_file, loading
from venvgrid.migration import matrix_toml, scaffold, variants
from venvgrid.migration.model import subtable
from venvgrid.model import ConfigError, UsageError

if TYPE_CHECKING:
    from pathlib import Path

    from venvgrid.migration.model import ParsedSource

MAX_FILE_BYTES = 1_000_000  # bytes
# Files of a runner, if its name is given instead of a file.
RUNNERS = {
    "tox": ("tox.ini", "tox.toml", "setup.cfg", "pyproject.toml"),
    "nox": ("noxfile.py",),
    "hatch": ("hatch.toml", "pyproject.toml"),
}


def translate(source: str, folder: Path) -> tuple[str, list[str]]:
    """Return the text of a matrix.toml for another runner's file, and notes of what could not be carried over.

    `source` is a path, or the name of a runner whose files are in `folder`; `folder` has requirements files too.

    Raises:
        UsageError: there is no readable file, or it runs no tests.
        ConfigError: pyproject.toml is no TOML.
    """
    path, parsed = _read(source, folder)
    project = scaffold.declared(folder)
    groups, notes = variants.group(parsed, scaffold.dependencies(project))
    if not groups:
        raise UsageError(f"{path.name}: nothing in it runs tests; left out: {', '.join(parsed.skipped)}")
    text = matrix_toml.render(groups, notes, path.name)
    try:
        loading.build(config_file.parse(text, folder / config_file.FILE_NAME))
    except ConfigError as error:
        raise UsageError(f"{path.name}: its translation is no valid configuration: {error}") from error
    return text, notes


def _read(source: str, folder: Path) -> tuple[Path, ParsedSource]:
    if source not in RUNNERS:
        path = folder / source
        return path, _parse(path, folder)
    problems = []
    for name in RUNNERS[source]:
        if (folder / name).is_file():
            try:
                return folder / name, _parse(folder / name, folder, source)
            except UsageError as error:
                problems.append(str(error))
    raise UsageError(
        problems[0] if problems else f"{source}: there is none of {', '.join(RUNNERS[source])} in {folder}"
    )


def _parse(path: Path, folder: Path, runner: str = "") -> ParsedSource:
    text = _text(path)
    name, suffix = path.name, path.suffix
    if suffix == ".py":
        from venvgrid.migration.readers import nox  # noqa: PLC0415  (each reader is imported when needed)

        return nox.read(text, folder, name)
    if suffix in {".yml", ".yaml"}:
        from venvgrid.migration.readers import github_workflow  # noqa: PLC0415

        declared = scaffold.declared(folder)
        return github_workflow.read(text, folder, name, scaffold.minors(declared))
    from venvgrid.migration.readers import tox, tox_settings  # noqa: PLC0415

    if suffix in {".ini", ".cfg"}:
        return tox.read(tox_settings.read_ini(text, name), folder, name)
    if suffix != ".toml":
        raise UsageError(f"{name}: give tox.ini, tox.toml, noxfile.py, pyproject.toml, hatch.toml or a workflow (.yml)")
    table = tox_settings.parse_toml(text, name)
    own = {
        "hatch" if name == "hatch.toml" else "tox": table
    }  # a file of its own holds what pyproject.toml has in [tool]
    tool = subtable(table, "tool") if name == config_file.PYPROJECT else own
    envs, has_tox = subtable(subtable(tool, "hatch"), "envs"), bool(subtable(tool, "tox"))
    if envs and (runner == "hatch" or not has_tox):
        from venvgrid.migration.readers import hatch  # noqa: PLC0415

        return hatch.read(envs, folder, name)
    if has_tox and runner != "hatch":
        return tox.read(tox_settings.read_toml(tool["tox"], name), folder, name)
    raise UsageError(f"{name}: it has neither [tool.tox] nor [tool.hatch.envs]")


def _text(path: Path) -> str:
    try:
        if path.stat().st_size > MAX_FILE_BYTES:
            raise UsageError(f"{path}: is larger than {MAX_FILE_BYTES:,} bytes: this is no configuration")
        return path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise UsageError(f"{path}: no such file (or a word: {', '.join(RUNNERS)})") from None
    except (OSError, ValueError) as error:
        raise UsageError(f"{path}: cannot be read: {getattr(error, 'strerror', None) or error}") from None
