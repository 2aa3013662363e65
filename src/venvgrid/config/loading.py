"""Builds a Config, one immutable value, from the checked table of a configuration."""

from __future__ import annotations

import hashlib
import json
import os
import sys
import sysconfig
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

from venvgrid.config import axis_values, config_file, grids
from venvgrid.config.axes import read_axes, read_rules
from venvgrid.config.reader import Mistakes, Table
from venvgrid.config.sections import read_ci, read_install, read_planning, read_project, read_test
from venvgrid.config.values import nearest, shown
from venvgrid.model import AxisKind, Config, ConfigError, FrozenPolicy, Rule, serialization
from venvgrid.model.config import EMPTY
from venvgrid.model.plan import MAX_PRODUCT

if TYPE_CHECKING:
    from collections.abc import Mapping

    from venvgrid.config.config_file import Source
    from venvgrid.config.grids import Section

MAX_CELLS = 100_000  # that are listed one by one: a plan of so many takes 16 s and 350 MB
NOT_SETTLED: Mapping[str, FrozenPolicy] = MappingProxyType({})


def running_python() -> str:
    """Return the Python that runs venvgrid as a value of the python axis: "3.11", "3.13t", "pypy3.10"."""
    minor = f"{sys.version_info.major}.{sys.version_info.minor}"
    if sys.implementation.name in {"pypy", "graalpy"}:
        return f"{sys.implementation.name}{minor}"
    return f"{minor}t" if sysconfig.get_config_var("Py_GIL_DISABLED") else minor


def load(file: Path | None, *, cwd: Path, running: str | None = None, grid: str = "") -> Config:
    """Find, read and check the configuration; see `config_file.find` for `file` and `cwd`, `build` for the others.

    Raises:
        ConfigError: there is none, it cannot be read, or it has mistakes (all of them).
    """
    return build(config_file.find(file, cwd=cwd), running=running, grid=grid)


def parse(text: str, *, file: Path, running: str | None = None, grid: str = "") -> Config:
    """Build a Config from the text of `file`; the requirements files that [install] names are read.

    Raises:
        ConfigError: no valid TOML, or one or more mistakes.
    """
    return build(config_file.parse(text, file), running=running, grid=grid)


def build(
    source: Source, *, running: str | None = None, grid: str = "", settled: Mapping[str, FrozenPolicy] = NOT_SETTLED
) -> Config:
    """Build a Config from the table of a configuration.

    Args:
        source: the table. All of its grids are checked.
        running: the value of the python axis if the configuration has none; default: this Python.
        grid: the name of a [grid.NAME], or "" for the grid outside of them.
        settled: values of the axes that have a policy, by axis; without them, such an axis has no values.

    Raises:
        ConfigError: one or more mistakes, each with its key path and the allowed values; or there is no such grid.
    """
    mistakes = Mistakes(file=source.file.name)
    top = Table(values=source.table, path=source.prefix, mistakes=mistakes)
    found = {
        section.name: _config(section, source, running or running_python(), settled if section.name == grid else {})
        for section in grids.sections(top)
    }
    if mistakes.found:
        raise ConfigError(grids.distinct(mistakes.listed()))
    if grid not in found:
        known = [name for name in found if name]
        hint = f"{nearest(grid, known)} (there are: {', '.join(known)})" if known else "; there is no [grid.NAME]"
        raise ConfigError([f"{source.file.name}: no grid is named {shown(grid)}{hint}"])
    return replace(found[grid], digest=digest(found[grid]))


def _config(section: Section, source: Source, running: str, settled: Mapping[str, FrozenPolicy]) -> Config:
    root, table = source.file.parent, section.table
    found = read_axes(table.table("axes"), root, running, settled)
    may_fail = tuple(
        Rule(path=f"axes.{name} (+pre)", keys=MappingProxyType({name: (item.pre,)}), allow_failure=True)
        for name, item in settled.items()
        if item.pre
    )
    name, planning = read_planning(table.table("plan"), found)
    project = read_project(table.table("project"), root)
    config = Config(
        file=source.file,
        root=root,
        grid=section.name,
        axes=found,
        project=project,
        install=read_install(table.table("install"), root, project),
        test=read_test(table.table("test"), root, [axis.name for axis in found]),
        excludes=read_rules(section.excludes, found, root, include=False, inherited=section.has_excludes_of_top),
        includes=(*read_rules(section.includes, found, root, include=True), *may_fail),
        strategy=name,
        planning=planning,
        tiers=read_ci(table.table("ci")),
    )
    if planning.kind == "full" and (cells := axis_values.count(found)) > MAX_PRODUCT:
        sizes = " x ".join(f"{len(axis.values)} {axis.name}" for axis in found)
        table.wrong("axes", too_many(cells, sizes, MAX_PRODUCT))
    return config


def too_many(cells: int, sizes: str, most: int = MAX_CELLS) -> str:
    """Return the message that a product is too large to be expanded."""
    # A number of more than 4,300 digits cannot be written out.
    number = f"{cells:,}" if cells < 10**30 else "more than 10^30"
    fewer = 'give fewer values or axes, or let a strategy choose cells: [plan] strategy = "pairwise"'
    return f"{number} cells ({sizes[:300]}); at most {most:,} are possible: {fewer}"


def digest(config: Config) -> str:
    """Return a SHA-256 of the meaning of `config`: the same for any layout of the file, and in any folder."""
    planning = replace(config.planning, skip_missing=False)  # it decides about the exit status alone
    # Tiers select cells, and change none.
    same = replace(config, file=Path(), root=Path(), digest="", planning=planning, tiers=EMPTY)
    plain = serialization.to_plain(same)
    plain["project"]["path"] = _relative(config.project.path, config.root)
    plain["axes"] = {
        axis.name: sorted(
            _portable(value, config.root) if axis.kind is AxisKind.PYTHON else value for value in axis.values
        )
        for axis in config.axes
    }
    for rule in (*plain.get("excludes", ()), *plain.get("includes", ())):
        if "python" in rule["keys"]:
            rule["keys"]["python"] = [_portable(value, config.root) for value in rule["keys"]["python"]]
    for section, name in _SETS:
        if name in plain.get(section, ()):
            plain[section][name] = sorted(plain[section][name])
    data = json.dumps(["venvgrid-config-1", plain], sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(data.encode()).hexdigest()


# Lists whose order has no meaning.
_SETS = (
    ("project", "extras"),
    ("project", "groups"),
    ("install", "requires"),
    ("install", "constraints"),
    ("install", "source_builds"),
    ("test", "pass_env"),
)


def _portable(value: str, root: Path) -> str:
    """Return the path of a Python inside `root` relative to it, any other value unchanged."""
    path = Path(value)
    return path.relative_to(root).as_posix() if path.is_absolute() and path.is_relative_to(root) else value


def _relative(path: Path, root: Path) -> str:
    try:
        return Path(os.path.relpath(path, root)).as_posix()
    except ValueError:  # another drive
        return path.as_posix()
