"""What uv's answers mean, without uv."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from venvgrid.installers.base import Resolved, ResolveFailed, ResolveRequest
from venvgrid.installers.uv import Uv
from venvgrid.processes.command import Completed
from venvgrid.testing import interpreter

if TYPE_CHECKING:
    from venvgrid.installers.base import ResolveResult
    from venvgrid.processes.command import Command

LOCK = """
lock-version = "1.0"
[[packages]]
name = "six"
version = "1.16.0"
wheels = [{ url = "https://files.example/six.whl", hashes = { sha256 = "8abb" } }]
"""


def answer(stdout: str) -> ResolveResult:
    """Give what is made of a successful `uv pip compile`."""

    def run(command: Command) -> Completed:
        return Completed(argv=command.argv, exit_code=0, stdout=stdout)

    uv = Uv(binary="uv", version="0.13.8", environ={}, run=run)
    return uv.resolve(ResolveRequest(interpreter=interpreter(), requirements=("six",)))


def test_a_lock_is_an_answer() -> None:
    """The distributions are read off it."""
    resolved = answer(LOCK)
    assert isinstance(resolved, Resolved)
    assert [(item.name, item.version, item.hashes) for item in resolved.distributions] == [
        ("six", "1.16.0", ("sha256:8abb",))
    ]


@pytest.mark.parametrize("stdout", ["", "\n", LOCK[:20], LOCK[: LOCK.index('version = "1.16')], "warning: who knows"])
def test_what_is_no_lock_is_no_answer(stdout: str) -> None:
    """An output that was lost or cut off never becomes an empty environment."""
    assert isinstance(answer(stdout), ResolveFailed)
