"""Certificates of a cluster: a folder with `ca.pem`, `cert.pem` and `key.pem`, made once and copied to each machine."""

from __future__ import annotations

import ipaddress
import os
from contextlib import suppress
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from venvgrid.model import InfrastructureError, UsageError

if TYPE_CHECKING:
    from pathlib import Path

    from distributed import Security

FILES = {"ca.pem": "tls_ca_file", "cert.pem": "tls_client_cert", "key.pem": "tls_client_key"}
EXTRA = "it needs the extra dask: pip install 'venvgrid[dask]'"


def check_installed() -> None:
    """Check that the extra is there. Raises UsageError."""
    try:
        import distributed  # noqa: F401, PLC0415  (an optional dependency)
    except ImportError as error:
        raise UsageError(f"a run on many machines: {EXTRA} ({error})") from error


def make(folder: Path) -> None:
    """Write new certificates into a folder that only its owner can read.

    Raises:
        UsageError, InfrastructureError: the library is missing, or the folder cannot be written.
    """
    from distributed import Security  # noqa: PLC0415

    try:
        made = Security.temporary()
    except ImportError as error:
        raise UsageError(f"certificates: {EXTRA} ({error})") from error
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for name, attribute in FILES.items():
            handle = os.open(folder / name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            with os.fdopen(handle, "w", encoding="ascii") as stream:
                stream.write(getattr(made, attribute))
    except OSError as error:
        raise InfrastructureError(f"{folder}: {error.strerror}; the certificates cannot be written") from error


def exist(folder: Path) -> bool:
    """Return whether a folder holds certificates."""
    return all((folder / name).is_file() for name in FILES)


def security(folder: Path | None) -> Security | None:
    """Return the settings of TLS for a folder; without one those of the engine's own configuration, if it has any.

    Raises:
        UsageError: a certificate is missing.
    """
    from distributed import Security  # noqa: PLC0415

    if folder is None:
        found = Security()
        return found if found.get_tls_config_for_role("client")["ca_file"] else None
    missing = [name for name in FILES if not (folder / name).is_file()]
    if missing:
        make_them = f"venvgrid scheduler tls://HOST:8786 --certificates {folder}"
        raise UsageError(
            f"{folder} has no {', '.join(missing)}; copy them from the machine that made them: {make_them}"
        )
    ca, cert, key = (str(folder / name) for name in FILES)
    return Security(
        require_encryption=True,
        tls_ca_file=ca,
        **{f"tls_{role}_cert": cert for role in ("client", "scheduler", "worker")},
        **{f"tls_{role}_key": key for role in ("client", "scheduler", "worker")},
    )


def check_address(address: str, *, has_certificates: bool, others: str = "") -> None:
    """Check that an address is one of a scheduler, and that nothing goes through a network as it is.

    `others` is what else the option takes, for the message.

    Raises:
        UsageError: it is not, or it does.
    """
    if not _is_address(address):
        allowed = f"{f'{others}, or ' if others else ''}the address of a scheduler"
        raise UsageError(f"{address!r}: write {allowed}: tls://HOST:8786, tcp://127.0.0.1:8786{_meant(address)}")
    parts = urlsplit(address)
    if parts.scheme == "tcp" and not is_loopback(parts.hostname or ""):
        raise UsageError(
            f"{address}: without TLS, anybody in the network could run commands here; write tls:// and --certificates"
        )
    if parts.scheme == "tls" and not has_certificates:
        raise UsageError(f"{address}: which certificates? Add --certificates FOLDER (made by: venvgrid scheduler)")


def _is_address(text: str) -> bool:
    try:
        parts = urlsplit(text)
        return parts.scheme in {"tcp", "tls"} and bool(parts.hostname) and (parts.port is None or parts.port >= 0)
    except ValueError:  # a port that is no number, or above 65535
        return False


def _meant(text: str) -> str:
    """Return a hint at the address that was probably meant, or ""."""
    scheme, has_scheme, rest = text.partition("://")
    if has_scheme and scheme in {"tcp", "tls"}:
        port = rest.rpartition(":")[2]
        return f"; {port!r} is no port: these are numbers up to 65535" if rest.partition(":")[0] and ":" in rest else ""
    place = f"127.0.0.1:{text}" if text.isdigit() else rest if has_scheme else text
    host, _, port = place.rpartition(":")
    meant = f"{'tcp' if is_loopback(host) else 'tls'}://{place}"
    return f"; did you mean {meant}?" if port.isdigit() and host and _is_address(meant) else ""


def is_loopback(host: str) -> bool:
    """Return whether a host is this machine's own network."""
    if host == "localhost":
        return True
    with suppress(ValueError):
        return ipaddress.ip_address(host).is_loopback
    return False
