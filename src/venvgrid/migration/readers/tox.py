"""Variants of the environments of tox that run tests."""

from __future__ import annotations

import re
import sys
from dataclasses import replace
from typing import TYPE_CHECKING

from venvgrid.migration.model import Notes, ParsedSource, Variant
from venvgrid.migration.readers import commands, env_names, requirements, substitution
from venvgrid.model.names import normalise

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from venvgrid.migration.readers.tox_settings import ToxEnvironment, ToxFile

# Not noted: venvgrid does not need them, or does the same anyhow.
IGNORED = frozenset({
    "description", "package", "wheel_build_env", "base_python", "parallel_show_output", "allowlist_externals",
    "download", "usedevelop", "skip_install", "labels", "depends", "ignore_errors", "recreate", "uv_seed",
    "ignore_outcome", "env_dir", "work_dir", "package_env", "skipsdist", "constrain_package_deps", "no_package",
    "use_frozen_constraints", "ignore_basepython_conflict", "default_base_python", "unignore_outcomes", "base",
    "isolated_build", "list_dependencies_command", "terminate_timeout", "suicide_timeout", "interrupt_timeout",
    "package_tox_env_type", "fail_fast", "args_are_paths", "uv_python_preference", "virtualenv_spec", "tags",
    "interrupt_post_commands", "env_log_dir", "env_tmp_dir", "env_name", "commands_retry", "platform",
    "skip_missing_interpreters",
})  # fmt: skip
CARRIED = frozenset({
    "deps", "commands", "commands_pre", "extras", "dependency_groups", "set_env", "pass_env", "constraints",
    "install_command", "change_dir", "pip_pre", "uv_resolution", "runner",
})  # fmt: skip
# With these, something else is installed, or it is installed in another way.
LOST = (
    "sitepackages",
    "system_site_packages",
    "conda",
    "docker",
    "config_settings",
    "uv_sync",
    "override_install",
)


def read(file: ToxFile, folder: Path, source: str) -> ParsedSource:
    """Return the parsed source of a file; `folder` has the requirements files."""
    notes, core = Notes(), file.core
    variants, skipped = [], []
    known: dict[str, str] = {}  # the same note is not repeated for each environment
    for item in file.environments:
        own = Notes()
        variant = _Reader(item, core, folder, own).variants()
        if isinstance(variant, str):
            notes.add(f"{item.name}: {variant}")
        elif not variant:
            skipped.append(item.name)
        else:
            for whole in own.lines:
                known.setdefault(whole.partition(": ")[2], whole)
            distinct = tuple(whole for whole in own.lines if known.get(whole.partition(": ")[2]) == whole)
            variants += [replace(found, notes=distinct, missing=tuple(own.lost)) for found in variant]
    return ParsedSource(
        source=source,
        variants=tuple(variants),
        skipped=tuple(skipped),
        unused=file.unused,
        notes=tuple(notes.lines),
        skip_missing=str(core.get("skip_missing_interpreters", "")).lower() == "true",
    )


