"""A small evaluator of Python expressions for noxfiles: literals, names, and expressions over them.

The file is not executed: there are no imports, of real objects only a few methods of str, list and dict, and all sizes
are bounded. Any other expression is UNKNOWN, and so is everything that depends on it.
"""

from __future__ import annotations

import ast
import operator
from contextlib import suppress
from dataclasses import field
from typing import TYPE_CHECKING, Any

from venvgrid.model.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

MAX_SIZE = 100_000  # characters, or items
MAX_DEPTH = 60
METHODS: Mapping[type, frozenset[str]] = {
    str: frozenset({"split", "join", "replace", "strip", "lstrip", "rstrip", "lower", "upper", "startswith"}),
    dict: frozenset({"keys", "values", "items", "get"}),
    list: frozenset({"index", "count"}),
    tuple: frozenset({"index", "count"}),
}
FUNCTIONS: Mapping[str, Callable[..., Any]] = {
    "list": list, "tuple": tuple, "str": str, "dict": dict, "sorted": sorted, "len": len, "set": set, "int": int,
    "bool": bool,
}  # fmt: skip
COMPARISONS: Mapping[type[ast.cmpop], Callable[[Any, Any], Any]] = {
    ast.Eq: operator.eq, ast.NotEq: operator.ne, ast.Is: operator.is_, ast.IsNot: operator.is_not,
    ast.In: lambda left, right: left in right, ast.NotIn: lambda left, right: left not in right,
}  # fmt: skip
PLAIN = (str, int, float, bool, type(None))


class Unknown:
    """The type of UNKNOWN: a value that only execution of the file would show."""

    def __repr__(self) -> str:
        """Return a text for notes."""
        return "…"


UNKNOWN = Unknown()


@dataclass(slots=True, kw_only=True)
class Scope:
    """Names and their values; `call` evaluates further calls, or returns UNKNOWN."""

    names: dict[str, Any] = field(default_factory=dict)
    call: Callable[[str, list[Any], dict[str, Any]], Any] = lambda _name, _arguments, _options: UNKNOWN

    def inner(self, **more: Any) -> Scope:
        """Return a scope with more names."""
        return Scope(names={**self.names, **more}, call=self.call)


def value(node: ast.AST | None, scope: Scope, depth: int = 0) -> Any:  # noqa: C901, PLR0912  (a case a kind of node)
    """Return the value of an expression, or UNKNOWN."""
    if depth > MAX_DEPTH or node is None:
        return UNKNOWN

    def of(inner: ast.AST | None) -> Any:
        return value(inner, scope, depth + 1)

    match node:
        case ast.Constant(value=found):
            return found if isinstance(found, PLAIN) else UNKNOWN
        case ast.Name(id=name):
            return scope.names.get(name, UNKNOWN)
        case ast.List(elts=items):
            return list(_items(items, of))
        case ast.Tuple(elts=items) | ast.Set(elts=items):
            return tuple(_items(items, of))
        case ast.Dict(keys=keys, values=values):
            return _dictionary(keys, values, of)
        case ast.JoinedStr(values=parts):
            texts = [of(part) for part in parts]
            return "".join(texts) if all(isinstance(text, str) for text in texts) else UNKNOWN
        case ast.FormattedValue(value=inner, format_spec=None):
            found = of(inner)
            return str(found) if isinstance(found, str | int) else UNKNOWN
        case ast.BinOp() | ast.BoolOp() | ast.UnaryOp() | ast.IfExp() | ast.Compare():
            return _operation(node, of)
        case ast.Subscript(value=inner, slice=index):
            return _item(of(inner), index, of)
        case ast.ListComp(elt=element, generators=[generator]) | ast.GeneratorExp(elt=element, generators=[generator]):
            return _comprehension(element, generator, scope, depth)
        case ast.Attribute(value=inner, attr="parent"):
            found = of(inner)
            return found.rpartition("/")[0] or "." if isinstance(found, str) else UNKNOWN
        case ast.Attribute(value=ast.Name(id=owner), attr=name):
            return scope.names.get(f"{owner}.{name}", UNKNOWN)
        case ast.Call():
            return _call_value(node, scope, of)
        case _:
            return UNKNOWN


def _operation(node: ast.expr, of: Callable[[ast.AST | None], Any]) -> Any:
    match node:
        case ast.BinOp(left=left, op=ast.Add(), right=right):
            return _add(of(left), of(right))
        case ast.BinOp(left=left, op=ast.Div(), right=right):
            first, second = of(left), of(right)
            return f"{first}/{second}" if isinstance(first, str) and isinstance(second, str) else UNKNOWN
        case ast.BoolOp(op=boolop, values=values):
            return _bool_operation(boolop, [of(item) for item in values])
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            found = of(operand)
            return UNKNOWN if found is UNKNOWN else not found
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            found = of(operand)
            return -found if isinstance(found, int) else UNKNOWN
        case ast.IfExp(test=test, body=body, orelse=other):
            found = of(test)
            return UNKNOWN if found is UNKNOWN else of(body if found else other)
        case ast.Compare(left=left, ops=[comparison], comparators=[right]):
            return _compare(of(left), comparison, of(right))
        case _:
            return UNKNOWN


