"""The sections [project], [plan], [ci], [install] and [test]: from raw tables to options."""

from __future__ import annotations

import os
import re
import shlex
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

from venvgrid.config import axis_values, placeholders, requirement_files, values
from venvgrid.config.reader import joined
from venvgrid.config.requirement_files import Listed
from venvgrid.config.values import BadValueError, choice, nearest, shown, text
from venvgrid.model import InstallMode, InstallOptions, Planning, ProjectOptions, Resolution, SuiteOptions
from venvgrid.model.config import EMPTY, JUNIT

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from venvgrid.config.reader import Table
    from venvgrid.model import Axis

PROJECT = ("path", "install", "extras", "groups")
PLAN = ("strategy", "seed", "baseline", "must", "optimise", "skip-missing-interpreters")
INSTALL = ("requires", "constraints", "only-binary", "source-builds", "pre-releases", "as-of", "resolution")
CI = ("push", "pull-request", "nightly")
TEST = (
    "before",
    "command",
    "working-directory",
    "reports",
    "smoke",
    "imports",
    "timeout",
    "grace-period",
    "retries",
    "memory",
    "coverage",
    "pass-env",
    "env",
)

# The section of each key that only one of them has.
HOMES = {"python": "axes"} | {
    key: section
    for section, keys in (("project", PROJECT), ("plan", PLAN), ("install", INSTALL), ("test", TEST))
    for key in keys
    if key not in {"path", "install"}
}

FULL, COVER = "full", "cover"
_WITHOUT_SHELL = "test.before has the commands that run first, and each grid has a command of its own"


def read_project(table: Table, root: Path) -> ProjectOptions:
    """Read [project]; its path, relative to `root`, must be a folder."""
    table.only(PROJECT, homes=HOMES)

    def folder(raw: object) -> Path:
        value = text(raw)
        path = root / value
        if not value or not os.path.isdir(path):  # noqa: PTH112 - Path.is_dir raises for a name that is too long
            raise BadValueError(
                f"{shown(value)} is no folder (looked for {os.fspath(path)[:300]}); "
                "write the folder of the project, relative to this file"
            )
        return Path(os.path.normpath(path))

    return ProjectOptions(
        path=table.take("path", folder, root),
        install=table.take("install", choice(InstallMode), InstallMode.WHEEL),
        extras=_unique(table.take_all("extras", values.normal_name)),
        groups=_unique(table.take_all("groups", values.normal_name)),
    )


def read_planning(table: Table, axes: Sequence[Axis]) -> tuple[str, Planning]:
    """Read [plan]; return the strategy as written, and its meaning."""
    table.only(PLAN, homes=HOMES)
    name, planning = table.take("strategy", strategy, (FULL, Planning()))
    planning = replace(
        planning,
        seed=table.take("seed", values.whole_number(values.MAX_SEED), 0),
        optimise=table.take("optimise", values.duration, 0.0),
        baseline=_combination(table.table("baseline"), axes) if "baseline" in table.values else EMPTY,
        must=tuple(_combination(item, axes) for item in table.tables("must")),
        skip_missing=table.take("skip-missing-interpreters", values.flag, default=False),
    )
    return name, planning


def strategy(raw: object) -> tuple[str, Planning]:
    """Read the name of a strategy, from the file or the command line."""
    value = text(raw)
    known = {
        FULL: Planning(),
        "pairwise": Planning(kind=COVER, strength=2),
        "one-at-a-time": Planning(kind="one-at-a-time"),
        "corners": Planning(kind="corners"),
    }
    if value in known:
        return value, known[value]
    if found := re.fullmatch(r"t\s*=\s*([1-6])|budget\s*=\s*([1-9][0-9]{0,5})", value):
        return value, Planning(kind=COVER, strength=int(found[1] or 2), budget=int(found[2] or 0))
    meant = "" if re.match(r"(t|budget)\s*=", value) else nearest(value, [*known, "t=3", "budget=20"])
    raise BadValueError(
        f"{shown(value)} is no strategy{meant} "
        "(allowed: 'full', 'pairwise', 't=1' to 't=6', 'one-at-a-time', 'corners', 'budget=N')"
    )


def is_strategy(value: str) -> bool:
    """Whether a tier of [ci] is a strategy; else it is an expression as for -k."""
    try:
        strategy(value)
    except BadValueError:
        return False
    return True


def read_ci(table: Table) -> Mapping[str, str]:
    """Read [ci]: the tiers by their names. What an expression selects is checked when cells are planned."""
    table.only(CI)

    def tier(raw: object) -> str:
        value = text(raw).strip()
        if not value:
            raise BadValueError("expected an expression such as 'python>=3.12', or a strategy such as 'budget=20'")
        return value

    return MappingProxyType({name: found for name in CI if (found := table.take(name, tier, ""))})


def _combination(table: Table, axes: Sequence[Axis]) -> Mapping[str, str]:
    """Read one value for each named axis, which the axis must have."""
    names = {axis.name: axis for axis in axes}
    table.only(tuple(names))
    found: dict[str, str] = {}
    for name in table.values:
        if name not in names:
            continue

        def value(raw: object, axis: Axis = names[name]) -> str:
            item = text(raw)
            if item not in axis.values and (axis.values or not axis.policy):
                allowed = ", ".join(map(shown, axis.values[:20]))
                raise BadValueError(
                    f"{shown(item)} is no value of the axis{nearest(item, axis.values)} (allowed: {allowed})"
                )
            return item

        if (taken := table.take(name, value, "")) or "" in names[name].values:
            found[name] = taken
    return MappingProxyType(found)


