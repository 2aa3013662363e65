"""Conditions on a cell: on the values of its axes and on the resolved versions of its distributions. Pure.

A bound ("numpy ≥ 2.0") is a condition on versions only. An axis whose values are specifiers or words ("<1.16",
"latest") has no bounds: its resolved versions have. Python is ordered by its release: PyPy 3.10 is a Python 3.10.
"""

from __future__ import annotations

import functools
import itertools
import re
from typing import TYPE_CHECKING

from venvgrid.model import AxisKind
from venvgrid.model.names import normalise
from venvgrid.model.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from packaging.version import Version

    from venvgrid.model import CellResult

ABSENT = "absent"
MOST_CODES = 256  # values that one byte tells apart
_PYTHON = re.compile(r"(?:cpython|pypy|graalpy)?-?(\d+\.\d+(?:\.\d+)?(?:(?:a|b|rc)\d+)?)t?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """A condition on a cell, e.g. "numpy ≥ 2.0".

    `subject` is the axis or package, normalised. `beyond` is its nearest value in the run that does not meet the
    condition, or "" if its values have no order.
    """

    text: str
    subject: str
    beyond: str = ""
    is_axis: bool
    cost: int  # smaller for simpler conditions
    cells: int  # that meet it, one bit a cell


def conditions(cells: Sequence[CellResult], columns: Mapping[str, Sequence[str]]) -> Iterator[Condition]:
    """Yield the conditions that tell cells apart; `columns` are those of `columns_of`."""
    own = {normalise(name) for name in columns if AxisKind.of_axis(name) is AxisKind.DEPENDENCY}
    yield from on_axes(cells, columns)
    for name, values in _versions_of(cells):
        yield from on_package(name, values, is_axis=normalise(name) in own)


def columns_of(cells: Iterable[CellResult]) -> dict[str, list[str]]:
    """Map the axes, in the order of the cells, to the value of each cell, "" if it has none."""
    mappings = [cell.axes for cell in cells]
    alike = dict.fromkeys(map(tuple, mappings))  # one or two, of many cells
    if len(alike) == 1:
        rows = zip(*[axes.values() for axes in mappings], strict=True)
        return {name: list(column) for name, column in zip(*alike, rows, strict=True)}
    return {
        name: [axes.get(name, "") for axes in mappings] for name in dict.fromkeys(itertools.chain.from_iterable(alike))
    }


def _versions_of(cells: Sequence[CellResult]) -> Iterator[tuple[str, list[str]]]:
    """Yield each distribution and its version in each cell. A mapping that cells share is read once."""
    mappings = {id(cell.packages): cell.packages for cell in cells}
    places = {key: place for place, key in enumerate(mappings)}
    of_cells = [places[id(cell.packages)] for cell in cells]
    for name in sorted(set[str]().union(*mappings.values())):
        versions = [packages.get(name, "") for packages in mappings.values()]
        yield name, [versions[place] for place in of_cells]


def on_package(name: str, values: Sequence[str], *, is_axis: bool) -> Iterator[Condition]:
    """Yield the conditions on the resolved versions of a distribution; "" stands for a cell without it."""
    masks = _masks(values)
    if len(masks) > 1:
        made = functools.partial(Condition, subject=normalise(name), is_axis=is_axis)
        yield from _on_presence(name, masks, made, "")
        yield from _on_versions(name, masks, made, _version, each=True)


def on_axes(cells: Sequence[CellResult], columns: Mapping[str, Sequence[str]]) -> Iterator[Condition]:
    """Yield the conditions on the values of axes; `columns` are those of `columns_of`."""
    for name, values in columns.items():
        yield from _on_axis(name, values, cells)


def _on_axis(axis: str, values: Sequence[str], cells: Sequence[CellResult]) -> Iterator[Condition]:
    kind, name = AxisKind.of_axis(axis), "Python" if axis == "python" else axis
    made = functools.partial(Condition, subject=normalise(name), is_axis=True)
    masks = _masks(values)
    if len(masks) == 1:
        return
    if kind is AxisKind.PYTHON:
        yield from _on_versions(name, _releases(values, masks, cells), made, _python)
        yield from _on_values(masks, made, lambda value: f"{name} {value}", name)
    elif kind is AxisKind.DEPENDENCY:
        yield from _on_presence(name, masks, made, ABSENT)
        rest = {value: cells for value, cells in masks.items() if value != ABSENT}
        if all(_version(value) is not None for value in rest if value):
            yield from _on_versions(name, rest, made, _version)
        yield from _on_values(rest, made, functools.partial(_equal, name), name, (1 << len(values)) - 1)
    else:
        yield from _on_values(masks, made, lambda value: f"{name} = {value}", name)


def _releases(values: Sequence[str], masks: Mapping[str, int], cells: Sequence[CellResult]) -> Mapping[str, int]:
    """Return the cells of each release. A path of an interpreter tells none: the interpreter does."""
    told = {value for value in masks if _python(value)}
    if len(told) == len(masks):
        return masks
    return _masks([value if value in told else _release(cell) for value, cell in zip(values, cells, strict=True)])


def _equal(name: str, value: str) -> str:
    """Return the text of a value of a dependency axis: "six 1.16", "six = latest", 'six = "<1.16"'."""
    if _version(value) is not None:
        return f"{name} {value}"
    return f"{name} = {value}" if re.fullmatch(r"[\w.+-]*", value) else f'{name} = "{value}"'


def _masks(values: Sequence[str]) -> dict[str, int]:
    """Map each value to the cells that have it, one bit a cell."""
    codes = {value: code for code, value in enumerate(dict.fromkeys(values))}
    if len(codes) <= MOST_CODES:  # one byte a cell, and each value's digits from a translation: ten times as fast
        row = bytes(map(codes.__getitem__, reversed(values)))
        zeros = b"0" * MOST_CODES
        return {value: int(row.translate(zeros[:code] + b"1" + zeros[code + 1 :]), 2) for value, code in codes.items()}
    numbers: dict[str, list[int]] = {}
    for number, value in enumerate(values):
        numbers.setdefault(value, []).append(number)
    return {value: bits(some, len(values)) for value, some in numbers.items()}


def bits(numbers: Iterable[int], most: int) -> int:
    """Return the set of these numbers, all below `most`, as the bits of an integer; linear, as `|=` would not be."""
    found = bytearray(most // 8 + 1)
    for number in numbers:
        found[number >> 3] |= 1 << (number & 7)
    return int.from_bytes(found, "little")


def places(cells: int) -> list[int]:
    """Return the numbers of the cells of a set."""
    return [place for place, digit in enumerate(reversed(f"{cells:b}")) if digit == "1"]


def _on_presence(name: str, masks: Mapping[str, int], made: Callable[..., Condition], none: str) -> Iterator[Condition]:
    """Yield whether a distribution is installed; `none` is the value of cells without it."""
    without, every = masks.get(none, 0), union(masks.values())
    if without and without != every:
        yield made(text=f"{name} installed", cost=1, cells=every & ~without)
        yield made(text=f"{name} not installed", cost=2, cells=without)


def _on_values(
    masks: Mapping[str, int], made: Callable[..., Condition], text: Callable[[str], str], name: str, every: int = 0
) -> Iterator[Condition]:
    """Yield the conditions on one value, and on all others if there are more than two."""
    every = every or union(masks.values())
    for value, cells in masks.items():
        yield made(text=text(value), cost=1, cells=cells)
        if len(masks) > 2:  # noqa: PLR2004  (of two values "other than a" is "b")
            yield made(
                text=text(value).replace(name, f"{name} other than", 1).replace("than = ", "than "),
                cost=3,
                cells=every & ~cells,
            )


def _on_versions(
    name: str,
    of_values: Mapping[str, int],
    made: Callable[..., Condition],
    version: Callable[[str], Version | None],
    *,
    each: bool = False,
) -> Iterator[Condition]:
    """Yield the bounds on versions, none if a value is no version, and with `each` every version.

    A value of "" stands for a cell without the distribution, which meets no bound.
    """
    masks = {value: cells for value, cells in of_values.items() if value}
    keys = {value: version(value) for value in masks}
    found: dict[Version, tuple[str, int]] = {}
    for value in sorted(masks, key=len):  # "3.13" names the release, not "3.13t"
        key = keys[value]
        if key is None:
            if each:
                yield from (made(text=_equal(name, item), cost=1, cells=cells) for item, cells in masks.items())
            return
        label, cells = found.get(key, (value, 0))
        found[key] = (label, cells | masks[value])
    if each and len(masks) > 1:
        yield from (made(text=f"{name} {value}", cost=1, cells=cells) for value, cells in masks.items())
    ordered = [found[key] for key in sorted(found)]
    for low, high in itertools.pairwise(range(len(ordered))):
        below, above = (union(cells for _, cells in half) for half in (ordered[:high], ordered[high:]))
        yield made(text=f"{name} ≥ {ordered[high][0]}", cost=0, cells=above, beyond=ordered[low][0])
        yield made(text=f"{name} ≤ {ordered[low][0]}", cost=0, cells=below, beyond=ordered[high][0])


def union(masks: Iterable[int]) -> int:
    """Return the cells that are in any of the sets."""
    return functools.reduce(int.__or__, masks, 0)


def common(masks: Iterable[int]) -> int:
    """Return the cells that are in all of the sets, of which there is at least one."""
    return functools.reduce(int.__and__, masks)


@functools.cache
def _version(text: str) -> Version | None:
    """Return a version as PEP 440 orders it, or None if the text is no version."""
    from packaging.version import InvalidVersion, Version  # noqa: PLC0415

    try:
        return Version(text)
    except InvalidVersion:
        return None


def _release(cell: CellResult) -> str:
    """Return the release of the interpreter of a cell, which is named by a path: "3.12"."""
    version = cell.interpreter.version if cell.interpreter else cell.axes.get("python", "")
    return ".".join(version.split(".")[:2])


def _python(text: str) -> Version | None:
    """Return the release of a value of the Python axis; None for a path or a word."""
    match = _PYTHON.fullmatch(text)
    return _version(match[1]) if match else None
