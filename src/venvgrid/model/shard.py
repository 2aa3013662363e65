"""Parts of a plan that run on different machines."""

from __future__ import annotations

import re

from venvgrid.model.errors import UsageError
from venvgrid.model.values import dataclass

MAX_SHARDS = 10_000


@dataclass(frozen=True, slots=True, order=True)
class Shard:
    """Part `index` of `count`, from 1."""

    index: int
    count: int

    @classmethod
    def parse(cls, text: str) -> Shard:
        """Read "3/8".

        Raises:
            UsageError: it is not of this form.
        """
        found = re.fullmatch(r"([0-9]{1,5})/([0-9]{1,5})", text)
        if found is None or not 1 <= int(found[1]) <= int(found[2]) <= MAX_SHARDS:
            raise UsageError(f"--shard {text!r}: write the number of the shard and their count, from 1/8 to 8/8")
        return cls(int(found[1]), int(found[2]))

    def __str__(self) -> str:
        """Return "3/8"."""
        return f"{self.index}/{self.count}"
