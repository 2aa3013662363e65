"""Dataclasses of ours mean what those of the standard library mean."""

from __future__ import annotations

import copy
import dataclasses
import inspect
import pickle
from dataclasses import field
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from venvgrid.model import values
from venvgrid.model.values import dataclass

NAMES = ("alpha", "beta", "gamma", "self_", "item")
KINDS = ("plain", "default", "factory", "not-compared", "not-shown", "not-given")


@dataclass(frozen=True, slots=True)
class Point:
    """A value at the level of the module, so that it can be pickled."""

    x: int
    y: list[int] = field(default_factory=list)


def _body(kinds: dict[str, str], *, sums: bool) -> dict[str, Any]:
    """Return the body of a class whose fields are of these kinds."""
    made: dict[str, Any] = {"__annotations__": dict.fromkeys(kinds, "int")}
    for name, kind in kinds.items():
        if kind == "default":
            made[name] = 7
        elif kind == "factory":
            made[name] = field(default_factory=lambda: 8)
        elif kind == "not-compared":
            made[name] = field(default=9, compare=False)
        elif kind == "not-shown":
            made[name] = field(default=10, repr=False)
        elif kind == "not-given":
            made[name] = field(default=11, init=False)
    if sums:
        made["__post_init__"] = lambda self: object.__setattr__(self, next(iter(kinds)), 12)
    return made


def _both(kinds: dict[str, str], options: dict[str, bool], *, sums: bool) -> tuple[Any, Any]:
    """Return the class as the standard library makes it, and as we do."""
    makers: list[Any] = [dataclasses.dataclass, values.dataclass]
    theirs, ours = (maker(type("Made", (), _body(kinds, sums=sums)), **options) for maker in makers)
    return theirs, ours


@given(
    kinds=st.dictionaries(st.sampled_from(NAMES), st.sampled_from(KINDS), min_size=1),
    frozen=st.booleans(),
    slots=st.booleans(),
    sums=st.booleans(),
    given=st.sets(st.sampled_from(NAMES)),
)
def test_a_value_is_what_the_standard_library_makes(
    *, kinds: dict[str, str], frozen: bool, slots: bool, sums: bool, given: set[str]
) -> None:
    """Whatever the fields and the arguments: the same fields, text, equality, hash, order of parameters, refusals."""
    theirs, ours = _both(kinds, {"frozen": frozen, "slots": slots, "kw_only": True}, sums=sums)
    named = dict.fromkeys(given, 1)
    assert _parameters(ours) == _parameters(theirs)
    assert _told_alike(ours, theirs, named)


def _parameters(kind: Any) -> list[tuple[str, Any]]:
    return [(item.name, item.kind) for item in inspect.signature(kind).parameters.values()]


def _told_alike(ours: Any, theirs: Any, named: dict[str, int]) -> bool:
    """Check that both classes take, or refuse, the same arguments, and that what they make is alike."""
    try:
        expected = theirs(**named)
    except TypeError as error:
        with pytest.raises(TypeError, match=str(error).split("__init__()")[-1].strip()[:30]):
            ours(**named)
        return True
    made = ours(**named)
    assert dataclasses.asdict(made) == dataclasses.asdict(expected)
    assert repr(made).split("Made(")[-1] == repr(expected).split("Made(")[-1]
    assert (ours.__hash__ is None) == (theirs.__hash__ is None)
    for item in dataclasses.fields(theirs):
        if item.init:
            other, same = (dataclasses.replace(value, **{item.name: 99}) for value in (made, expected))
            assert (other == made) == (same == expected)
    assert made == ours(**named)
    assert made != expected
    return True


def test_a_frozen_value_refuses_changes_and_is_copied() -> None:
    """Nothing is set or deleted on a frozen value; copies and pickles of it are equal to it."""
    point = Point(1, [2])
    with pytest.raises(dataclasses.FrozenInstanceError):
        point.x = 2  # type: ignore[misc]
    with pytest.raises(dataclasses.FrozenInstanceError):
        del point.x
    assert copy.deepcopy(point) == point
    assert pickle.loads(pickle.dumps(point)) == point
    assert copy.copy(point).y is point.y


def test_methods_of_the_class_itself_stay() -> None:
    """Equality, hash and text that a class defines are not replaced."""

    @dataclass(frozen=True, slots=True)
    class Named:
        name: str

        def __eq__(self, other: object) -> bool:
            return isinstance(other, Named)

        def __hash__(self) -> int:
            return 5

        def __repr__(self) -> str:
            return "me"

    assert Named("a") == Named("b")
    assert {Named("a"), Named("b")} == {Named("c")}
    assert repr(Named("a")) == "me"


def test_a_class_that_inherits_has_all_fields() -> None:
    """Fields of the base come first, also when the base was never used before."""

    @dataclass(frozen=True, slots=True, kw_only=True)
    class Base:
        a: int

    @dataclass(frozen=True, slots=True, kw_only=True)
    class Derived(Base):
        b: int = 2

    derived = Derived(a=1)
    assert (derived.a, derived.b) == (1, 2)
    assert Base(a=1) != derived
    assert derived != Base(a=1)
    assert not hasattr(derived, "__dict__")


def test_nothing_is_compiled_before_it_is_used() -> None:
    """The initialiser of a class is made with its first value, and once."""

    @dataclass(slots=True)
    class Idle:
        a: int

    before = Idle.__dict__["__init__"]
    assert not inspect.isfunction(before)
    Idle(1)
    made = Idle.__dict__["__init__"]
    Idle(2)
    assert inspect.isfunction(made)
    assert Idle.__dict__["__init__"] is made
