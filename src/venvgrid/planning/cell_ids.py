"""Ids of cells: short, stable, and safe in a shell and as a file name, on Windows too.

An id has one part for each axis, in an order that does not depend on the file: python, platform, distributions by name,
variables by name, as-of, resolution, extras. A value with other than the allowed characters gets a short hash, so that
two values do not get the same id.
"""

from __future__ import annotations

import hashlib
import itertools
import re
from typing import TYPE_CHECKING

from packaging.utils import canonicalize_name

from venvgrid.model import Axis, AxisKind, Product, ProductAxis
from venvgrid.model.config import VARIABLE_PREFIX

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

MAX_ID_LENGTH = 80  # characters: a path below .venvgrid/envs stays far from the 260 of Windows
HASH_LENGTH = 8  # hexadecimal digits: among 1,000 hashed values, two collide once in 8,000 configurations

_ORDER = list(AxisKind)
_UNSAFE = re.compile(r"[^A-Za-z0-9._-]+")
_OPERATOR = re.compile(r"===|~=|==|!=|<=|>=|<|>")
_WORDS = {"===": "is", "~=": "compat", "==": "eq", "!=": "ne", "<=": "le", ">=": "ge", "<": "lt", ">": "gt"}
_RESERVED = re.compile(r"(?:con|prn|aux|nul|com[0-9]|lpt[0-9])(?:\.|$)", re.IGNORECASE)


def cell_id(axes: Sequence[Axis], values: Mapping[str, str], grid: str = "") -> str:
    """Return the id of the cell with `values` (axis name → value) on `axes`.

    In a named grid it begins with the name of the grid.
    """
    return CellIds(axes, grid)(values)


class CellIds:
    """The ids of the cells of a grid: the part of each value is made once."""

    def __init__(self, axes: Sequence[Axis], grid: str = "") -> None:
        """Put the axes into the order of ids."""
        ordered = sorted(axes, key=_place)
        self._parts: list[tuple[str, dict[str, str], Axis]] = [(axis.name, {}, axis) for axis in ordered]
        self._grid = grid

    def __call__(self, values: Mapping[str, str]) -> str:
        """Return the id of the cell with these values."""
        found = [self._grid] if self._grid else []
        for name, known, axis in self._parts:
            value = values[name]
            if (part := known.get(value)) is None:
                part = known[value] = _part(axis, value)
            if part:
                found.append(part)
        full = "-".join(found)
        if _RESERVED.match(full):
            full = f"cell-{full}"
        if len(full) <= MAX_ID_LENGTH:
            return full
        return f"{full[: MAX_ID_LENGTH - HASH_LENGTH - 1].rstrip('.-')}-{_hash(full)}"


def _place(axis: Axis) -> tuple[int, str, str]:
    return _ORDER.index(axis.kind), canonicalize_name(axis.name), axis.name


def product(axes: Sequence[Axis], grid: str = "") -> Product | None:
    """Return all combinations of values with the ids that `cell_id` makes; None if one must see them all to tell.

    It can be told from the values of each axis alone if no part of an id begins another one of its axis (capital
    letters do not count), and if none of the ids has to be shortened.

    Raises:
        ValueError: there are too many.
    """
    ordered = sorted(range(len(axes)), key=lambda place: _place(axes[place]))
    made = tuple(
        ProductAxis(name=axis.name, values=axis.values, parts=tuple(_part(axis, value) for value in axis.values))
        for axis in axes
    )
    order = tuple(place for place in ordered if made[place].parts != ("",))
    prefix = f"{grid}-" if grid else ""
    longest = sum(1 + max(map(len, made[place].parts)) for place in order) - 1
    reserved = any(map(_RESERVED.match, (grid, *(part for place in order[:1] for part in made[place].parts))))
    if reserved or not order or len(prefix) + longest > MAX_ID_LENGTH or not all(_tells(made[p].parts) for p in order):
        return None
    return Product(axes=made, order=order, prefix=prefix)


def _tells(parts: Sequence[str]) -> bool:
    """Whether no part begins another one, as names of files."""
    ordered = sorted(f"{part}-".casefold() for part in parts)
    return all(parts) and not any(after.startswith(before) for before, after in itertools.pairwise(ordered))


def _part(axis: Axis, value: str) -> str:
    match axis.kind:
        case AxisKind.PYTHON:
            return _python(value)
        case AxisKind.PLATFORM | AxisKind.RESOLUTION:
            return value
        case AxisKind.DEPENDENCY:
            return _dependency(axis.name, value)
        case AxisKind.VARIABLE:
            name = axis.name.removeprefix(VARIABLE_PREFIX)
            return f"{name}.{_slug(value)}" if value else f"{name}-empty"
        case AxisKind.AS_OF:
            return f"as-of-{_slug(value.replace(':', ''))}"
        case AxisKind.EXTRAS:
            return f"extras-{_slug(value.replace(',', '.'))}" if value else "no-extras"


def _python(value: str) -> str:
    if "/" in value or "\\" in value:
        last = re.split(r"[/\\]", value.rstrip("/\\"))[-1].removesuffix(".exe")
        return f"py-{_UNSAFE.sub('-', last).strip('.-') or 'path'}-{_hash(value)}"
    if _OPERATOR.match(value):
        return f"py-{_specifier(value)}"
    return value if value.startswith(("py", "graalpy")) else f"py{_slug(value)}"


def _dependency(name: str, value: str) -> str:
    if _OPERATOR.match(value):
        return f"{name}-{_specifier(value)}"
    # "urllib3" and "2.0" need a separator, "matplotlib" and "3.5" do not.
    return f"{name}{'' if value[:1].isdigit() and not name[-1:].isdigit() else '-'}{_slug(value)}"


def _specifier(value: str) -> str:
    clauses = [clause.strip() for clause in value.split(",") if clause.strip()]
    words = (_OPERATOR.sub(lambda match: _WORDS[match[0]], re.sub(r"\s+", "", clause), count=1) for clause in clauses)
    return _slug("-".join(words).replace("*", "x"))


def _slug(value: str) -> str:
    safe = _UNSAFE.sub("-", value).strip(".-")
    return safe if safe == value else "-".join(filter(None, [safe, _hash(value)]))


def _hash(value: str) -> str:
    return hashlib.sha256(value.encode("utf-8", "surrogatepass")).hexdigest()[:HASH_LENGTH]
