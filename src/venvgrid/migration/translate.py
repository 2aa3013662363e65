"""Which reader a source needs, by its name, and what comes of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from venvgrid.config import config_file, loading
from venvgrid.migration import matrix_toml, scaffold, variants
from venvgrid.model.errors import ConfigError, UsageError

if TYPE_CHECKING:
    from pathlib import Path

    from venvgrid.migration.model import Carried

MAX_FILE_BYTES = 1_000_000  # bytes
# A word instead of a file: the files that are looked for.
WORDS = {
    "tox": ("tox.ini", "tox.toml", "setup.cfg", "pyproject.toml"),
    "nox": ("noxfile.py",),
    "hatch": ("hatch.toml", "pyproject.toml"),
}


def translate(source: str, folder: Path) -> tuple[str, list[str]]:
    """Give the text of a matrix.toml for what another runner's file says, and what could not be carried over.

    `source` is a path, or the name of a runner whose files are in `folder`; requirements files too.

    Raises:
        UsageError: there is nothing that can be read, or that runs tests.
        ConfigError: pyproject.toml is no TOML.
    """
    path, carried = _read(source, folder)
    project = scaffold.declared(folder)
    parts, lost = variants.parts(carried, scaffold.dependencies(project))
    if not parts:
        raise UsageError(f"{path.name}: nothing in it runs tests; left out: {', '.join(carried.skipped)}")
    text = matrix_toml.render(parts, lost, path.name)
    try:
        loading.build(config_file.parse(text, folder / config_file.FILE_NAME))
    except ConfigError as error:
        raise UsageError(f"{path.name}: what it says makes no valid configuration: {error}") from error
    return text, lost


def _read(source: str, folder: Path) -> tuple[Path, Carried]:
    if source not in WORDS:
        path = folder / source
        return path, _of_file(path, folder)
    problems = []
    for name in WORDS[source]:
        if (folder / name).is_file():
            try:
                return folder / name, _of_file(folder / name, folder, source)
            except UsageError as error:
                problems.append(str(error))
    raise UsageError(problems[0] if problems else f"{source}: there is none of {', '.join(WORDS[source])} in {folder}")


def _of_file(path: Path, folder: Path, word: str = "") -> Carried:
    text = _text(path)
    name, suffix = path.name, path.suffix
    if suffix == ".py":
        from venvgrid.migration.readers import nox  # noqa: PLC0415  (each reader is imported when its file is there)

        return nox.read(text, folder, name)
    if suffix in {".yml", ".yaml"}:
        from venvgrid.migration.readers import github_workflow  # noqa: PLC0415

        declared = scaffold.declared(folder)
        return github_workflow.read(text, folder, name, scaffold.minors(declared))
    from venvgrid.migration.readers import tox, tox_settings  # noqa: PLC0415

    if suffix in {".ini", ".cfg"}:
        return tox.carried(tox_settings.read_ini(text, name), folder, name)
    if suffix != ".toml":
        raise UsageError(f"{name}: give tox.ini, tox.toml, noxfile.py, pyproject.toml, hatch.toml or a workflow (.yml)")
    tool = _tool(tox_settings.parse_toml(text, name), name)
    envs, has_tox = _inner(_inner(tool, "hatch"), "envs"), bool(_inner(tool, "tox"))
    if envs and (word == "hatch" or not has_tox):
        from venvgrid.migration.readers import hatch  # noqa: PLC0415

        return hatch.read(envs, folder, name)
    if has_tox and word != "hatch":
        return tox.carried(tox_settings.read_toml(tool["tox"], name), folder, name)
    raise UsageError(f"{name}: it has neither [tool.tox] nor [tool.hatch.envs]")


def _tool(table: dict[str, Any], name: str) -> dict[str, Any]:
    """Give what pyproject.toml has in [tool]; the files of hatch and tox have it at the top."""
    if name == config_file.PYPROJECT:
        return _inner(table, "tool")
    return {"hatch" if name == "hatch.toml" else "tox": table}


def _inner(table: Any, key: str) -> dict[str, Any]:
    found = table.get(key) if isinstance(table, dict) else None
    return found if isinstance(found, dict) else {}


def _text(path: Path) -> str:
    try:
        if path.stat().st_size > MAX_FILE_BYTES:
            raise UsageError(f"{path}: is larger than {MAX_FILE_BYTES:,} bytes: this is no configuration")
        return path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise UsageError(f"{path}: no such file (or a word: {', '.join(WORDS)})") from None
    except (OSError, ValueError) as error:
        raise UsageError(f"{path}: cannot be read: {getattr(error, 'strerror', None) or error}") from None
