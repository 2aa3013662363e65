"""Variants of the environments of tox that run tests."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

from venvgrid.migration.model import Notes, ParsedSource, Variant
from venvgrid.migration.readers import commands, pythons, requirements, substitution

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from venvgrid.migration.readers.tox_settings import ToxEnvironment, ToxFile

# Not noted: venvgrid does not need them, or does the same anyhow.
IGNORED = frozenset({
    "description", "package", "wheel_build_env", "base_python", "parallel_show_output", "allowlist_externals",
    "runner", "download", "usedevelop", "skip_install", "labels", "depends", "ignore_errors", "recreate", "uv_seed",
    "ignore_outcome", "env_dir", "work_dir", "package_env", "skipsdist", "constrain_package_deps",
    "use_frozen_constraints", "no_package", "ignore_basepython_conflict", "default_base_python", "pip_pre",
    "unignore_outcomes", "base", "isolated_build",
})  # fmt: skip
CARRIED = frozenset({"deps", "commands", "extras", "dependency_groups", "set_env", "pass_env", "constraints"})


def read(file: ToxFile, folder: Path, source: str) -> ParsedSource:
    """Return the parsed source of a file; `folder` has the requirements files."""
    notes, core = Notes(), file.core
    if str(core.get("skip_missing_interpreters", "")).lower() == "true":
        notes.add("skip_missing_interpreters: type `venvgrid run --skip-missing-interpreters`")
    variants, skipped = [], []
    known: dict[str, str] = {}  # the same note is not repeated for each environment
    for item in file.environments:
        own = Notes()
        variant = _variant(item, core, folder, own)
        if isinstance(variant, str):
            notes.add(f"{item.name}: {variant}")
        elif variant is None:
            skipped.append(item.name)
        else:
            for whole in own.lines:
                known.setdefault(whole.partition(": ")[2], whole)
            distinct = tuple(whole for whole in own.lines if known.get(whole.partition(": ")[2]) == whole)
            variants.append(replace(variant, notes=distinct))
    return ParsedSource(source=source, variants=tuple(variants), skipped=tuple(skipped), notes=tuple(notes.lines))


def _variant(made: ToxEnvironment, core: Mapping[str, str], folder: Path, notes: Notes) -> Variant | str | None:
    """Return the variant of an environment, None if it runs no tests, or why it cannot be carried over."""
    name, settings = made.name, made.settings
    factors = name.split("-")
    python = next(filter(None, map(pythons.of_factor, factors)), "")
    if not python and any(factor.startswith("pypy") for factor in factors):
        return "name a version, such as pypy3.10"
    is_any = factors in (["py"], ["py3"], ["python"], ["python3"])
    where = name if not python else "tox"
    if made.argvs is not None:
        argvs = [substitution.drop_unavailable(argv, notes, where) for argv in made.argvs]
    else:
        argvs = [substitution.split_command(line, notes, where) for line in _joined(settings.get("commands", []))]
    command = commands.tests(argvs, notes, where)
    if not command:
        return None
    if not python and not is_any:
        if commands.kind(command) != "pytest":
            return None
        python = next(filter(None, map(pythons.of_factor, settings.get("base_python", []))), "")
    arguments = [word for line in settings.get("deps", []) for word in _dependency(line)]
    arguments += [word for line in settings.get("constraints", []) for word in ("-c", line)]
    installs = requirements.parse_arguments(arguments, folder, notes, where)
    if substitution.UNAVAILABLE in "".join(arguments):
        notes.add(f"{where}: a requirement that names what only tox knows")
    for key in settings.keys() - CARRIED - IGNORED:
        if any(settings[key]):
            notes.add(f"{where}: {key}")
    return Variant(
        name=name,
        label="-".join(factor for factor in factors if factor not in {"py", "py3"} and not pythons.of_factor(factor)),
        missing=tuple(installs.missing),
        python=python,
        requires=tuple(installs.requires),
        constraints=tuple(installs.constraints),
        extras=tuple(_items(settings.get("extras", []))),
        groups=tuple(_items(settings.get("dependency_groups", []))),
        install=_install(settings, core),
        command=command,
        env=_variables(settings.get("set_env", []), notes, where),
        pass_env=tuple(item for item in _items(settings.get("pass_env", [])) if item != "*"),
        may_fail=settings.get("ignore_outcome", [""])[:1] in (["True"], ["true"]),
        grid="" if any(map(pythons.of_factor, factors)) or is_any else name,
    )


def _dependency(line: str) -> list[str]:
    line = line.strip()
    return line.split(None, 1) if line.startswith("-") else [line]


def _install(settings: Mapping[str, Sequence[str]], core: Mapping[str, str]) -> str:
    def has(key: str, *words: str) -> bool:
        given = [*settings.get(key, []), core.get(key, "")]
        return any(str(item).strip().lower() in words for item in given)

    no_package = has("skip_install", "true") or has("no_package", "true")
    if no_package or (has("skipsdist", "true") and not has("usedevelop", "true")):
        return "none"
    if has("usedevelop", "true") or has("package", "editable", "editable-legacy"):
        return "editable"
    return ""


def _variables(lines: Sequence[str], notes: Notes, where: str) -> dict[str, str]:
    found = {}
    for line in lines:
        name, equals, value = line.partition("=")
        if substitution.UNAVAILABLE in line or not equals:
            notes.add(f"{where}: the variable {substitution.display(line)[:80]}")
        elif not name.strip().startswith("file|"):
            value = value.strip().replace(substitution.CELL, "").replace(substitution.PYTHON, "python")
            found[name.strip()] = value
    return found


def _items(lines: Sequence[str]) -> list[str]:
    return [item for line in lines for item in re.split(r"[,\s]+", line) if item]


def _joined(lines: Sequence[str]) -> list[str]:
    """Join lines that end in a backslash."""
    return [line for line in "\n".join(lines).replace("\\\n", " ").splitlines() if line.strip()]
