"""Values to plain data (dict, list, str, numbers) and back, by the types of a dataclass's fields.

Used for the journal, results, tasks, cached resolutions and markers: for files and messages of venvgrid itself.
Fields that hold their default are left out, and unknown keys are ignored, so that later versions can add some.
A field that may hold one of several types is written with the name of the type: {"LockEntry": {…}}.
"""

from __future__ import annotations

import dataclasses
import functools
import types
import typing
from collections.abc import Callable, Iterable, Mapping, Sequence
from enum import Enum
from pathlib import Path
from typing import Any

from venvgrid.model import events
from venvgrid.model.plan import PlannedCell, Product

EVENT = "event"
_JSON = frozenset({str, int, float, bool, types.NoneType})

Reader = Callable[[Any], Any]


def to_plain(value: object) -> Any:
    """Return `value` as JSON-able data; a field equal to its default is left out."""
    if type(value) in _JSON:  # most values: a journal holds very many
        return value
    if (fields := _written(type(value))) is not None:  # type: ignore[arg-type]  # types are hashable
        return {
            name: to_tagged(item) if tagged else to_plain(item)
            for name, default, tagged in fields
            if (item := getattr(value, name)) is not default and item != default
        }
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, Mapping):
        return {str(key): to_plain(item) for key, item in value.items()}
    if isinstance(value, set | frozenset):
        return sorted(to_plain(item) for item in value)
    if isinstance(value, tuple | list):
        return [to_plain(item) for item in value]
    if isinstance(value, Path):
        return str(value)
    return value


def to_tagged(value: object) -> dict[str, Any]:
    """Return a value as JSON-able data with the name of its type."""
    return {type(value).__name__: to_plain(value)}


def from_tagged(kinds: Iterable[Any], data: Mapping[str, Any]) -> Any:
    """Return the value that `to_tagged` made, of one of `kinds`.

    Raises:
        TypeError, ValueError, KeyError: the data are not of these kinds.
    """
    if not isinstance(data, Mapping):
        raise TypeError(f"expected one value under its type, got {data!r:.80}")
    ((name, item),) = data.items()
    return from_plain({kind.__name__: kind for kind in kinds}[name], item)


def from_plain(kind: Any, data: Any) -> Any:
    """Return a value of type `kind` from what `to_plain` made.

    Raises:
        TypeError, ValueError, KeyError: `data` does not have the shape of `kind`.
    """
    return _reader(kind)(data)


@functools.cache
def _reader(kind: Any) -> Reader:
    """Return the function that makes values of a type: what the type is, is asked once."""
    if dataclasses.is_dataclass(kind) and isinstance(kind, type):
        return functools.partial(_read_dataclass, kind)
    origin = typing.get_origin(kind)
    if origin in {tuple, frozenset}:
        item = _reader(typing.get_args(kind)[0])
        return lambda data: origin(map(item, data))
    if kind == Sequence[PlannedCell]:  # as its axes, or one by one
        listed = _reader(tuple[PlannedCell, ...])
        return lambda data: from_plain(Product, data) if isinstance(data, Mapping) else listed(data)
    if origin is Mapping:
        item = _reader(typing.get_args(kind)[1])
        return lambda data: types.MappingProxyType({key: item(value) for key, value in data.items()})
    if origin is types.UnionType or origin is typing.Union:
        wanted = [option for option in typing.get_args(kind) if option is not types.NoneType]
        one = _reader(wanted[0]) if len(wanted) == 1 else functools.partial(from_tagged, wanted)
        return lambda data: None if data is None else one(data)
    if kind is float or (isinstance(kind, type) and issubclass(kind, Enum | Path)):
        return kind
    # Of dict and list: JSON-able already.
    return functools.partial(_read_plain, origin if origin in {dict, list} else kind)


def _read_dataclass(kind: type, data: Any) -> Any:
    readers = _readers(kind)
    return kind(**{name: readers[name](item) for name, item in dict(data).items() if name in readers})


def _read_plain(kind: type, data: Any) -> Any:
    if not isinstance(data, kind):
        raise TypeError(f"expected {kind.__name__}, got {data!r:.80}")
    return data


def event_to_plain(event: events.Event) -> dict[str, Any]:
    """Return an event as a line's worth of data: its kind under "event", then its fields."""
    return {EVENT: type(event).__name__, **to_plain(event)}


def event_from_plain(data: Mapping[str, Any]) -> events.Event | None:
    """Make the event again; None for a kind that this version does not know.

    Raises:
        TypeError, ValueError, KeyError: the fields are not those of the kind.
    """
    if (kind := events.KINDS.get(data[EVENT])) is None:
        return None
    event: events.Event = from_plain(kind, {key: item for key, item in data.items() if key != EVENT})
    return event


@functools.cache
def _written(kind: type) -> tuple[tuple[str, object, bool], ...] | None:
    """Return name, default and whether it is tagged, of each field of a dataclass; None for another type.

    The default is MISSING, which equals no value, if there is none.
    """
    if not dataclasses.is_dataclass(kind):
        return None
    tagged = _tagged(kind)
    return tuple(
        (
            item.name,
            item.default if item.default_factory is dataclasses.MISSING else item.default_factory(),
            item.name in tagged,
        )
        for item in dataclasses.fields(kind)
    )


@functools.cache
def _tagged(kind: type) -> frozenset[str]:
    """Return the names of the fields that may hold one of several types, besides None.

    They are found by their text, `A | B`, since resolving annotations takes time: no alias stands for such a union.
    """
    return frozenset(
        item.name
        for item in dataclasses.fields(kind)
        if len([part for part in str(item.type).split("|") if part.strip() != "None"]) > 1
    )


@functools.cache
def _readers(kind: type) -> dict[str, Reader]:
    """Return the reader of each field. Apart from `_reader`: a field may hold the type itself."""
    return {name: _reader(hint) for name, hint in typing.get_type_hints(kind).items()}