class _Reader:
    """Reads one environment."""

    def __init__(self, made: ToxEnvironment, core: Mapping[str, str], folder: Path, notes: Notes) -> None:
        self.made, self.settings, self.core, self.folder, self.notes = made, made.settings, core, folder, notes
        self.where = made.name

    def variants(self) -> list[Variant] | str:
        """Return a variant for each command that runs tests, or why the environment is left out."""
        name, settings = self.made.name, self.settings
        factors = name.split("-")
        python = next(filter(None, map(env_names.of_factor, factors)), "")
        if not python and any(factor.startswith("pypy") for factor in factors):
            return "name a version, such as pypy3.10"
        is_any = factors[0] in {"py", "py3", "python", "python3"}
        has_python = bool(python) or is_any
        label = "-".join(
            factor for factor in factors if factor not in {"py", "py3", "python"} and not env_names.of_factor(factor)
        )
        argvs = self._argvs("commands")
        steps = commands.sort(argvs, self.folder, self.notes, self.where)
        if not steps.tests and self.notes.lost and "test" in str((argvs, *self.notes.lost)):
            # Its tests are in a command that cannot be read: nothing takes the place of the environment.
            return [Variant(name=name, label=label, command=("pytest",), grid="" if has_python else name)]
        if not steps.tests:
            return []
        if not has_python:
            if commands.kind(steps.tests[0].command) not in commands.RUNNERS:
                return []
            python = next(filter(None, map(env_names.of_factor, settings.get("base_python", []))), "")
        if why := env_names.unsupported(python) or self._wrong_platform():
            return why
        early = commands.sort(self._argvs("commands_pre"), self.folder, self.notes, self.where, expects_tests=False)
        first = self._first(label, python, (*early.arguments, *steps.arguments), grid="" if has_python else name)
        return [
            replace(
                first,
                name=f"{name} ({number})" if number > 1 else name,
                before=(*early.left, *item.before),
                command=item.command,
                env={**first.env, **item.variables},
                grid=f"{first.grid or 'tests'}-{number}" if number > 1 else first.grid,
            )
            for number, item in enumerate(steps.tests, 1)
        ]

    def _first(self, label: str, python: str, installed: tuple[str, ...], *, grid: str) -> Variant:
        """Return the environment without its commands; `installed` are the arguments of their installations."""
        settings = self.settings
        env, arguments = requirements.variables(self._variables(), self.folder, self.notes, self.where)
        deps = (line.replace(substitution.TMP, substitution.UNAVAILABLE) for line in settings.get("deps", []))
        arguments += [word for line in deps for word in _dependency(line)]
        arguments += [word for line in settings.get("constraints", []) for word in ("-c", line)]
        arguments += installed
        arguments += ["pip"] if settings.get("uv_seed", [""])[:1] in (["true"], ["True"]) else []
        installs = requirements.parse_arguments(arguments, self.folder, self.notes, self.where)
        resolution = next((line for line in settings.get("uv_resolution", []) if line), installs.resolution)
        self._others()
        return Variant(
            name=self.made.name,
            label=label,
            python=python,
            requires=tuple(installs.requires),
            constraints=tuple(installs.constraints),
            named=tuple(installs.named),
            extras=tuple(dict.fromkeys(map(normalise, (*_items(settings.get("extras", [])), *installs.extras)))),
            groups=tuple(dict.fromkeys((*_items(settings.get("dependency_groups", [])), *installs.groups))),
            install=self._install(installs.project),
            resolution=resolution,
            pre_releases=installs.pre_releases or self._takes_pre_releases(),
            working_directory=self._directory(),
            env=env,
            pass_env=tuple(_items(settings.get("pass_env", []))),
            may_fail=settings.get("ignore_outcome", [""])[:1] in (["True"], ["true"]),
            grid=grid,
        )

    def _argvs(self, key: str) -> list[tuple[str, ...]]:
        if key in self.made.argvs:
            found = [substitution.words(argv) for argv in self.made.argvs[key]]
        else:
            lines = _joined(self.settings.get(key, []))
            found = [substitution.split_command(line, self.notes, self.where) for line in lines]
        # What is installed is relative to the configuration, wherever commands run.
        return [tuple(w.replace("{project}", ".") for w in argv) if "install" in argv else argv for argv in found]

    def _takes_pre_releases(self) -> bool:
        words = {word for line in self.settings.get("install_command", []) for word in line.split()}
        return "--pre" in words or self.settings.get("pip_pre", [""])[:1] in (["true"], ["True"])

    def _directory(self) -> str:
        """Return where commands run, as in [test]."""
        folder = next(iter(self.settings.get("change_dir", [])), "").removesuffix("/")
        if folder in {"", "."}:
            return ""
        shown = substitution.display(folder)
        if substitution.UNAVAILABLE in folder or substitution.SITE in folder:
            self.notes.lose(f"{self.where}: change_dir = {shown} (only its runner knows this folder)")
            return ""
        plain = folder.replace(substitution.CELL, "").removeprefix("./")
        if (self.folder / plain).is_dir() and substitution.CELL not in folder:
            return plain
        # A folder that is not there is made, and is empty: what is meant is a place away from the checkout.
        words = [word for key in ("commands", "commands_pre") for argv in self._argvs(key) for word in argv]
        if above := next((word for word in words if word.split("/")[0] == ".."), ""):
            way_out = "write {tox_root} and a path from there"
            self.notes.lose(f"{self.where}: change_dir = {shown} and {above} ({way_out})")
        below = plain.split("/")[1:] if plain.startswith(substitution.TMP) else []
        return "/".join(["{tmp}", *(part for part in below if part)])

    def _variables(self) -> dict[str, str]:
        found = {}
        for line in self.settings.get("set_env", []):
            name, equals, value = line.partition("=")
            if substitution.UNAVAILABLE in line or substitution.SITE in line or not equals or "|" in name:
                if "COV" in name:
                    self.notes.add(f"{self.where}: the variable {substitution.display(line)[:80]} is left out")
                else:
                    self.notes.lose(f"{self.where}: the variable {substitution.display(line)[:80]}")
            else:
                if substitution.CELL in value:
                    self.notes.add(f"{self.where}: {name.strip()} has the id of the cell in place of its environment's")
                if name.startswith(("PIP_", "UV_")):  # of installers, which do not run where the commands run
                    value = value.replace(substitution.PROJECT, ".")
                found[name.strip()] = substitution.with_placeholders(value.strip())
        return found

    def _wrong_platform(self) -> str:
        """Return why the environment is for another system, or ""."""
        wanted = next(iter(self.settings.get("platform", [])), "")
        try:
            fits = not wanted or re.search(wanted, sys.platform) is not None
        except re.error:
            fits = True
        return "" if fits else f"it is for the platform {wanted}"

    def _others(self) -> None:
        """Note the settings that a configuration has no place for."""
        settings, where = self.settings, self.where
        for key in settings.keys() - CARRIED - IGNORED:
            if any(settings[key]) and (key.startswith(LOST) or key == "sitepackages"):
                self.notes.lose(f"{where}: {key} = {substitution.display(settings[key][0])[:60]}")
            elif any(settings[key]) and not key.startswith("_"):
                self.notes.add(f"{where}: the setting {key} is left out")
        if (package := next(iter(settings.get("package", [])), "")) in {"external", "deps-only"}:
            self.notes.lose(f"{where}: package = {package}")
        words = [word for line in settings.get("install_command", []) for word in line.split()]
        words = words[words.index("install") :] if "install" in words else words  # those before it are Python's
        if strange := [
            word for word in words if word.startswith("-") and word not in {"-m", "--pre", *requirements.HARMLESS}
        ]:
            self.notes.lose(f"{where}: install_command with {' '.join(strange)[:60]}")
        if any("lock" in line for line in settings.get("runner", [])):
            self.notes.add(f"{where}: its runner installs from a lock file; type `venvgrid lock` for one of venvgrid")

    def _install(self, project: str) -> str:
        def has(key: str, *words: str) -> bool:
            given = [*self.settings.get(key, []), self.core.get(key, "")]
            return any(str(item).strip().lower() in words for item in given)

        if has("usedevelop", "true") or has("package", "editable", "editable-legacy") or project == "editable":
            return "editable"
        is_none = has("skip_install", "true") or has("no_package", "true") or has("package", "skip")
        return "none" if (is_none or has("skipsdist", "true")) and not project else ""


def _dependency(line: str) -> list[str]:
    line = line.strip()
    return line.split(None, 1) if line.startswith("-") else [line]


def _items(lines: Sequence[str]) -> list[str]:
    return [item for line in lines for item in re.split(r"[,\s]+", line) if item]


def _joined(lines: Sequence[str]) -> list[str]:
    """Join lines that end in a backslash."""
    return [line for line in re.sub(r"\\[ \t]*\n", "", "\n".join(lines)).splitlines() if line.strip(" \\")]
