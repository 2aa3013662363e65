"""What uv's answers mean, without uv."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

import pytest

from venvgrid.installers.base import InstallRequest, Resolved, ResolveFailed, ResolveRequest
from venvgrid.installers.pip import Pip
from venvgrid.installers.uv import Uv
from venvgrid.model import Distribution
from venvgrid.processes.command import Completed
from venvgrid.testing import interpreter

if TYPE_CHECKING:
    from pathlib import Path

    from venvgrid.installers.base import ResolveResult
    from venvgrid.model import Interpreter
    from venvgrid.processes.command import Command

LOCK = """
lock-version = "1.0"
created-by = "uv"
[[packages]]
name = "six"
version = "1.16.0"
wheels = [{ url = "https://files.example/six-1.16.0-py2.py3-none-any.whl", hashes = { sha256 = "8abb" } }]
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


@pytest.mark.parametrize(
    ("package", "expected"),
    [
        ('sdist = { url = "//x/a-1.0.zip", upload-time = 2024-05-06T07:08:09Z, hashes = { sha256 = "2", md5 = "1" } }',
         [Distribution(name="a", version="1.0", hashes=("sha256:2",), uploaded="2024-05-06T07:08:09+00:00")]),
        ('wheels = [{ url = "https://x/a-1.0-py3-none-any.whl", hashes = {} }]',
         [Distribution(name="a", version="1.0")]),
        ('archive = { url = "https://x/a.zip", hashes = { sha256 = "3" } }',
         [Distribution(name="a", version="1.0", hashes=("sha256:3",), direct="https://x/a.zip")]),
        ('vcs = { type = "git", url = "https://x/a", commit-id = "4" }',
         [Distribution(name="a", version="1.0", direct="git+https://x/a@4")]),
        ('vcs = { type = "git", url = "https://x/a", commit-id = "4", subdirectory = "in/it" }',
         [Distribution(name="a", version="1.0", direct="git+https://x/a@4#subdirectory=in/it")]),
        ('archive = { path = "/tmp/a-1.0-py3-none-any.whl", hashes = { sha256 = "5" } }',
         [Distribution(name="a", version="1.0", hashes=("sha256:5",), direct="file:///tmp/a-1.0-py3-none-any.whl")]),
        ('directory = { path = "/tmp/a" }', [Distribution(name="a", version="1.0", direct="file:///tmp/a")]),
    ],
)  # fmt: skip
def test_each_kind_of_package(package: str, expected: list[Distribution]) -> None:
    """Files of an index, direct references, repositories, local wheels and folders are distributions."""
    text = f'lock-version = "1.0"\ncreated-by = "uv"\n[[packages]]\nname = "a"\nversion = "1.0"\n{package}\n'
    assert answer(text) == Resolved(distributions=tuple(expected))


def test_a_lock_may_be_empty() -> None:
    """Uv 0.8 leaves out `packages` when there are none."""
    assert answer('lock-version = "1.0"\ncreated-by = "uv"\n') == Resolved(distributions=())


def test_a_lock_that_breaks_the_standard_is_refused_with_the_key() -> None:
    """What the standard forbids is no answer: the message names what and where."""
    failed = answer(LOCK.replace("six-1.16.0-", "seven-1.16.0-"))
    assert isinstance(failed, ResolveFailed)
    assert "is not consistent with package name 'six' in 'packages[0].wheels[0]'" in failed.reason


@pytest.mark.parametrize("stdout", ["", "\n", LOCK[:20], LOCK[: LOCK.index('version = "1.16')], "warning: who knows"])
def test_what_is_no_lock_is_no_answer(stdout: str) -> None:
    """An output that was lost or cut off never becomes an empty environment."""
    assert isinstance(answer(stdout), ResolveFailed)


def _answer(folder: Path, _interpreter: Interpreter) -> Path:
    return folder


@pytest.mark.parametrize("asked", [True, False])
def test_pre_releases_are_asked_for(tmp_path: Path, asked: bool) -> None:  # noqa: FBT001
    """An installer gets its option for pre-releases if the cell asks for them, else not; old pips too."""
    seen: list[tuple[str, ...]] = []

    def run(command: Command) -> Completed:
        seen.append(command.argv)
        return Completed(argv=command.argv, exit_code=1, stdout="")

    request = ResolveRequest(interpreter=interpreter(), requirements=("six",), pre_releases=asked)
    Uv(binary="uv", version="0.13.8", environ={}, run=run).resolve(request)
    for folder in (tmp_path / "pip-26.1", tmp_path / "pip-20.3.4"):
        answered = functools.partial(_answer, folder)
        Pip(folder_for=answered, downloads=tmp_path, environ={}, run=run).resolve(request)
    assert [("--prerelease" in argv, "--pre" in argv) for argv in seen] == [
        (asked, False),
        (False, asked),
        (False, asked),
    ]


@pytest.mark.parametrize("is_pypi", [True, False])
def test_pages_of_pypi_hold_as_long_as_it_says(tmp_path: Path, is_pypi: bool) -> None:  # noqa: FBT001
    """Uv is told so for PyPI, when it resolves and when it installs; other indexes are the user's business."""
    seen: list[bool] = []

    def run(command: Command) -> Completed:
        seen.append((command.cwd / "uv.toml").exists())
        return Completed(argv=command.argv, exit_code=0, stdout=LOCK)

    uv = Uv(binary="uv", version="0.13.8", environ={}, run=run, is_pypi=is_pypi)
    uv.resolve(ResolveRequest(interpreter=interpreter(), requirements=("six",)))
    uv.install(InstallRequest(python=tmp_path / "python", interpreter=interpreter(), wheels=(tmp_path / "a.whl",)))
    assert seen == [is_pypi, is_pypi]
