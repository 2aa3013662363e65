"""Variants of hatch's environments: [tool.hatch.envs] of pyproject.toml, or hatch.toml, with matrices and overrides."""

from __future__ import annotations

import itertools
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from venvgrid.migration.model import Notes, ParsedSource, Variant, subtable
from venvgrid.migration.readers import commands, pythons, requirements, substitution
from venvgrid.model import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

MAX_ENVIRONMENTS = 2_000  # environments
MAX_DEPTH = 10
TEST_ENVIRONMENT = "hatch-test"
# Default requirements of `hatch test`, as of hatch 1.15.
TEST_DEPENDENCIES = (
    "coverage-enable-subprocess==1.0", "coverage[toml]~=7.4", "pytest~=8.1", "pytest-mock~=3.12",
    "pytest-randomly~=3.15", "pytest-rerunfailures~=14.0", "pytest-xdist[psutil]~=3.5",
)  # fmt: skip
SCRIPTS = ("test", "tests", "run", "pytest", "test-cov", "cov", "run-cov", "unit", "all")
CARRIED = frozenset({
    "dependencies", "extra-dependencies", "dependency-groups", "features", "env-vars", "scripts", "matrix",
    "overrides", "python", "template", "type", "detached", "skip-install", "dev-mode", "description", "installer",
    "default-args", "extra-args", "extra-scripts", "path", "matrix-name-format", "randomize", "parallel", "retries",
    "retry-delay", "env-include",
})  # fmt: skip


def read(envs: Mapping[str, Any], folder: Path, source: str) -> ParsedSource:
    """Read the table of environments.

    Raises:
        UsageError: there are no environments.
    """
    known = {name: table for name, table in envs.items() if isinstance(table, dict)}
    if not known:
        raise UsageError(f"{source}: it has no environments ([tool.hatch.envs.NAME])")
    skipped = []
    variants: list[Variant] = []
    for name in known:
        table = _inherited(name, known)
        own = Notes()
        command = _command(name, table, own)
        if not command or (name == "default" and any("matrix" in other for other in known.values())):
            skipped.append(name)
            continue
        found = list(itertools.islice(_variants(name, table, command, folder, own), MAX_ENVIRONMENTS))
        variants += [replace(item, notes=tuple(own.lines)) for item in found]
    return ParsedSource(source=source, variants=tuple(variants), skipped=tuple(skipped))


def _inherited(name: str, known: Mapping[str, Mapping[str, Any]], depth: int = 0) -> dict[str, Any]:
    """Return an environment merged with its template; that is "default" for all but detached ones."""
    own = dict(known.get(name, {}))
    default = "" if own.get("detached") else "default"
    template = str(own.get("template", default)) if name != "default" else ""
    if not template or template == name or depth > MAX_DEPTH:
        return own
    above = _inherited(template, known, depth + 1)
    above.pop("matrix", None)
    merged = {**above, **own}
    for key in ("scripts", "env-vars"):
        if isinstance(above.get(key), dict) and isinstance(own.get(key), dict):
            merged[key] = {**above[key], **own[key]}
    return merged


def _command(name: str, table: Mapping[str, Any], notes: Notes) -> tuple[str, ...]:
    scripts = subtable(table, "scripts")
    if name == TEST_ENVIRONMENT and not {"run"} & scripts.keys():
        extra, default = table.get("extra-args", []), table.get("default-args", ["tests"])
        return ("pytest", *map(str, extra), *map(str, default))
    found = []
    for script in [*(item for item in SCRIPTS if item in scripts), *scripts]:
        argvs = [
            substitution.split_command(substitution.Substitution().substitute(line), notes, name)
            for line in _lines(script, scripts)
        ]
        if command := commands.tests(argvs, Notes(), name):
            found.append(command)
    pytest = [command for command in found if commands.kind(command) == "pytest"]
    return (pytest or found or [()])[0]


def _lines(script: str, scripts: Mapping[str, Any], depth: int = 0) -> Iterator[str]:
    """Yield the commands of a script; the name of another script is replaced by its commands."""
    found = scripts.get(script, [])
    for line in [found] if isinstance(found, str) else found if isinstance(found, list) else []:
        first, _, rest = str(line).removeprefix("- ").partition(" ")
        if first in scripts and first != script and depth < MAX_DEPTH:
            for inner in _lines(first, scripts, depth + 1):
                yield f"{inner} {rest}".strip()
        else:
            yield str(line)


