"""When cells last had a result, of run folders and of merged reports."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from venvgrid.model import LeftOut, Outcome, UsageError
from venvgrid.results import last_results
from venvgrid.results.report import Earlier

if TYPE_CHECKING:
    from pathlib import Path


def written(folder: Path, name: str, started: str, left_out: list[dict[str, object]], **cells: str) -> Path:
    data = {
        "started": started,
        "cells": [{"id": key, "outcome": value, "durations": {"test": 2.0}} for key, value in cells.items()],
        "left_out": left_out,
    }
    file = folder / name
    file.write_text(json.dumps(data), encoding="utf-8")
    return file


def test_the_newest_result_of_each_cell_counts(tmp_path: Path) -> None:
    """A report also remembers the cells that its own tier left out; what was cancelled is no result."""
    remembered = [LeftOut(id="c", last="2026-11-01T00:00:00+00:00", outcome="failed", seconds=9.0), LeftOut(id="d")]
    file = written(
        tmp_path,
        "one.json",
        "2026-11-20T00:00:00+00:00",
        [item.plain() for item in remembered],
        a="passed",
        b="cancelled",
    )
    history = {
        "a": Earlier(run="20261119-010203-abcd", outcome=Outcome.FAILED, seconds=1.0),
        "b": Earlier(run="20261118-010203-abcd", outcome=Outcome.PASSED, seconds=4.0),
    }
    found = last_results.of(history, [file])
    assert found == {
        "a": LeftOut(id="a", last="2026-11-20T00:00:00+00:00", outcome="passed", seconds=2.0),
        "b": LeftOut(id="b", last="2026-11-18T01:02:03+00:00", outcome="passed", seconds=4.0),
        "c": remembered[0],
    }


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"started": "x", "cells": [{"id": "a"}]}', '{"cells": 3, "started": 1}']
)
def test_another_file_is_refused(tmp_path: Path, text: str) -> None:
    """A wrong --durations is wrong usage, not an empty history."""
    file = tmp_path / "x.json"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(UsageError, match=r"it is no results\.json"):
        last_results.of({}, [file])
    with pytest.raises(UsageError, match=r"it is no results\.json"):
        last_results.of({}, [tmp_path / "missing.json"])
