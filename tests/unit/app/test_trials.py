"""Trials: runs that nothing remembers, for searches that ask what a world shows."""

from __future__ import annotations

import contextlib
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import factories
import pytest

from venvgrid.app import run
from venvgrid.processes.command import Cancellation

if TYPE_CHECKING:
    from collections.abc import Iterator

    from venvgrid.model import Event


@pytest.mark.parametrize("is_stopped", [False, True])
def test_a_stop_at_the_very_end_ends_the_search(monkeypatch: pytest.MonkeyPatch, *, is_stopped: bool) -> None:
    """Ctrl-C while the last cell ends cancels no cell; but no command starts any more, so no answer would be true."""
    context: Any = SimpleNamespace(machine=SimpleNamespace(cancellation=Cancellation()))
    cell = factories.cell("py3.9")

    def perform(*_arguments: object) -> Iterator[Event]:
        yield factories.started([cell])
        yield factories.finished(factories.result(cell))
        if is_stopped:
            context.machine.cancellation.set()
        yield factories.ended()

    monkeypatch.setattr(run, "using_environments", contextlib.nullcontext)
    monkeypatch.setattr(run, "_perform", perform)
    monkeypatch.setattr(run, "make_request", lambda *_arguments, **_options: None)
    plan: Any = None
    if is_stopped:
        with pytest.raises(KeyboardInterrupt):
            run.trial(context, plan)
    else:
        assert run.trial(context, plan).exit_status == 0
