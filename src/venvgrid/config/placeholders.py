"""The placeholders of a command: {cell}, {python}, {project}, {tmp}, {axis:NAME}; "{{" and "}}" are literal braces.

Values of variables have them too. There all other braces are literal, since many values are JSON or templates.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from venvgrid.config.values import BadValueError, nearest, shown

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from venvgrid.model import Cell

AXIS_PREFIX = "axis:"
TMP = "tmp"
PLAIN = ("cell", "python", "project", TMP)

_BRACES = re.compile(r"\{\{|\}\}|\{([^{}]*)\}|\{")
_KNOWN = re.compile(r"(\{)?\{(" + "|".join(PLAIN) + r"|axis:[^{}]*)\}(?(1)\})")


def check(text: str, axes: Collection[str]) -> str:
    """Return `text` if each placeholder is known and names one of `axes`; else raise BadValueError."""
    for match in _BRACES.finditer(text):
        if match[0] == "{":
            raise BadValueError(f"{shown(text)}: a '{{' that is never closed (write '{{{{' for a literal brace)")
        if match[1] is not None:
            _check(match[1], axes)
    return text


def _check(name: str, axes: Collection[str]) -> None:
    if name.startswith(AXIS_PREFIX):
        axis = name.removeprefix(AXIS_PREFIX)
        if axis not in axes:
            raise BadValueError(
                f"the placeholder {shown(f'{{{name}}}')} names no axis{nearest(axis, axes)} (axes: {', '.join(axes)})"
            )
    elif name not in PLAIN:
        known = [*PLAIN, *(AXIS_PREFIX + axis for axis in axes)]
        raise BadValueError(
            f"unknown placeholder {shown(f'{{{name}}}')}{nearest(name, known)} "
            "(allowed: {cell}, {python}, {project}, {tmp}, {axis:NAME}; write '{{' for a literal brace)"
        )


def check_variable(text: str, axes: Collection[str]) -> str:
    """Return the value of a variable if each {axis:NAME} in it names one of `axes`; else raise BadValueError."""
    for match in _KNOWN.finditer(text):
        if not match[1]:
            _check(match[2], axes)
    return text


def fill(text: str, values: Mapping[str, str]) -> str:
    """Replace the placeholders of a checked `text` by `values` ("cell", "tmp", "axis:NAME"), once."""
    return _BRACES.sub(lambda match: match[0][0] if match[1] is None else values[match[1]], text)


def fill_variable(text: str, values: Mapping[str, str]) -> str:
    """Replace the placeholders in the value of a variable by `values`, once; `{{tmp}}` becomes "{tmp}"."""
    return _KNOWN.sub(lambda match: match[0][1:-1] if match[1] else values.get(match[2], match[0]), text)


def of_cell(cell: Cell, *, python: str, project: str, tmp: str) -> dict[str, str]:
    """Return the values for a cell: paths of its interpreter, of the project and of a temporary folder."""
    axes = {AXIS_PREFIX + name: value for name, value in cell.axes.items()}
    return {"cell": cell.id, "python": python, "project": project, TMP: tmp, **axes}
