"""What an engine changes in its workers, so that it reaches no cell; and what the machine has."""

from __future__ import annotations

import hashlib
import os
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from venvgrid.processes import variables

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

# Variables that differ from machine to machine, and say nothing of what tests do; proxies may hold passwords.
OWN = frozenset(
    ("HOME", "USER", "LOGNAME", "USERNAME", "SHELL", "TERM", "PATH", "VIRTUAL_ENV", "TMPDIR", "TEMP", "TMP")
)
OWN_KINDS = ("XDG_", "DISPLAY", "WAYLAND_", "XAUTHORITY", "SSL_CERT_", "USERPROFILE", "COMPUTERNAME")


def without(environ: Mapping[str, str], given: Mapping[str, object]) -> dict[str, str]:
    """Return variables without those that an engine has set to the values `given`."""
    return {name: value for name, value in environ.items() if name not in given or str(given[name]) != value}


def digests(environ: Mapping[str, str]) -> tuple[str, ...]:
    """Return name and digest of each variable that tests get of a machine, but for those that name its own places."""
    given = variables.child_environment(environ, pass_env=(), extra={}, prefix=Path(os.sep))
    return tuple(
        f"{name}={hashlib.blake2b(f'{name}={value}'.encode(errors='surrogatepass'), digest_size=6).hexdigest()}"
        for name, value in sorted(given.items())
        if name not in OWN and not name.startswith(OWN_KINDS) and "PROXY" not in name.upper()
    )


def differing(here: Collection[str], there: Collection[str]) -> list[str]:
    """Return the names of variables whose digests differ between two machines."""
    return sorted({item.partition("=")[0] for item in {*here} ^ {*there}})


def memory() -> int:
    """Return the memory of this machine in bytes, or 0 if it does not say."""
    with suppress(AttributeError, OSError, ValueError):
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return 0


def walltime(environ: Mapping[str, str]) -> float:
    """Return when the job of a batch system ends, in seconds since the epoch, or 0: Slurm says it in a variable."""
    text = environ.get("SLURM_JOB_END_TIME", "")
    return float(text) if text.isdigit() else 0.0
