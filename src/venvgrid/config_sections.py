"""The sections [project], [plan], [install] and [test]: from raw tables to options."""

from __future__ import annotations

import os
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

from venvgrid import axes, placeholders
from venvgrid.config_reader import joined
from venvgrid.config_values import (
    BadValueError,
    choice,
    constraint,
    distribution_name,
    duration,
    flag,
    free_text,
    limit,
    module_name,
    nearest,
    normal_name,
    requirement,
    retries,
    shown,
    text,
    variable_name,
    variable_pattern,
)
from venvgrid.model import InstallMode, InstallOptions, ProjectOptions, Resolution, RunOptions

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from venvgrid.config_reader import Table

PROJECT = ("path", "install", "extras", "groups")
PLAN = ("strategy",)
INSTALL = ("requires", "constraints", "only-binary", "source-builds", "as-of", "resolution")
TEST = ("command", "reports", "smoke", "timeout", "grace-period", "retries", "coverage", "pass-env", "env")

FULL = "full"
LATER_STRATEGIES = ("pairwise", "one-at-a-time", "t=2", "t=3", "t=4", "random", "budget")
JUNIT = "junit:"


def read_project(table: Table, root: Path) -> ProjectOptions:
    """Give [project]; its path, relative to `root`, must be a folder."""
    table.only(PROJECT)

    def folder(raw: object) -> Path:
        value = text(raw)
        path = root / value
        if not value or not os.path.isdir(path):  # noqa: PTH112 - Path.is_dir raises for a name that is too long
            raise BadValueError(f"{shown(value)} is no folder (looked for {os.fspath(path)[:300]})")
        return Path(os.path.normpath(path))

    return ProjectOptions(
        path=table.take("path", folder, root),
        install=table.take("install", choice(InstallMode), InstallMode.WHEEL),
        extras=_unique(table.take_all("extras", normal_name)),
        groups=_unique(table.take_all("groups", normal_name)),
    )


def read_strategy(table: Table) -> str:
    """Give the strategy of [plan]."""
    table.only(PLAN)

    def strategy(raw: object) -> str:
        value = text(raw)
        if value in LATER_STRATEGIES:
            raise BadValueError(f"the strategy {shown(value)} is not available yet (allowed: 'full')")
        if value != FULL:
            raise BadValueError(f"{shown(value)} is no strategy{nearest(value, [FULL])} (allowed: 'full')")
        return value

    return table.take("strategy", strategy, FULL)


def read_install(table: Table) -> InstallOptions:
    """Give [install]."""
    table.only(INSTALL)
    default = InstallOptions()
    return InstallOptions(
        requires=_unique(table.take_all("requires", requirement, default.requires)),
        constraints=_unique(table.take_all("constraints", constraint)),
        only_binary=table.take("only-binary", flag, default.only_binary),
        source_builds=_unique(table.take_all("source-builds", distribution_name, default.source_builds)),
        as_of=table.take("as-of", axes.as_of, default.as_of),
        resolution=table.take("resolution", choice(Resolution), default.resolution),
    )


def read_test(table: Table, axis_names: Collection[str]) -> RunOptions:
    """Give [test]; placeholders may name one of `axis_names`."""
    table.only(TEST)
    default = RunOptions()

    def argument(raw: object) -> str:
        return placeholders.check(free_text(raw), axis_names)

    def reports(raw: object) -> str:
        value = text(raw)
        if value in {"pytest", "exit-status"}:
            return value
        if value.startswith(JUNIT) and value.removeprefix(JUNIT).strip():
            return placeholders.check(value, axis_names)
        raise BadValueError(
            f"{shown(value)} is not allowed{nearest(value, ['pytest', 'exit-status'])} "
            "(allowed: 'pytest', 'exit-status', 'junit:FILE')"
        )

    command = table.take_all("command", argument, default.command)
    if table.values.get("command") == [] or (command and not command[0].strip()):
        table.wrong("command", 'needs a program, such as ["pytest"]')
    return RunOptions(
        command=command,
        reports=table.take("reports", reports, default.reports),
        smoke=_unique(table.take_all("smoke", module_name)),
        timeout=table.take("timeout", limit, default.timeout),
        grace_period=table.take("grace-period", duration, default.grace_period),
        retries=table.take("retries", retries, default.retries),
        coverage=table.take("coverage", flag, default.coverage),
        pass_env=_unique(table.take_all("pass-env", variable_pattern)),
        env=_variables(table),
    )


def _variables(table: Table) -> Mapping[str, str]:
    inner = table.table("env")
    found: dict[str, str] = {}
    for name in inner.values:
        try:
            variable_name(name)
        except BadValueError as error:
            table.mistakes.add(joined(inner.path, name), str(error))
        else:
            found[name] = inner.take(name, free_text, "")
    return MappingProxyType(found)


def _unique(values: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(values))
