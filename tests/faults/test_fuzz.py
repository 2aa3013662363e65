"""The fuzzed readers, with their seeds and some damage to them: what atheris does at length, in a second."""

from __future__ import annotations

import random

import fuzz
import pytest

ODD = [b"{", b"[[", b"\x00", b"\xff", b"'", b'"', b"\n", b"=", b"9" * 400]


@pytest.mark.parametrize("target", list(fuzz.TARGETS))
def test_damaged_input_is_an_error_of_ours_or_none(target: str) -> None:
    """Cut, doubled, shuffled and with odd bytes, each reader ends with venvgrid's own errors at most."""
    chance = random.Random(target)
    for _ in range(60):
        data = bytearray(fuzz.SEEDS[target])
        for _ in range(chance.randrange(4)):
            place = chance.randrange(len(data) + 1)
            match chance.randrange(4):
                case 0:
                    data[place : place + chance.randrange(10)] = b""
                case 1:
                    data[place:place] = chance.choice(ODD)
                case 2:
                    data[place:place] = data[: chance.randrange(len(data) + 1)]
                case _:
                    if data:
                        data[place % len(data)] = chance.randrange(256)
        fuzz.one(target, bytes(data))


@pytest.mark.parametrize("target", list(fuzz.TARGETS))
def test_inputs_that_once_led_somewhere_new(target: str) -> None:
    """The corpus that fuzzing has left; each input ends with venvgrid's own errors at most."""
    inputs = fuzz.kept(target)
    assert inputs
    for data in inputs:
        fuzz.one(target, data)
