"""What an installer tells of itself reaches whoever listens, and nobody else."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from venvgrid.installers import progress

OUTPUT = b"""Resolved 2 packages in 1ms
Downloading scipy (33.7MiB)
   Building markupsafe==3.0.4
 Downloaded scipy
Collecting six==1.16\r
 + scipy==1.17.1
"""
HEARD = ["Downloading scipy (33.7MiB)", "Building markupsafe==3.0.4", "Collecting six==1.16"]


@given(st.lists(st.integers(0, len(OUTPUT)), max_size=10))
def test_lines_are_heard_in_whatever_pieces_they_come(cuts: list[int]) -> None:
    """Law: the same lines, wherever the output is cut."""
    heard: list[str] = []
    places = sorted({0, *cuts, len(OUTPUT)})
    with progress.reporting_to(heard.append):
        listen = progress.sink()
    assert listen is not None
    for begin, end in itertools.pairwise(places):
        listen(OUTPUT[begin:end])
    assert heard == HEARD


def test_nobody_listens_outside() -> None:
    """After the task there is no listener, also after an error in it."""
    assert progress.sink() is None

    def failing() -> None:
        with progress.reporting_to(print):
            raise ValueError("stopped")

    with pytest.raises(ValueError, match="stopped"):
        failing()
    assert progress.sink() is None


def test_a_line_without_an_end_takes_no_memory() -> None:
    """A progress bar that never ends its line is no reason to keep it."""
    heard: list[str] = []
    with progress.reporting_to(heard.append):
        listen = progress.sink()
    assert listen is not None
    for _ in range(1000):
        listen(b"x" * 10_000)
    listen(b"\nDownloading a (1MiB)\n")
    assert heard == ["Downloading a (1MiB)"]
