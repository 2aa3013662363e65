"""Secrets are taken out of output as it comes, and of events."""
# ruff: noqa: SIM300 - expected == actual; secrets that are none

from __future__ import annotations

import itertools

import factories
from hypothesis import given
from hypothesis import strategies as st

from venvgrid.model.events import CellFinished, TestFinished
from venvgrid.model.result import CaseOutcome, Outcome
from venvgrid.processes.redaction import Redactor

SECRET = "hunter2hunter2"
ENVIRON = {"API_TOKEN": SECRET, "INDEX": "https://me:pass%40word1@host/simple", "HOME": "/home/me", "SHORT_KEY": "abc"}
REDACTOR = Redactor.from_environ(ENVIRON)
PIECES = [
    "hunter2hunter2",
    "hunter2",
    "2hunter",
    "https://x:y@",
    "host",
    " ",
    "\n",
    "me:pass%40word1",
    "é",
    "plain",
    "@",
]


@given(st.lists(st.sampled_from(PIECES), max_size=20), st.lists(st.integers(1, 9), min_size=1, max_size=5))
def test_no_secret_passes_however_output_is_split(words: list[str], sizes: list[int]) -> None:
    """Law: in any pieces, what comes out holds no secret, and is what the whole would have given."""
    data = "".join(words).encode()
    stream, out, rest = REDACTOR.stream(), b"", data
    for size in itertools.cycle(sizes):
        if not rest:
            break
        out += stream.add(rest[:size])
        rest = rest[size:]
    out += stream.end()
    assert SECRET.encode() not in out
    assert b"me:pass%40word1" not in out
    assert REDACTOR.text(data.decode()).encode() == out


def test_bytes_that_are_no_text_stay_as_they_are() -> None:
    """Output may be anything."""
    data = bytes(range(256)) * 3 + b"https://\xff:\xfe@host " + SECRET.encode()
    stream = REDACTOR.stream()
    found = stream.add(data) + stream.end()
    assert bytes(range(256)) * 3 + b"https://****@host ***API_TOKEN***" == found


def test_without_secrets_output_passes_at_once_but_for_a_word() -> None:
    """The end of a line is waited for, a very long one is not."""
    stream = Redactor.from_environ({}).stream()
    assert b"a b " == stream.add(b"a b c")
    assert b"c\n" == stream.add(b"\n")
    long = b"x" * 100_000
    assert len(long) - 5_000 < len(stream.add(long))


def test_events_hold_no_secret() -> None:
    """In what tests said and in what was typed; names of cells and values of axes stay, results are found by them."""
    failure = factories.failure(message=f"got {SECRET}", longrepr=f"x\n{SECRET}\n", signature=f"E: {SECRET}")
    result = factories.result("py3.12", Outcome.FAILED, reason=f"because of {SECRET}", failures=(failure,))
    event = REDACTOR.event(CellFinished(result=result, at=1.0))
    assert SECRET not in repr(event)
    assert "got ***API_TOKEN***" == event.result.failures[0].message
    ended = TestFinished(cell=f"py-{SECRET}", test=f"t[{SECRET}]", verdict=CaseOutcome.PASSED, duration=1.0, at=1.0)
    assert (f"py-{SECRET}", "t[***API_TOKEN***]") == (REDACTOR.event(ended).cell, REDACTOR.event(ended).test)
    started = factories.started([factories.cell("py3.12")], command=("pytest", f"--token={SECRET}"))
    assert ("pytest", "--token=***API_TOKEN***") == REDACTOR.event(started).command


def test_what_holds_none_is_the_same_value() -> None:
    """Nothing is copied for nothing."""
    event = CellFinished(result=factories.result("py3.12"), at=1.0)
    assert event is REDACTOR.event(event)