def _variants(
    name: str, table: Mapping[str, Any], command: tuple[str, ...], folder: Path, notes: Notes
) -> Iterator[Variant]:
    for key in table.keys() - CARRIED:
        notes.add(f"{name}: {key}")
    for row in _rows(table):
        python = pythons.of_version(str(row.get("python", table.get("python", ""))))
        applied = _overridden(table, row, notes, name)
        listed = [str(item) for key in ("dependencies", "extra-dependencies") for item in _list(applied.get(key))]
        if name == TEST_ENVIRONMENT and "dependencies" not in table:
            listed = [*TEST_DEPENDENCIES, *listed]
        filled = [_matrix(item, row) for item in listed]
        arguments = requirements.parse_arguments(filled, folder, notes, name)
        # A variable that only repeats the Python would become an axis of its own.
        variables = {key: str(item) for key, item in dict(applied.get("env-vars", {})).items()}
        env = {key: _matrix(item, row) for key, item in variables.items() if "{matrix:python" not in item}
        label = "-".join(str(item) for key, item in row.items() if key not in {"python", "py"})
        is_built = applied.get("dev-mode") is False or name == TEST_ENVIRONMENT
        install = "none" if applied.get("skip-install") or applied.get("detached") else "" if is_built else "editable"
        yield Variant(
            name=f"{name}.{'-'.join(map(str, row.values()))}" if row else name,
            label=label,
            python=python,
            requires=tuple(arguments.requires),
            extras=tuple(map(str, _list(applied.get("features")))),
            groups=tuple(map(str, _list(applied.get("dependency-groups")))),
            install=install,
            command=command,
            env={key: item for key, item in env.items() if substitution.UNAVAILABLE not in item},
            missing=tuple(arguments.missing),
            grid="" if "matrix" in table or name in {"default", TEST_ENVIRONMENT} else name,
        )


def _rows(table: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield the combinations of each table of the matrix."""
    for row in [row for row in _list(table.get("matrix")) if isinstance(row, dict)] or [{}]:
        for found in itertools.product(*map(_list, row.values())):
            yield dict(zip(row, found, strict=True))


def _overridden(table: Mapping[str, Any], row: Mapping[str, Any], notes: Notes, name: str) -> dict[str, Any]:
    """Return a table with [overrides] for the values of a row of the matrix applied."""
    found = dict(table)
    for source, by_name in subtable(table, "overrides").items():
        if source != "matrix" or not isinstance(by_name, dict):
            notes.add(f"{name}: overrides.{source}")
            continue
        for variable, settings in by_name.items():
            for key, raw in settings.items() if variable in row and isinstance(settings, dict) else ():
                plain = key.removeprefix("set-")
                _apply(found, plain, list(_override_values(raw, str(row[variable]))), is_whole=plain != key)
    return found


def _override_values(raw: Any, chosen: str) -> Iterator[Any]:
    """Yield the values of an override that apply to a value of the matrix."""
    for item in raw if isinstance(raw, list) else [raw]:
        if not isinstance(item, dict):
            yield item
        elif "if" not in item or chosen in map(str, _list(item["if"])):
            yield f"{item['key']}={item.get('value', chosen)}" if "key" in item else item.get("value")


def _apply(found: dict[str, Any], key: str, values: list[Any], *, is_whole: bool) -> None:
    if key == "env-vars":
        pairs = [str(item).partition("=") for item in values]
        found[key] = {**({} if is_whole else found.get(key, {})), **{name: value for name, _, value in pairs}}
    elif key in {"dependencies", "extra-dependencies", "features", "dependency-groups"}:
        found[key] = [*([] if is_whole else _list(found.get(key))), *values]
    elif values:
        found[key] = values[-1]


def _matrix(text: str, row: Mapping[str, Any]) -> str:
    """Substitute {matrix:NAME} and {matrix:NAME:DEFAULT}, and other braces as in scripts."""
    for key, item in row.items():
        text = text.replace(f"{{matrix:{key}}}", str(item))
    return substitution.Substitution().substitute(text)


def _list(raw: Any) -> list[Any]:
    return raw if isinstance(raw, list) else [] if raw is None else [raw]
