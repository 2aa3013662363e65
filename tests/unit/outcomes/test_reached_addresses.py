"""Which addresses are servers of the cell itself."""

from __future__ import annotations

import platform

import pytest

from venvgrid.outcomes.outside.network import doubt

BOUND = (("inet", "127.0.0.1 8000"), ("inet", "10.0.0.7 9000"), ("inet", "0.0.0.0 4000"), ("unix", "@abstract"))


@pytest.mark.parametrize(
    "address",
    [
        ("inet", "127.0.0.1 8000"),
        ("inet", "localhost 8000"),
        ("inet", "::1 4000"),
        ("inet", "10.0.0.7 9000"),
        ("inet", f"{platform.node()} 4000"),
        ("unix", "@abstract"),
        ("unix", "/tmp/cell/s"),
        ("unix", "/dev/log"),
        ("joined", "127.0.0.1 8000 55555"),
        ("joined", "::ffff:127.0.0.1 4000 55555"),
        ("joined", "192.0.2.1 55555 9000"),
        ("name", "LOCALHOST"),
        ("name", "127.0.0.1"),
        ("name", "93.184.216.34"),
        ("name", platform.node()),
    ],
)
def test_a_server_of_the_cell_is_no_doubt(address: tuple[str, str]) -> None:
    """Its port, by whichever name this machine has; a path that it bound or in its folders; an address as a name."""
    assert doubt(BOUND, [address], ["/tmp/cell"]) == ""


@pytest.mark.parametrize(
    ("address", "told"),
    [
        (("inet", "127.0.0.1 8001"), "connected to 127.0.0.1:8001"),
        (("joined", "127.0.0.1 8001 55555"), "connected to 127.0.0.1:8001"),
        (("inet", "example.org 8000"), "connected to example.org:8000"),
        (("inet", "10.0.0.8 9000"), "connected to 10.0.0.8:9000"),
        (("inet", "::1 8001"), "connected to [::1]:8001"),
        (("inet", " 1"), "connected to 0.0.0.0:1"),
        (("unix", "/tmp/cell-2/s"), "connected to /tmp/cell-2/s"),
        (("unix", "@other"), "connected to @other"),
        (("other", "(0, 1)"), "connected to (0, 1)"),
        (("name", "example.org"), "asked for the address of example.org"),
        (("name", "localhost.example.org"), "asked for the address of localhost.example.org"),
    ],
)
def test_another_server_is_told(address: tuple[str, str], told: str) -> None:
    """Another port, host or path, also after one of the cell's own; a name that somebody else explains."""
    found = doubt(BOUND, [BOUND[0], address], ["/tmp/cell"])
    assert found == f"{told}, outside of the cell"
