"""What an engine changes in its workers, so that it reaches no cell; and what the machine has."""

from __future__ import annotations

import os
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


def without(environ: Mapping[str, str], given: Mapping[str, object]) -> dict[str, str]:
    """Return variables without those that an engine has set to the values `given`."""
    return {name: value for name, value in environ.items() if name not in given or str(given[name]) != value}


def memory() -> int:
    """Return the memory of this machine in bytes, or 0 if it does not say."""
    with suppress(AttributeError, OSError, ValueError):
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return 0


def walltime(environ: Mapping[str, str]) -> float:
    """Return when the job of a batch system ends, in seconds since the epoch, or 0: Slurm says it in a variable."""
    text = environ.get("SLURM_JOB_END_TIME", "")
    return float(text) if text.isdigit() else 0.0
