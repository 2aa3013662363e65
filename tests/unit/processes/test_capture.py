"""Output is kept within bounds, however it comes in pieces."""
# ruff: noqa: SIM300 - expected == actual

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import given, settings
from hypothesis import strategies as st

from venvgrid.processes.capture import Log, Tail, TailBuffer, decode, omission

outputs = st.binary(max_size=200)
sizes = st.integers(min_value=1, max_value=40)


def pieces(data: bytes, cuts: list[int]) -> list[bytes]:
    """The data cut in pieces, as reads from a pipe would give them."""
    places = sorted({0, len(data), *(cut % (len(data) + 1) for cut in cuts)})
    return [data[begin:end] for begin, end in pairwise(places)]


def bounded(data: bytes, head: int, tail: int) -> bytes:
    """What is to be kept of it, in one step."""
    dropped = max(0, len(data) - head - tail)
    rest = data[head:]
    return data[:head] + omission(dropped) + rest[dropped:]


@given(outputs, st.lists(st.integers(0, 1000)), sizes)
def test_tail_is_the_end(data: bytes, cuts: list[int], size: int) -> None:
    """A tail holds the last bytes and knows how many it let go, whatever the pieces."""
    tail = Tail(size)
    for piece in pieces(data, cuts):
        tail.add(piece)
    assert (data[-size:], max(0, len(data) - size)) == (tail.end(), tail.dropped)


@given(outputs, st.lists(st.integers(0, 1000)), sizes, sizes)
def test_memory_keeps_head_and_tail(data: bytes, cuts: list[int], head: int, tail: int) -> None:
    """In memory: head, what is missing, tail; all of it when it fits."""
    sink = TailBuffer(head, tail)
    for piece in pieces(data, cuts):
        sink.write(piece)
    assert decode(bounded(data, head, tail)) == sink.finish()


@given(outputs, st.lists(st.integers(0, 1000)), sizes, sizes, sizes)
@settings(deadline=None)
def test_log_keeps_head_and_tail(data: bytes, cuts: list[int], head: int, tail: int, last: int) -> None:
    """In a file: what was there, head, what is missing, tail; the text is the end of all that came."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "logs" / "cell.log"
        path.parent.mkdir()
        path.write_bytes(b"before\n")
        sink = Log(path, head, tail, last)
        for piece in pieces(data, cuts):
            sink.write(piece)
        text = sink.finish()
        assert (b"before\n" + bounded(data, head, tail), decode(data[-last:])) == (path.read_bytes(), text)


@given(st.binary())
def test_decoded_output_can_be_encoded(data: bytes) -> None:
    """Whatever a command prints, its text is one that strict writers take; text stays text."""
    text = decode(data)
    assert text == text.encode("utf-8").decode("utf-8")


@given(st.text())
def test_text_is_decoded_as_it_is(text: str) -> None:
    """UTF-8 is not changed."""
    assert text == decode(text.encode("utf-8"))


def test_head_is_in_the_log_at_once(tmp_path: Path) -> None:
    """What was printed is in the file before the command ends: a kill of venvgrid does not lose it."""
    sink = Log(tmp_path / "deep" / "log")
    sink.write(b"early")
    assert b"early" == (tmp_path / "deep" / "log").read_bytes()
    sink.finish()


def test_omission_says_how_much() -> None:
    """The line in place of bytes names their number; nothing stands for nothing."""
    assert (b"", b"\n[venvgrid left out 7 bytes here]\n") == (omission(0), omission(7))
