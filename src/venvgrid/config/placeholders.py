"""The placeholders of a command: {cell}, {python}, {axis:NAME}; "{{" and "}}" are literal braces."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from venvgrid.config.values import BadValueError, nearest, shown

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

AXIS_PREFIX = "axis:"
PLAIN = ("cell", "python")

_BRACES = re.compile(r"\{\{|\}\}|\{([^{}]*)\}|\{")


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
            "(allowed: {cell}, {python}, {axis:NAME}; write '{{' for a literal brace)"
        )


def fill(text: str, values: Mapping[str, str]) -> str:
    """Replace the placeholders of a checked `text` by `values` ("cell", "python", "axis:NAME"), once."""
    return _BRACES.sub(lambda match: match[0][0] if match[1] is None else values[match[1]], text)
