"""The addresses that the processes of a cell reached: which of them are servers of the cell itself. Pure.

What another process answers may change from run to run. A server of the cell is one whose address a Python of the cell
has bound (see `_venvgrid_network`); its port decides, on whichever of the machine's own hosts it is.
"""

from __future__ import annotations

import ipaddress
import os
import platform
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from venvgrid.outcomes.witness import Address

HOSTS = frozenset(
    ("", "localhost", "localhost.localdomain", "localhost4", "localhost6", "ip6-localhost", "ip6-loopback")
)
JOINED = "joined"  # two addresses: a socket that had the second one, maybe of a server, was connected to the first one
LOGS = ("/dev/log", "/var/run/syslog", "/run/systemd/journal/")  # what is sent there is not answered


def doubt(bound: Iterable[Address], reached: Iterable[Address], own: Iterable[str] = ()) -> str:
    """Return which address is no server of the cell, as a reason not to keep a result; "" if there is none.

    `own` are the folders of the cell.
    """
    mine = _Own(bound, own)
    return next((f"{_told(item)}, outside of the cell" for item in reached if not mine.has(item)), "")


class _Own:
    """What a cell has bound."""

    def __init__(self, bound: Iterable[Address], folders: Iterable[str]) -> None:
        self.others = frozenset(bound)
        pairs = [text.rpartition(" ") for kind, text in self.others if kind == "inet"]
        self.hosts, self.ports = {host for host, _, _ in pairs}, {port for _, _, port in pairs}
        self.folders = tuple(f"{folder}{os.sep}" for folder in folders)

    def has(self, address: Address) -> bool:
        """Return whether an address is that of a server of the cell, or leads to no server."""
        kind, text = address
        if kind == JOINED:
            other, _, port = text.rpartition(" ")
            return port in self.ports or self.has(("inet", other))
        if kind == "name":
            return _is_here(text) or _number(text) is not None
        if kind == "inet":
            host, _, port = text.rpartition(" ")
            return port in self.ports and (host in self.hosts or _is_here(host))
        return address in self.others or (kind == "unix" and text.startswith((*self.folders, *LOGS)))


def _number(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        number = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return None
    return getattr(number, "ipv4_mapped", None) or number


def _is_here(host: str) -> bool:
    """Return whether a host is this machine, by a name or number that it always has."""
    number = _number(host)
    if number is not None:
        return number.is_loopback or number.is_unspecified
    return host.lower() in HOSTS or host.lower() == platform.node().lower()


def _told(address: Address) -> str:
    kind, text = address
    if kind == JOINED:
        kind, text = "inet", text.rpartition(" ")[0]
    if kind == "name":
        return f"asked for the address of {text}"
    if kind == "inet":
        host, _, port = text.rpartition(" ")
        return f"connected to {f'[{host}]' if ':' in host else host or '0.0.0.0'}:{port}"  # noqa: S104  (a message)
    return f"connected to {text}"
