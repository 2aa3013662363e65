"""How names of distributions and extras are compared."""

from __future__ import annotations

import re


def normalise(name: str) -> str:
    """Normalise a name as PEP 503 does; `packaging` has the same, but takes 30 ms to import."""
    return re.sub(r"[-_.]+", "-", name).lower()
