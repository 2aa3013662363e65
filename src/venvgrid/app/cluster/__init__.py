"""A run on many machines: what the coordinator sends, and what a worker does with it."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from venvgrid.app.context import RunContext


@contextmanager
def on_machines(context: RunContext) -> Iterator[RunContext]:
    """Return the context with the machines that its options name; they are let go at the end.

    Raises:
        UsageError, InfrastructureError: there are none; see `coordinator.connected`.
    """
    if not context.options.on:
        yield context
        return
    from venvgrid.app.cluster import coordinator  # noqa: PLC0415  (most runs are on one machine)

    with coordinator.connected(context) as fleet:
        yield replace(context, fleet=fleet).sharing(context)
