"""The sections [axes], [[exclude]] and [[include]]: from raw tables to axes and rules."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from types import MappingProxyType
from typing import TYPE_CHECKING

from venvgrid.config import axis_values
from venvgrid.config.reader import Table, joined
from venvgrid.config.values import BadValueError, flag, label, nearest, shown
from venvgrid.model import Axis, AxisKind, Rule
from venvgrid.model.config import VARIABLE_PREFIX

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from venvgrid.model import FrozenPolicy

ENV = "env"
LABELS = "labels"


def read_axes(table: Table, root: Path, running: str, settled: Mapping[str, FrozenPolicy]) -> tuple[Axis, ...]:
    """Return the axes of [axes], python first; if it is missing, with the value `running`.

    An axis with a policy has the values of `settled`, or none. An axis with wrong values keeps its right ones, so that
    rules can be checked against it.
    """
    found: dict[str, Axis] = {}
    for name, raw, path in _flat(table):
        try:
            kind = axis_values.kind(name)
        except BadValueError as error:
            table.mistakes.add(path, str(error))
            continue
        if (earlier := found.get(axis_values.key(name))) is not None:
            table.mistakes.add(path, f"the same axis as {earlier.name!r}; write its values into one list")
            continue
        policy = axis_values.policy(kind, raw)
        values = _frozen(settled.get(name)) if policy else _distinct(table, path, kind, raw, root)
        found[axis_values.key(name)] = Axis(name=name, kind=kind, values=values, policy=policy)
    python = found.pop("python", Axis(name="python", kind=AxisKind.PYTHON, values=(running,)))
    return (python, *found.values())


def _frozen(known: FrozenPolicy | None) -> tuple[str, ...]:
    return (*known.values, *filter(None, [known.pre])) if known else ()


def _flat(table: Table) -> Iterator[tuple[str, object, str]]:
    """Yield name, raw value and key path of each entry, and of each entry of the table "env"."""
    for key, raw in table.values.items():
        path = joined(table.path, key)
        if key == ENV:
            if not isinstance(raw, dict):
                table.mistakes.add(path, f'needs a variable: {key}.NAME = ["value"], got {shown(raw)}')
                continue
            for name, inner in raw.items():
                yield f"{VARIABLE_PREFIX}{name}", inner, joined(path, name)
        elif isinstance(raw, dict):
            inner = next(iter(raw), "name")
            table.mistakes.add(
                path,
                f'expected a list of strings, got a table; a name with a dot needs quotes: "{key}.{inner[:80]}" = …',
            )
        else:
            yield key, raw, path


def _distinct(table: Table, path: str, kind: AxisKind, raw: object, root: Path) -> tuple[str, ...]:
    """Return the canonical values at `path`; note a mistake for each wrong or repeated value."""
    seen: dict[str, str] = {}
    for value, at in _values(table, path, kind, raw, root):
        meaning = value
        if kind is AxisKind.DEPENDENCY:
            # "2.2" and "==2.2.*" would be two cells with the same content.
            meaning = (axis_values.version_specifier(value) or value).replace(" ", "")
        if meaning in seen:
            same = "" if seen[meaning] == value else f", it means the same as {shown(seen[meaning])}"
            table.mistakes.add(at, f"the value {shown(value)} is there twice{same}")
        seen.setdefault(meaning, value)
    if isinstance(raw, list) and not raw:
        table.mistakes.add(path, "an axis needs at least one value; write one, or remove the line")
    return tuple(seen.values())


def _values(table: Table, path: str, kind: AxisKind, raw: object, root: Path) -> Iterator[tuple[str, str]]:
    """Yield each canonical value with its key path. A single value counts as a list of one."""
    items: list[object] = raw if isinstance(raw, list) else [raw]
    if items is not raw and not isinstance(raw, str | dt.date):
        is_number = isinstance(raw, int | float) and not isinstance(raw, bool)
        hint = "; put it in quotes, 3.10 as a number is 3.1" if is_number else ""
        table.mistakes.add(path, f"expected a list of strings, got {shown(raw)}{hint}")
        return
    for index, item in enumerate(items):
        at = f"{path}[{index}]" if items is raw else path
        try:
            for value in axis_values.values(kind, item, root):
                yield value, at
        except BadValueError as error:
            table.mistakes.add(at, str(error))


def read_rules(
    tables: list[Table], known: tuple[Axis, ...], root: Path, *, include: bool, inherited: bool = False
) -> tuple[Rule, ...]:
    """Return the rules of [[exclude]], or of [[include]] with `include`; `inherited` ones may match nothing."""
    by_key = {axis_values.key(axis.name): axis for axis in known}
    return tuple(replace(_rule(table, by_key, root, include=include), inherited=inherited) for table in tables)


def _rule(table: Table, known: Mapping[str, Axis], root: Path, *, include: bool) -> Rule:
    keys: dict[str, tuple[str, ...]] = {}
    options = (axis_values.ALLOW_FAILURE, LABELS) if include else ()
    entries = replace(table, values={key: raw for key, raw in table.values.items() if key not in options})
    for name, raw, path in _flat(entries):
        if (axis := known.get(axis_values.key(name))) is None:
            allowed = [*(axis.name for axis in known.values()), *options]
            table.mistakes.add(path, f"no such axis{nearest(name, allowed)} (allowed: {', '.join(allowed)})")
            continue
        values = tuple(dict.fromkeys(value for value, _ in _values(table, path, axis.kind, raw, root)))
        if isinstance(raw, list) and not raw:
            table.mistakes.add(path, "needs at least one value")
        if axis.name in keys:
            table.mistakes.add(path, f"the axis {axis.name!r} is there twice")
        keys[axis.name] = values
    if not table.values.keys() - set(options):
        table.mistakes.add(table.path, "names no axis: it would match every cell")
    allow_failure = table.take(axis_values.ALLOW_FAILURE, flag, default=False) if include else False
    labels = table.take_all(LABELS, label) if include else ()
    return Rule(path=table.path, keys=MappingProxyType(keys), allow_failure=allow_failure, labels=labels)
