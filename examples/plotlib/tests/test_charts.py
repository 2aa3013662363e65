"""What plotlib promises: real pictures, of the size and the colours that were asked for."""

import struct

import matplotlib.image
import pytest

import plotlib


def size_of(path):
    """Read width and height from the header of a PNG file."""
    with open(str(path), "rb") as stream:
        head = stream.read(24)
    assert head[:8] == b"\x89PNG\r\n\x1a\n"
    return struct.unpack(">II", head[16:24])


def has_colour(path, red, green, blue):
    """Whether any pixel of the picture has about this colour (0 to 1)."""
    pixels = matplotlib.image.imread(str(path))[:, :, :3]
    return bool((abs(pixels - [red, green, blue]).max(axis=2) < 0.05).any())


def test_lines_draws_a_picture(tmpdir):
    path = tmpdir.join("lines.png")
    plotlib.lines(str(path), [("up", [(0, 0), (1, 1)]), ("down", [(0, 1), (1, 0)])], title="Two lines")
    assert size_of(path) == (320, 240)


@pytest.mark.parametrize(("colour", "expected"), [("#cc0000", (0.8, 0, 0)), ("#4e9a06", (0.306, 0.604, 0.024))])
def test_bars_have_the_colour_that_was_asked_for(tmpdir, colour, expected):
    path = tmpdir.join("bars.png")
    plotlib.bars(str(path), [("a", 1), ("b", 3), ("c", 2)], colour=colour)
    assert size_of(path) == (320, 240)
    assert has_colour(path, *expected)
