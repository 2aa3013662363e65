"""Variants of hatch's environments: [tool.hatch.envs] of pyproject.toml, or hatch.toml, with matrices and overrides."""

from __future__ import annotations

import itertools
import os
import re
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from venvgrid.migration.model import MAIN_NAMES, Notes, ParsedSource, Variant, subtable
from venvgrid.migration.readers import commands, env_names, requirements, shell, substitution
from venvgrid.model import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

MAX_ENVIRONMENTS = 2_000  # environments
MAX_DEPTH = 10
TEST_ENVIRONMENT = "hatch-test"
# Defaults of `hatch test` that are not in the file (hatch/env/internal/test.py), as of this release.
HATCH = "1.18.2"
TEST_PYTHONS = ("3.15", "3.15t", "3.14", "3.14t", "3.13", "3.12", "3.11", "3.10")
TEST_DEPENDENCIES = (
    "coverage-enable-subprocess==1.0", "coverage[toml]~=7.11", "pytest~=9.0", "pytest-mock~=3.12",
    "pytest-randomly~=3.15", "pytest-rerunfailures~=14.0", "pytest-xdist[psutil]~=3.5",
)  # fmt: skip
SCRIPTS = ("test", "tests", "run", "pytest", "test-cov", "cov", "run-cov", "unit", "all")
CARRIED = frozenset({
    "dependencies", "extra-dependencies", "dependency-groups", "features", "env-vars", "scripts", "matrix",
    "overrides", "python", "template", "type", "detached", "skip-install", "dev-mode", "description", "installer",
    "default-args", "extra-args", "extra-scripts", "path", "matrix-name-format", "randomize", "parallel", "retries",
    "retry-delay", "env-include", "env-exclude", "pre-install-commands", "post-install-commands", "platforms",
})  # fmt: skip
# An override of another key would be lost.
OVERRIDDEN = frozenset({
    "dependencies", "extra-dependencies", "dependency-groups", "features", "env-vars", "scripts", "python",
    "skip-install", "dev-mode", "description", "pre-install-commands", "post-install-commands", "extra-args",
    "default-args", "name",
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
        found = list(itertools.islice(_variants(name, table, folder), MAX_ENVIRONMENTS))
        if not found or (name == "default" and any("matrix" in other for other in known.values())):
            skipped.append(name)
        else:
            variants += found
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
    for key in ("scripts", "env-vars", "extra-scripts"):
        if isinstance(above.get(key), dict) and isinstance(own.get(key), dict):
            merged[key] = {**above[key], **own[key]}
    return merged


def _argvs(name: str, table: Mapping[str, Any], row: Mapping[str, Any], notes: Notes) -> list[tuple[str, ...]]:
    """Return the commands of the script that runs the tests, or of none."""
    scripts = {**subtable(table, "scripts"), **subtable(table, "extra-scripts")}
    extra = " ".join(map(str, _list(table.get("extra-args"))))
    if name == TEST_ENVIRONMENT and not {"run"} & subtable(table, "scripts").keys():
        return [("pytest", *map(str, _list(table.get("extra-args"))), *map(str, table.get("default-args", ["tests"])))]
    found: list[tuple[list[tuple[str, ...]], Notes]] = []
    for script in [*(item for item in SCRIPTS if item in scripts), *scripts]:
        lines = (
            line.replace("{env:HATCH_TEST_ARGS:}", extra).replace("{env:HATCH_TEST_ARGS}", extra)
            for line in _lines(script, scripts)
        )
        own = Notes()
        argvs = [argv for line in lines for argv in _split(_matrix(line, row), own, name)]
        if commands.sort(argvs, Path(), Notes(), name).tests:
            found.append((argvs, own))
        elif shell.needs_a_shell(" ".join(own.lost)) == "tests":  # its tests cannot be read: nothing takes their place
            found.append(([("pytest",)], own))
    if not scripts and name in MAIN_NAMES:
        notes.add(f"{name}: no script of it runs tests; plain pytest is taken")
        return [("pytest",)]
    pytest = [item for item in found if any(commands.kind(command) == "pytest" for command in item[0])]
    chosen, own = (pytest or found or [([], Notes())])[0]
    for lost in own.lost:
        notes.lose(lost)
    return chosen


def _split(line: str, notes: Notes, name: str) -> Iterator[tuple[str, ...]]:
    """Yield the commands of a line of a script, which hatch gives to a shell."""
    for part in shell.lines(line.removeprefix("- "), {}):
        if part.argv[:1] == ("cd",):
            notes.lose(
                f"{name}: `{substitution.display(line)[:80]}`: write its folder as working-directory into [test]"
            )
        elif part.argv:
            yield substitution.words(part.argv)
        elif shell.needs_a_shell(part.text):
            notes.lose(f"{name}: `{substitution.display(part.text)[:80]}`, which only a shell understands")
        else:
            yield ("bash", "-c", substitution.escape(part.text))


def _lines(script: str, scripts: Mapping[str, Any], depth: int = 0) -> Iterator[str]:
    """Yield the commands of a script; the name of another script is replaced by its commands."""
    found = scripts.get(script, [])
    for line in [found] if isinstance(found, str) else found if isinstance(found, list) else []:
        first, _, rest = str(line).removeprefix("- ").partition(" ")
        if first in scripts and first != script and depth < MAX_DEPTH:
            for inner in _lines(first, scripts, depth + 1):
                has_place = rest and "{args" in inner
                yield re.sub(r"\{args(?::[^{}]*)?\}", rest, inner) if has_place else f"{inner} {rest}".strip()
        else:
            yield str(line)


def _variants(name: str, table: Mapping[str, Any], folder: Path) -> Iterator[Variant]:
    """Yield the variants of an environment: one for each row of its matrix and each command that runs tests."""
    told = ""
    if name == TEST_ENVIRONMENT:  # overrides add to the default requirements
        defaults = {"dependencies": list(TEST_DEPENDENCIES), "matrix": [{"python": list(TEST_PYTHONS)}]}
        given = [key for key in defaults if key not in table]
        told = f"{name}: {' and '.join(given)} are the defaults of hatch {HATCH}" if given else ""
        table = {**defaults, **table}
    for row in _rows(table):
        notes = Notes()
        if told:
            notes.add(told)
        for key in table.keys() - CARRIED:
            if table[key]:
                notes.lose(f"{name}: {key}")
        if table.get("type", "virtual") != "virtual":
            notes.lose(f"{name}: type = {table['type']}")
        applied = _overridden(table, row, notes, name)
        steps = commands.sort(_argvs(name, applied, row, notes), folder, notes, name)
        if not steps.tests:
            return
        early = [
            [argv for line in _list(applied.get(key)) for argv in _split(_matrix(str(line), row), notes, name)]
            for key in ("pre-install-commands", "post-install-commands")
        ]
        sorted_early = [commands.sort(argvs, folder, notes, name, expects_tests=False) for argvs in early]
        for command in sorted_early[0].left:
            notes.lose(
                f"{name}: `{' '.join(command)[:80]}` of pre-install-commands (nothing runs before an installation)"
            )
        installed = [word for item in (*sorted_early, steps) for word in item.arguments]
        first = _variant(name, applied, row, folder, notes, installed)
        for number, item in enumerate(steps.tests, 1):
            yield replace(
                first,
                before=(*sorted_early[1].left, *item.before),
                command=item.command,
                env={**first.env, **item.variables},
                grid=first.grid if number == 1 else f"{first.grid or 'tests'}-{number}",
                notes=tuple(notes.lines),
                missing=tuple(notes.lost),
            )


def _variant(
    name: str,
    applied: Mapping[str, Any],
    row: Mapping[str, Any],
    folder: Path,
    notes: Notes,
    installed: list[str],
) -> Variant:
    asked = str(applied.get("python") or "") if "python" not in row else str(row["python"])
    python = env_names.of_version(asked)
    if asked and asked not in {"3", "2", "self"} and not python:
        notes.lose(f"{name}: no version of Python in {asked!r}")
    if why := env_names.unsupported(python):
        notes.lose(f"{name}: {why}")
    listed = [str(item) for key in ("dependencies", "extra-dependencies") for item in _list(applied.get(key))]
    # A variable that only repeats the Python would become an axis of its own.
    variables = {key: str(item) for key, item in dict(applied.get("env-vars", {})).items()}
    env = {key: _matrix(item, row) for key, item in variables.items() if "{matrix:python" not in item}
    for key, item in env.items():
        if substitution.UNAVAILABLE in item and not key.startswith("COVERAGE"):
            notes.lose(f"{name}: the variable {key}={substitution.display(item)[:60]}")
    known = {key: item for key, item in env.items() if substitution.UNAVAILABLE not in item}
    env, arguments = requirements.variables(known, folder, notes, name)
    arguments = [*(_matrix(item, row) for item in listed), *arguments, *installed]
    installs = requirements.parse_arguments(arguments, folder, notes, name)
    is_built = applied.get("dev-mode") is False or name == TEST_ENVIRONMENT
    is_none = (applied.get("skip-install") or applied.get("detached")) and not installs.project
    return Variant(
        name=f"{name}.{'-'.join(map(str, row.values()))}" if row else name,
        label="-".join(str(item) for key, item in row.items() if key not in {"python", "py"}),
        python=python,
        requires=tuple(installs.requires),
        constraints=tuple(installs.constraints),
        named=tuple(installs.named),
        extras=tuple(dict.fromkeys((*map(str, _list(applied.get("features"))), *installs.extras))),
        groups=tuple(dict.fromkeys((*map(str, _list(applied.get("dependency-groups"))), *installs.groups))),
        install="none" if is_none else "" if is_built else "editable",
        resolution=installs.resolution,
        pre_releases=installs.pre_releases,
        env=env,
        grid="" if name in {"default", TEST_ENVIRONMENT, *MAIN_NAMES} else name,
    )


def _rows(table: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield the combinations of each table of the matrix."""
    for row in [row for row in _list(table.get("matrix")) if isinstance(row, dict)] or [{}]:
        for found in itertools.product(*map(_list, row.values())):
            yield dict(zip(row, found, strict=True))


def _overridden(table: Mapping[str, Any], row: Mapping[str, Any], notes: Notes, name: str) -> dict[str, Any]:
    """Return a table with [overrides] applied that hold for this system and a row of the matrix."""
    found = dict(table)
    system = {"linux": "linux", "darwin": "macos", "win32": "windows"}.get(sys.platform, sys.platform)
    for source, by_name in subtable(table, "overrides").items():
        values = {"matrix": row, "platform": {system: system}, "env": os.environ, "name": {}}.get(source)
        if values is None or not isinstance(by_name, dict) or (source == "name" and by_name):
            notes.lose(f"{name}: overrides.{source}")
            continue
        for variable, settings in by_name.items():
            for key, raw in settings.items() if variable in values and isinstance(settings, dict) else ():
                plain = key.removeprefix("set-")
                if plain not in OVERRIDDEN:
                    notes.lose(f"{name}: overrides.{source}.{variable}.{key}")
                    continue
                chosen = list(
                    _override_values(raw, str(values[variable]), system, notes, f"{name}: overrides of {key}")
                )
                _apply(found, plain, chosen, is_whole=plain != key)
    return found


def _override_values(raw: Any, chosen: str, system: str, notes: Notes, where: str) -> Iterator[Any]:
    """Yield the values of an override that apply to a value of the matrix, on this system."""
    for item in raw if isinstance(raw, list) else [raw]:
        if not isinstance(item, dict):
            yield item
            continue
        if unknown := item.keys() - {"key", "value", "if", "platform", "env"}:
            notes.lose(f"{where}: {', '.join(sorted(unknown))}")
        platforms = [str(name) for name in _list(item.get("platform"))]
        is_here = not platforms or system in platforms
        has_variables = all(_holds(str(condition)) for condition in _list(item.get("env")))
        if is_here and has_variables and ("if" not in item or chosen in map(str, _list(item["if"]))):
            yield f"{item['key']}={item.get('value', chosen)}" if "key" in item else item.get("value", True)


def _holds(condition: str) -> bool:
    """Whether a condition of variables holds: NAME or NAME=VALUE."""
    name, equals, value = condition.partition("=")
    return os.environ.get(name) == value if equals else name in os.environ


def _apply(found: dict[str, Any], key: str, values: list[Any], *, is_whole: bool) -> None:
    if key in {"env-vars", "scripts"}:
        pairs = [str(item).partition("=") for item in values]
        found[key] = {**({} if is_whole else found.get(key, {})), **{name: value for name, _, value in pairs}}
    elif key in {"python", "skip-install", "dev-mode", "description"}:
        if values:
            found[key] = values[-1]
    else:
        found[key] = [*([] if is_whole else _list(found.get(key))), *values]


def _matrix(text: str, row: Mapping[str, Any]) -> str:
    """Substitute {matrix:NAME} and {matrix:NAME:DEFAULT}, and other braces as in scripts."""
    for key, item in row.items():
        text = text.replace(f"{{matrix:{key}}}", str(item))
    return substitution.Substitution().substitute(text)


def _list(raw: Any) -> list[Any]:
    return raw if isinstance(raw, list) else [] if raw is None else [raw]
