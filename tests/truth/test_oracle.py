"""The short form of the differential oracle; `python tests/truth/oracle.py` is the long one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import oracle
import pytest

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def plain(shared_dir: Path) -> oracle.Plain:
    """Return an oracle; its environments and answers serve the sequences of all workers."""
    return oracle.Plain(shared_dir / "plain")


@pytest.mark.parametrize("number", range(10))
def test_the_verdict_is_that_of_a_plain_venv(number: int, plain: oracle.Plain, cache_dir: Path) -> None:
    """Random sequences of changes, 50 in all: after each one, green is what a venv, pip and pytest call green."""
    wrong: list[str] = []
    oracle.search(plain, cache_dir, oracle.drawn(61, 1)[:50][number::10], wrong.append)
    assert wrong == []
