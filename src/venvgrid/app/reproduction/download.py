"""Fetches a capsule by its address."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from venvgrid.model import InfrastructureError, UsageError
from venvgrid.processes.redaction import redact
from venvgrid.results.capsules.archives import MAX_ARCHIVE

if TYPE_CHECKING:
    from collections.abc import Callable

SCHEMES = ("http", "https")
TIMEOUT = 30.0  # seconds, to connect and between two pieces
CHUNK = 1 << 16
REFUSED = (401, 403)
MISSING = (404, 410)


def is_address(text: str) -> bool:
    """Return whether a text is meant as an address, of any scheme."""
    return "://" in text


def fetch(address: str, *, limit: int = MAX_ARCHIVE, notify: Callable[[str], None]) -> bytes:
    """Return what is at an address.

    Raises:
        UsageError: it is no http(s) address, or there is too much.
        InfrastructureError: it does not answer, or refuses.
    """
    import requests  # noqa: PLC0415  (most capsules are files)

    shown = redact(address)
    if urlsplit(address).scheme.lower() not in SCHEMES:
        raise UsageError(f"{shown}: only http and https addresses are fetched; give a file, or an address of these")
    notify(f"fetching {shown}")
    content = bytearray()
    try:
        with requests.get(address, stream=True, timeout=TIMEOUT) as answer:
            if answer.status_code in (*REFUSED, *MISSING):
                nothing = "there is nothing at this address, or " if answer.status_code in MISSING else ""
                raise InfrastructureError(f"{shown}: the server says {answer.status_code}: {nothing}{_HELP}")
            answer.raise_for_status()
            for chunk in answer.iter_content(CHUNK):
                content += chunk
                if len(content) > limit:
                    raise UsageError(f"{shown} is refused: it has more than {limit:,} bytes")
    except requests.HTTPError as error:
        why = f"the server says {error.response.status_code} {error.response.reason}"
        raise InfrastructureError(f"{shown} cannot be fetched: {why}; {_LATER}") from error
    except requests.Timeout as error:
        raise InfrastructureError(f"{shown} cannot be fetched: no answer in {TIMEOUT:.0f} s; {_LATER}") from error
    except requests.ConnectionError as error:
        why = f"no server answers at {urlsplit(address).netloc.rpartition('@')[2]}"
        raise InfrastructureError(f"{shown} cannot be fetched: {why}; is the address right? {_LATER}") from error
    except requests.RequestException as error:
        raise InfrastructureError(f"{shown} cannot be fetched: {redact(str(error)):.200}") from error
    return bytes(content)


_HELP = "an artifact needs an account; download it, then type: venvgrid reproduce FILE"
_LATER = "try again, or download it another way, then type: venvgrid reproduce FILE"
