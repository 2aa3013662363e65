"""Evaluates expressions of GitHub Actions, such as `matrix.os == 'ubuntu-latest' && !matrix.dev`. Pure.

A value is text, a bool, a list, or None; UNKNOWN if only GitHub knows it. Operators and comparisons are those of
https://docs.github.com/en/actions/reference/workflows-and-actions/expressions (read on 2026-11-22).
"""

from __future__ import annotations

import json
import re
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from venvgrid.migration.expressions import UNKNOWN

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

MAX_DEPTH = 50  # of parentheses
SYSTEMS = {"linux": "Linux", "darwin": "macOS", "win32": "Windows"}  # as in runner.os
_TOKEN = re.compile(
    r"\s*(?:(?P<text>'(?:[^']|'')*')|(?P<number>-?\d+(?:\.\d+)?)|(?P<operator>&&|\|\||==|!=|<=|>=|[!<>()\[\],])"
    r"|(?P<name>[A-Za-z_][\w-]*(?:\.(?:[\w-]+|\*))*))"
)
_CACHE_HIT = re.compile(r"steps\.[\w-]+\.outputs\.cache-hit")
_STATUS = {"success": True, "always": True, "failure": False, "cancelled": False}


def evaluate(text: str, values: Mapping[str, Any], env: Mapping[str, str]) -> Any:
    """Return the value of an expression for a row of a matrix and variables, or UNKNOWN."""
    try:
        return _Evaluator(text, values, env).whole()
    except (ValueError, RecursionError):
        return UNKNOWN


def is_true(found: Any) -> bool:
    """Whether GitHub takes a known value for true."""
    return found not in ("", None, False, 0) and str(found).lower() != "false"


class _Evaluator:
    """Parses by recursive descent, and evaluates on the way."""

    def __init__(self, text: str, values: Mapping[str, Any], env: Mapping[str, str]) -> None:
        self.values, self.env, self.position, self.depth = values, env, 0, 0
        self.tokens: list[tuple[str, str]] = []
        at = 0
        text = text.rstrip()
        while at < len(text):
            found = _TOKEN.match(text, at)
            if found is None:
                raise ValueError(text)
            self.tokens.append((found.lastgroup or "", found[found.lastgroup or 0]))
            at = found.end()

    def whole(self) -> Any:
        found = self._or()
        if self.position != len(self.tokens):
            raise ValueError(self.position)
        return found

    def _or(self) -> Any:
        return self._operation("||", self._and, lambda left: left is not UNKNOWN and is_true(left))

    def _and(self) -> Any:
        return self._operation("&&", self._comparison, lambda left: left is not UNKNOWN and not is_true(left))

    def _operation(self, operator: str, operand: Callable[[], Any], decides: Callable[[Any], bool]) -> Any:
        found = operand()
        while self._takes(operator):
            right = operand()
            if decides(found):
                continue
            # An unknown operand may decide; a known one that decides does so in either place.
            found = right if found is not UNKNOWN or decides(right) else UNKNOWN
        return found

    def _comparison(self) -> Any:
        left = self._not()
        for operator in ("==", "!="):
            if self._takes(operator):
                right = self._not()
                if UNKNOWN in (left, right):
                    return UNKNOWN
                return _equal(left, right) is (operator == "==")
        if any(self._takes(operator) for operator in ("<=", ">=", "<", ">")):
            self._not()
            return UNKNOWN
        return left

    def _not(self) -> Any:
        if self._takes("!"):
            found = self._not()
            return UNKNOWN if found is UNKNOWN else not is_true(found)
        return self._value()

    def _value(self) -> Any:
        kind, word = self._next()
        if kind == "text":
            return word[1:-1].replace("''", "'")
        if kind == "number":
            return word
        if word == "(":
            return self._inner(")")
        if kind != "name":
            raise ValueError(word)
        if self._takes("("):
            return _call(word, self._arguments())
        while self._takes("["):
            word = f"{word}.{self._inner(']')}"
        return self._property(word)

    def _inner(self, closing: str) -> Any:
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise ValueError(closing)
        found = self._or()
        self._expect(closing)
        self.depth -= 1
        return found

    def _arguments(self) -> list[Any]:
        found = []
        while not self._takes(")"):
            found.append(self._or())
            if not self._takes(","):
                self._expect(")")
                break
        return found

    def _property(self, name: str) -> Any:
        if name in {"true", "false", "null"}:
            return {"true": True, "false": False, "null": None}[name]
        context, _, key = name.partition(".")
        if context == "matrix":
            return self.values.get(key, "")
        if context == "env":
            return self.env.get(key, UNKNOWN)
        if name == "runner.os":
            return SYSTEMS.get(sys.platform, UNKNOWN)
        # A cell is made from nothing: no cache has been hit.
        return "" if _CACHE_HIT.fullmatch(name) else UNKNOWN

    def _next(self) -> tuple[str, str]:
        if self.position >= len(self.tokens):
            raise ValueError(self.position)
        self.position += 1
        return self.tokens[self.position - 1]

    def _takes(self, operator: str) -> bool:
        if self.tokens[self.position : self.position + 1] == [("operator", operator)]:
            self.position += 1
            return True
        return False

    def _expect(self, operator: str) -> None:
        if not self._takes(operator):
            raise ValueError(operator)


def _equal(left: Any, right: Any) -> bool:
    """Compare as GitHub does: numbers as numbers, text without case."""
    if isinstance(left, bool) or isinstance(right, bool):
        return is_true(left) is is_true(right)
    with suppress(TypeError, ValueError):
        return float(left) == float(right)
    return str(left or "").lower() == str(right or "").lower()


def _call(name: str, arguments: list[Any]) -> Any:
    if name in _STATUS and not arguments:
        return _STATUS[name]
    if not arguments or UNKNOWN in arguments:
        return UNKNOWN
    first, second = arguments[0], str(arguments[-1]).lower()
    match name:
        case "contains" if isinstance(first, list):
            return any(_equal(item, arguments[-1]) for item in first)
        case "contains":
            return second in str(first).lower()
        case "startsWith":
            return str(first).lower().startswith(second)
        case "endsWith":
            return str(first).lower().endswith(second)
        case "fromJSON" | "fromJson":
            return json.loads(str(first))
        case _:
            return UNKNOWN
