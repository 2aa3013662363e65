"""Reads a list in a JSON object item by item, each with its place in the text, so that it can be copied."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    Use = Callable[[Any, int, int], object]  # an item, and where its text begins and ends, in characters

# What making values of damaged JSON may raise: of other types, too deep, a number that is infinite.
MALFORMED = (ValueError, KeyError, TypeError, AttributeError, RecursionError, OverflowError)
_decoder = json.JSONDecoder()
_decode = _decoder.raw_decode
_scan: Callable[[str, int], tuple[Any, int]] = vars(_decoder)["scan_once"]  # in `raw_decode`
_mark = re.compile(r"[ \t\r\n]*([,\]])[ \t\r\n]*").match  # behind an item of a list
_space = re.compile(r"[ \t\r\n]*").match


def read(text: str, name: str, use: Use) -> dict[str, Any]:
    """Return a JSON object without the list of this name; `use` is called with each item of the list, and its place.

    An item that is not kept is gone before the next one is read: a long list then takes a third of the time.

    Raises:
        ValueError: it is no JSON object, or has not one list of this name.
    """
    fields: dict[str, Any] = {}
    lists = 0
    place = first = _after(text, 0, "{")
    while text[place : place + 1] != "}":
        if place != first:
            place = _after(text, place, ",")
        key, place = _decode(text, place)
        if not isinstance(key, str):
            raise ValueError(f"a key is expected before {place}")  # noqa: TRY004  (a damaged text, no wrong type)
        place = _after(text, place, ":")
        if key == name:
            lists += 1
            place = _items(text, place, use)
        else:
            fields[key], place = _decode(text, place)
        place = _skip(text, place)
    if _skip(text, place + 1) != len(text):
        raise ValueError(f"there is more after the object, at {place + 1}")
    if lists != 1:
        raise ValueError(f"there are {lists} lists {name!r}")
    return fields


def _items(text: str, place: int, use: Use) -> int:
    """Use the items of the list that begins here; return the place behind it."""
    place = _after(text, place, "[")
    if text[place : place + 1] == "]":
        return place + 1
    while True:
        try:
            value, end = _scan(text, place)
        except StopIteration as error:
            raise ValueError(f"an item is expected at {error.value}") from None
        use(value, place, end)
        mark = _mark(text, end)
        if mark is None:
            raise ValueError(f"',' or ']' is expected at {end}")
        place = mark.end()
        if mark[1] == "]":
            return place


def _after(text: str, place: int, mark: str) -> int:
    """Return the place of what follows this mark."""
    place = _skip(text, place)
    if text[place : place + 1] != mark:
        raise ValueError(f"{mark!r} is expected at {place}")
    return _skip(text, place + 1)


def _skip(text: str, place: int) -> int:
    found = _space(text, place)
    return found.end() if found else place
