"""Why a program failed, in one line."""

from __future__ import annotations

import pytest

from venvgrid.processes.diagnosis import headline


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Traceback\n  File x\nValueError: boom\nerror: Build backend failed", "ValueError: boom"),
        ("Traceback\nValueError: boom", "ValueError: boom"),
        ("one\ntwo\n\nhint: three", "two"),
        (
            "error: Failed to install: a\n  cause: failed to copy from\n         /a to /b: No space left on device",
            "No space left on device: failed to copy from /a to /b: No space left on device",
        ),
        ("", "it failed and said nothing"),
    ],
)
def test_the_headline_of_an_output_is_its_most_telling_line(text: str, expected: str) -> None:
    """The last exception, else the last error, else the last line; hints are none."""
    assert headline(text) == expected
