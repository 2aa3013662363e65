"""Dataclasses whose methods cost nothing until they are used.

`dataclasses.dataclass` compiles six methods for each class, most of a millisecond; a command of venvgrid imports some
150 classes and makes values of a third of them, so this was a third of a start. Here the methods are shared, and only
`__init__` is compiled, when the first value is made. `fields`, `replace` and `asdict` of `dataclasses` work as usual.
"""

from __future__ import annotations

import dataclasses
import types
from operator import attrgetter
from reprlib import recursive_repr
from typing import TYPE_CHECKING, Any, NoReturn

__all__ = ["dataclass"]

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from dataclasses import dataclass
else:

    def dataclass(kind: type | None = None, /, **options: Any) -> Any:
        """Return the dataclass of a class, with the options and the meaning of `dataclasses.dataclass`."""
        if kind is None:
            return lambda kind: dataclass(kind, **options)
        if options.get("order"):  # few: their comparisons are compiled as usual
            return dataclasses.dataclass(kind, **options)
        return _with_methods(kind, **options)


def _with_methods(kind: type, *, frozen: bool = False, **options: Any) -> type:
    """Return the dataclass with the methods of this module; those that the class defines itself stay."""
    own = kind.__dict__
    kind = dataclasses.dataclass(kind, init=False, repr=False, eq=False, **options)
    compared = [item.name for item in dataclasses.fields(kind) if item.compare]
    methods: dict[str, Any] = {"__init__": _FirstInit(kind, frozen=frozen), **(_FROZEN if frozen else _MUTABLE)}
    methods["_compared"] = attrgetter(*(compared or ["__class__"]))  # without fields, all are equal
    for name, method in methods.items():
        if own.get(name) is None:  # a class that defines __eq__ alone has a __hash__ that is None
            setattr(kind, name, method)
    return kind


class _FirstInit:
    """The `__init__` of a class until somebody looks at it: then the true one is compiled and put in its place."""

    def __init__(self, kind: Any, *, frozen: bool) -> None:
        self.kind = kind
        self.frozen = frozen

    def __get__(self, value: object | None, kind: type) -> Callable[..., None]:
        init = self.kind.__init__ = _compiled_init(self.kind, frozen=self.frozen)
        return init.__get__(value, kind)  # type: ignore[no-any-return]


def _compiled_init(kind: type, *, frozen: bool) -> Callable[..., None]:
    """Return the `__init__` of a dataclass, as `dataclasses` writes it."""
    scope: dict[str, Any] = {"_absent": dataclasses.MISSING, "_setattr": object.__setattr__}
    positional, named, body = ["self"], list[str](), list[str]()
    for item in dataclasses.fields(kind):
        name, parameter, value = item.name, item.name, item.name
        if item.default_factory is not dataclasses.MISSING:
            scope[f"_make_{name}"] = item.default_factory
            parameter += "=_absent"
            value = f"_make_{name}() if {name} is _absent else {name}" if item.init else f"_make_{name}()"
        elif item.default is not dataclasses.MISSING:
            scope[f"_default_{name}"] = item.default
            parameter += f"=_default_{name}"
            value = name if item.init else f"_default_{name}"
        elif not item.init:
            continue
        if item.init:
            (named if item.kw_only else positional).append(parameter)
        slot = getattr(kind, name, None)
        if not frozen:
            body.append(f"self.{name} = {value}")
        elif isinstance(slot, types.MemberDescriptorType):
            scope[f"_set_{name}"] = slot.__set__
            body.append(f"_set_{name}(self, {value})")
        else:
            body.append(f"_setattr(self, {name!r}, {value})")
    if hasattr(kind, "__post_init__"):
        body.append("self.__post_init__()")
    parameters = ", ".join([*positional, *(["*"] if named else []), *named])
    exec(f"def __init__({parameters}):\n " + "\n ".join(body or ["pass"]), scope)  # noqa: S102
    init: Callable[..., None] = scope["__init__"]
    init.__qualname__ = f"{kind.__qualname__}.__init__"
    return init


@recursive_repr()
def _repr(self: Any) -> str:
    shown = (f"{item.name}={getattr(self, item.name)!r}" for item in dataclasses.fields(self) if item.repr)
    return f"{type(self).__qualname__}({', '.join(shown)})"


def _eq(self: Any, other: Any) -> Any:
    return self._compared(self) == self._compared(other) if type(self) is type(other) else NotImplemented


def _hash(self: Any) -> int:
    return hash(self._compared(self))


def _refuse(_self: object, name: str, _value: object = None) -> NoReturn:
    raise dataclasses.FrozenInstanceError(f"cannot assign to or delete field {name!r}")


def _getstate(self: Any) -> list[Any]:
    return [getattr(self, item.name) for item in dataclasses.fields(self)]


def _setstate(self: Any, state: Sequence[Any]) -> None:
    for item, value in zip(dataclasses.fields(self), state, strict=True):
        object.__setattr__(self, item.name, value)


_MUTABLE = {"__repr__": _repr, "__eq__": _eq, "__hash__": None}
_FROZEN = {
    **_MUTABLE,
    "__hash__": _hash,
    "__setattr__": _refuse,
    "__delattr__": _refuse,
    "__getstate__": _getstate,
    "__setstate__": _setstate,
}