def _items(items: list[ast.expr], of: Callable[[ast.AST], Any]) -> Iterator[Any]:
    for item in items:
        if isinstance(item, ast.Starred):
            found = of(item.value)
            yield from found if isinstance(found, list | tuple) else (UNKNOWN,)
        else:
            yield of(item)


def _dictionary(keys: list[ast.expr | None], values: list[ast.expr], of: Callable[[ast.AST], Any]) -> Any:
    found: dict[Any, Any] = {}
    for key, item in zip(keys, values, strict=True):
        known = of(item)
        if key is None and isinstance(known, dict):
            found |= known
        elif key is not None and isinstance(name := of(key), PLAIN):
            found[name] = known
        else:
            return UNKNOWN
    return found


def _add(left: Any, right: Any) -> Any:
    if type(left) is type(right) and isinstance(left, str | list | tuple) and len(left) + len(right) <= MAX_SIZE:
        return left + right
    return UNKNOWN


def _bool_operation(boolop: ast.boolop, values: list[Any]) -> Any:
    for item in values[:-1]:
        if item is UNKNOWN or bool(item) is isinstance(boolop, ast.Or):
            return item
    return values[-1]


def _compare(left: Any, comparison: ast.cmpop, right: Any) -> Any:
    if left is not UNKNOWN and right is not UNKNOWN and type(comparison) in COMPARISONS:
        with suppress(TypeError):
            return COMPARISONS[type(comparison)](left, right)
    return UNKNOWN


def _item(found: Any, index: ast.expr, of: Callable[[ast.AST | None], Any]) -> Any:
    if isinstance(found, str | list | tuple | dict):
        with suppress(LookupError, TypeError, ValueError):  # TypeError: a slice of a dict
            if not isinstance(index, ast.Slice):
                return found[of(index)]
            ends = [of(end) if end is not None else None for end in (index.lower, index.upper, index.step)]
            if UNKNOWN not in ends:
                return found[slice(*ends)]
    return UNKNOWN


def _comprehension(element: ast.expr, generator: ast.comprehension, scope: Scope, depth: int) -> Any:
    source = value(generator.iter, scope, depth + 1)
    if not isinstance(source, list | tuple | dict) or len(source) > MAX_SIZE:
        return UNKNOWN
    found = []
    for item in source:
        if (names := bound(generator.target, item)) is None:
            return UNKNOWN
        inner = scope.inner(**names)
        tests = [value(test, inner, depth + 1) for test in generator.ifs]
        if UNKNOWN in tests:
            return UNKNOWN
        if all(tests):
            found.append(value(element, inner, depth + 1))
    return found


def bound(target: ast.expr, item: Any) -> dict[str, Any] | None:
    """Return the names that an assignment of an item binds, or None if its target is something else."""
    if isinstance(target, ast.Name):
        return {target.id: item}
    if not isinstance(target, ast.Tuple | ast.List):
        return None
    parts = item if isinstance(item, list | tuple) and len(item) == len(target.elts) else [UNKNOWN] * len(target.elts)
    found: dict[str, Any] = {}
    for inner, part in zip(target.elts, parts, strict=True):
        if (names := bound(inner, part)) is None:
            return None
        found |= names
    return found


def _call_value(node: ast.Call, scope: Scope, of: Callable[[ast.AST | None], Any]) -> Any:
    arguments = list(_items(node.args, of))
    options = {item.arg: of(item.value) for item in node.keywords if item.arg}
    name = ast.unparse(node.func)
    try:
        if isinstance(node.func, ast.Attribute):
            owner = of(node.func.value)
            if isinstance(owner, str) and node.func.attr in {"resolve", "absolute"}:
                return owner  # a path, which is a str here
            if node.func.attr in METHODS.get(type(owner), ()):
                if UNKNOWN in arguments:
                    return UNKNOWN
                found: Any = getattr(owner, node.func.attr)(*arguments)
                return list(found) if isinstance(owner, dict) and node.func.attr != "get" else _within_bounds(found)
        elif name in FUNCTIONS and not options and UNKNOWN not in arguments:
            return _within_bounds(FUNCTIONS[name](*arguments))
        elif name == "dict" and not arguments:
            return options
    except (TypeError, ValueError, KeyError, IndexError):
        return UNKNOWN
    return scope.call(name, arguments, options)


def _within_bounds(found: Any) -> Any:
    if isinstance(found, set):
        found = tuple(sorted(found, key=str))
    too_large = isinstance(found, str | list | tuple | dict) and len(found) > MAX_SIZE
    return found if isinstance(found, (*PLAIN, list, tuple, dict)) and not too_large else UNKNOWN
