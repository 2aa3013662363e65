"""Writes TOML: strings, keys, arrays and tables. All but `text`, `key` and `strings` take written keys and values."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_BARE = re.compile(r"[A-Za-z0-9_-]+")


def text(value: str) -> str:
    """Return a basic string; JSON's escapes are a subset of TOML's, but for DEL."""
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def key(name: str) -> str:
    """Return a key, in quotes only if it needs them."""
    return name if _BARE.fullmatch(name) else text(name)


def strings(values: Iterable[str]) -> str:
    """Return an array of strings on one line."""
    return f"[{', '.join(map(text, values))}]"


def block(values: Iterable[str]) -> str:
    """Return an array with one value a line."""
    return "\n".join(["[", *(f"    {value}," for value in values), "]"])


def inline(entries: Mapping[str, str]) -> str:
    """Return an inline table."""
    return "{ " + ", ".join(_lines(entries)) + " }"


def table(title: str, entries: Mapping[str, str]) -> list[str]:
    """Return the lines of a table, with an empty line at its end."""
    return [f"[{title}]", *_lines(entries), ""]


def _lines(entries: Mapping[str, str]) -> list[str]:
    return [f"{name} = {value}" for name, value in entries.items()]