def read_install(table: Table, root: Path, project: ProjectOptions) -> InstallOptions:
    """Read [install], and the requirements files that it names, relative to `root`.

    `project` is [project]: a requirements file may name it (`-e .`), and it is installed anyhow.
    """
    table.only(INSTALL, homes=HOMES)
    default = InstallOptions()

    def requirement(raw: object) -> Listed:
        return requirement_files.read(text(raw), root, project)

    listed = table.take_all("requires", requirement) if "requires" in table.values else (Listed(default.requires),)
    constraints = table.take_all("constraints", lambda raw: requirement_files.read_constraint(text(raw), root))
    return InstallOptions(
        requires=_unique(tuple(line for item in listed for line in item.requires)),
        constraints=_unique(tuple(line for item in (*listed, *constraints) for line in item.constraints)),
        only_binary=table.take("only-binary", values.flag, default.only_binary),
        source_builds=_unique(table.take_all("source-builds", values.distribution_name, default.source_builds)),
        pre_releases=table.take(
            "pre-releases", values.flag, any(item.pre_releases for item in (*listed, *constraints))
        ),
        as_of=table.take("as-of", axis_values.as_of, default.as_of),
        resolution=table.take("resolution", choice(Resolution), default.resolution),
    )


def read_test(table: Table, root: Path, axis_names: Collection[str]) -> SuiteOptions:
    """Read [test]; placeholders may name one of `axis_names`, and folders are relative to `root`."""
    table.only(TEST, homes=HOMES)
    default = SuiteOptions()

    def argument(raw: object) -> str:
        return placeholders.check(values.free_text(raw), axis_names)

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

    command = table.take_all("command", argument, default.command, split=_words)
    if problem := _problem(command, is_empty=table.values.get("command") == []):
        table.wrong("command", problem)

    def program(raw: object) -> tuple[str, ...]:
        if not isinstance(raw, list) or not raw or not all(isinstance(item, str) for item in raw) or not raw[0].strip():
            raise BadValueError(f'expected a command such as ["python", "make.py"], got {shown(raw)}')
        return tuple(map(argument, raw))

    return SuiteOptions(
        before=table.take_all("before", program),
        command=command,
        working_directory=table.take("working-directory", partial(_directory, root), ""),
        reports=table.take("reports", reports, default.reports),
        smoke=_unique(table.take_all("smoke", values.module_name)),
        imports=table.take("imports", _imports, default.imports),
        timeout=table.take("timeout", values.limit, default.timeout),
        grace_period=table.take("grace-period", values.duration, default.grace_period),
        retries=table.take("retries", values.whole_number(values.MAX_RETRIES), default.retries),
        memory=table.take("memory", values.size, default.memory),
        coverage=table.take("coverage", values.flag, default.coverage),
        pass_env=_unique(table.take_all("pass-env", values.variable_pattern)),
        env=_variables(table, axis_names),
    )


def _imports(raw: object) -> str:
    value = text(raw)
    if value in {"required", "noted"}:
        return value
    raise BadValueError(
        f"{shown(value)} is not allowed{nearest(value, ['required', 'noted'])} (allowed: 'required', 'noted')"
    )


def _problem(command: tuple[str, ...], *, is_empty: bool) -> str:
    """Return what is wrong with a command, or ""."""
    if is_empty or (command and not command[0].strip()):
        return 'needs a program, such as ["pytest"]'
    shell = next((item for item in command if item in {"&&", "||", "2>&1"}), "")
    return f"there is no shell, so {shell} would be an argument; {_WITHOUT_SHELL}" if shell else ""


def _words(text_: str) -> list[str]:
    """Split a command line, as a shell does."""
    try:
        return shlex.split(text_)
    except ValueError:  # an open quote
        return text_.split()


def _directory(root: Path, raw: object) -> str:
    """Read a folder relative to `root`, or one below {tmp}."""
    value = text(raw)
    if re.fullmatch(r"\{tmp\}(/[\w.-]+)*", value) and ".." not in value:
        return value
    if not value or not os.path.isdir(root / value):  # noqa: PTH112 - Path.is_dir raises for a name that is too long
        raise BadValueError(
            f"{shown(value)} is no folder (looked for {os.fspath(root / value)[:300]}); "
            "write a folder relative to this file, or '{tmp}' for an empty one of each cell"
        )
    return value


def _variables(table: Table, axis_names: Collection[str]) -> Mapping[str, str]:
    def value(raw: object) -> str:
        return placeholders.check_variable(values.free_text(raw), axis_names)

    inner = table.table("env")
    found: dict[str, str] = {}
    for name in inner.values:
        try:
            values.variable_name(name)
        except BadValueError as error:
            table.mistakes.add(joined(inner.path, name), str(error))
        else:
            found[name] = inner.take(name, value, "")
    return MappingProxyType(found)


def _unique(values: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(values))
