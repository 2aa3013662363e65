"""The door to a cluster: it carries text to machines and says which of them are there. Dask is one behind it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from venvgrid.model.values import dataclass

Answered = Callable[[str | None], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Listener:
    """Whom a cluster tells what happens; any of its threads may call.

    `came` and `lost` get the address of a machine; `said` an address and a text that a job there has sent.
    """

    came: Callable[[str], None]
    lost: Callable[[str], None]
    said: Callable[[str, str], None]


class Cluster(Protocol):
    """Machines by their addresses. Nothing but text goes there and back."""

    def start(self, listener: Listener) -> None:
        """Begin to tell of machines: of all that are there, and of each that comes or is lost."""

    def send(self, address: str, key: str, job: str, answered: Answered) -> None:
        """Do a job on a machine. `answered` gets its answer, or None if the machine was lost or could not do it."""

    def ask(self, address: str, question: str) -> str:
        """Return the answer of a machine to a question (see `app.cluster.station`), soon, even if it is busy.

        Raises:
            OSError: the machine does not answer.
        """

    def forget(self, key: str) -> None:
        """Give up a job: its answer is no longer awaited."""

    def close(self) -> None:
        """Leave the cluster."""
