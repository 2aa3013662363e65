"""Tasks and their results travel: every value goes through JSON and comes back equal."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from venvgrid.model import serialization
from venvgrid.running import tasks
from venvgrid.running.tasks import Task, TaskResult

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

st.register_type_strategy(Path, st.from_regex(r"[a-z/]{1,9}", fullmatch=True).map(Path))
st.register_type_strategy(float, st.floats(allow_nan=False, allow_infinity=False))

KINDS = (*Task.__args__, *TaskResult.__args__)


def values(kind: type) -> SearchStrategy[object]:
    """Make values of a task or a result from the types of its fields."""
    return st.from_type(kind)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
@settings(max_examples=8, suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(data=st.data())
def test_a_task_goes_through_json(kind: type, data: st.DataObject) -> None:
    """Law: what a task or its result holds is the same after JSON, its kind included."""
    value = data.draw(values(kind))
    text = json.dumps(serialization.to_tagged(value))
    assert serialization.from_tagged(KINDS, json.loads(text)) == value


def test_tasks_are_told_apart_by_their_keys() -> None:
    """Two kinds of tasks never have the same key: each begins with its own word."""
    prefixes = {kind.__name__: kind.key.fget.__code__.co_consts for kind in Task.__args__}
    assert len({str(words) for words in prefixes.values()}) == len(prefixes)
    assert tasks.Lane.TEST < tasks.Lane.BUILD < tasks.Lane.RESOLVE
