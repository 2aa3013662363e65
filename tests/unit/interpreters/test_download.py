"""Asking uv for a Python that the machine does not have, and what it answers."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import pytest
from fake_pythons import FakeRun, add

from venvgrid.interpreters.download import install, switched_off
from venvgrid.interpreters.selection import Missing
from venvgrid.processes.command import Command, Completed

if TYPE_CHECKING:
    from pathlib import Path

    from venvgrid.model import Interpreter


class FakeUv:
    """A runner for uv and the Python that it installs."""

    def __init__(self, executable: Path, **outcomes: dict[str, Any]) -> None:
        self.executable = executable
        self.outcomes = outcomes
        self.commands: list[Command] = []
        self.pythons = FakeRun()

    def __call__(self, command: Command) -> Completed:
        """Answer as uv or as the Python."""
        if command.argv[0] != "uv":
            return self.pythons(command)
        self.commands.append(command)
        name = command.argv[2]
        fields: dict[str, Any] = {"exit_code": 0, "stdout": f"{self.executable}\n" if name == "find" else ""}
        return Completed(argv=command.argv, **{**fields, **self.outcomes.get(name, {})})


def ask_uv(spec: str, uv: FakeUv, tmp_path: Path, *, offline: bool = False, **environ: Any) -> Interpreter | Missing:
    """Install by the fake."""
    return install(spec, uv="uv", run=uv, environ=environ, cwd=tmp_path, offline=offline)


@pytest.mark.skipif(os.name == "nt", reason="makes links")
def test_uv_installs_what_is_asked_for(tmp_path: Path) -> None:
    """The installed Python is described by itself, and its folder is that of the patch release."""
    real = add(tmp_path / "cpython-3.12.4" / "bin" / "python3.12", "3.12.4")
    (tmp_path / "cpython-3.12").symlink_to(real.parent.parent)
    uv = FakeUv(tmp_path / "cpython-3.12" / "bin" / "python3.12")
    answer = ask_uv("3.12", uv, tmp_path)
    assert not isinstance(answer, Missing)
    assert ("3.12.4", "uv", str(real)) == (answer.version, answer.source, answer.executable)
    assert [command.argv[2:4] for command in uv.commands] == [("install", "3.12"), ("find", "3.12")]


def test_uv_gets_mirrors_and_proxies_and_nothing_that_chooses_for_it(tmp_path: Path) -> None:
    """A mirror, a folder, a proxy and certificates pass; a Python, a preference and secrets do not."""
    uv = FakeUv(add(tmp_path / "python3.12"))
    passed: dict[str, Any] = {
        "UV_PYTHON_INSTALL_MIRROR": "file:///m",
        "UV_PYTHON_INSTALL_DIR": "/d",
        "UV_PYTHON_DOWNLOADS_JSON_URL": "file:///j",
        "https_proxy": "http://p",
        "SSL_CERT_FILE": "/c",
        "PATH": "/bin",
    }
    kept: dict[str, Any] = {
        "UV_PYTHON": "3.9",
        "UV_PYTHON_PREFERENCE": "managed",
        "VIRTUAL_ENV": "/v",
        "TOKEN": "x",
        "PYTHONPATH": "x",
    }
    ask_uv("3.12", uv, tmp_path, **passed, **kept)
    expected = {**passed, "UV_PYTHON_INSTALL_BIN": "0", "UV_PYTHON_INSTALL_REGISTRY": "0"}
    assert [expected, expected] == [command.env for command in uv.commands]


@pytest.mark.parametrize(
    ("environ", "offline", "expected"),
    [
        ({}, False, ""),
        ({}, True, "--offline"),
        ({"UV_PYTHON_DOWNLOADS": "never"}, False, "UV_PYTHON_DOWNLOADS=never"),
        ({"UV_PYTHON_DOWNLOADS": "manual"}, False, "UV_PYTHON_DOWNLOADS=manual"),
        ({"UV_PYTHON_DOWNLOADS": "automatic"}, False, ""),
        ({"VENVGRID_PYTHON_DOWNLOADS": "never"}, False, "VENVGRID_PYTHON_DOWNLOADS=never"),
        ({"UV_PYTHON_PREFERENCE": "only-system"}, False, "UV_PYTHON_PREFERENCE=only-system"),
        ({"UV_NO_MANAGED_PYTHON": "1"}, False, "UV_NO_MANAGED_PYTHON=1"),
        ({"UV_OFFLINE": "true"}, False, "UV_OFFLINE=true"),
    ],
)
def test_the_switch_that_forbids_downloads_is_named(
    tmp_path: Path, environ: dict[str, str], expected: str, *, offline: bool
) -> None:
    """Then uv is not started, and the reason says which switch it was."""
    assert expected == switched_off(environ, offline=offline)
    uv = FakeUv(add(tmp_path / "python3.12"))
    answer = ask_uv("3.12", uv, tmp_path, offline=offline, **environ)
    if expected:
        assert uv.commands == []
        assert Missing(spec="3.12", reason=f"CPython 3.12 was not downloaded: {expected} forbids it") == answer
    else:
        assert not isinstance(answer, Missing)


CHAIN = "error: Failed to install cpython-3.12.4\n  cause: Failed to download `https://x`\n  Caused by: dns error\n"


@pytest.mark.parametrize(
    ("outcomes", "expected"),
    [
        (
            {"install": {"exit_code": 1, "stderr": "Downloading…\n" + CHAIN}},
            (
                "`uv python install 3.12` failed: "
                "Failed to install cpython-3.12.4: Failed to download `https://x`: dns error"
            ),
        ),
        (
            {"install": {"exit_code": 1, "stderr": "Python downloads are not allowed\n"}},
            "`uv python install 3.12` failed: Python downloads are not allowed",
        ),
        ({"install": {"exit_code": 2}}, "`uv python install 3.12` failed: exit status 2"),
        ({"install": {"exit_code": None, "timed_out": True}}, "`uv python install 3.12` failed: no end after 900 s"),
        ({"install": {"exit_code": None, "signal": "SIGKILL"}}, "`uv python install 3.12` failed: ended by SIGKILL"),
        (
            {"install": {"exit_code": None, "error": "could not start uv: No such file"}},
            "`uv python install 3.12` failed: could not start uv: No such file",
        ),
        (
            {"find": {"exit_code": 2, "stderr": "error: No interpreter found\n"}},
            "uv installed CPython 3.12, but `uv python find 3.12` failed: No interpreter found",
        ),
    ],
)
def test_a_failure_of_uv_is_a_reason_of_one_line(
    tmp_path: Path, outcomes: dict[str, dict[str, Any]], expected: str
) -> None:
    """The chain of causes is joined."""
    answer = ask_uv("3.12", FakeUv(add(tmp_path / "python3.12"), **outcomes), tmp_path)
    assert Missing(spec="3.12", reason=expected) == answer


def test_what_uv_cannot_download_is_not_asked_for(tmp_path: Path) -> None:
    """There is nothing below 3.8, no path can be downloaded, and what is no spec is none here either."""
    uv = FakeUv(tmp_path / "python")
    for spec in ("3.7", "2.7", "pypy2.7", "3.12t", "3.13d", "<3.8", "./python", "3.12-32", "39"):
        assert isinstance(ask_uv(spec, uv, tmp_path), Missing)
    assert uv.commands == []


@pytest.mark.parametrize("says", [{"exit_code": 1, "stderr": "GLIBC_2.38 not found"}, {}])
def test_an_installed_python_must_work_and_fit(tmp_path: Path, says: dict[str, Any]) -> None:
    """What uv installed is asked like any other."""
    executable = add(tmp_path / "python3.11", "3.11.9", **says)
    answer = ask_uv("3.12", FakeUv(executable), tmp_path)
    assert isinstance(answer, Missing)
    assert ("not usable: exit status 1: GLIBC_2.38" if says else "which is no CPython 3.12") in answer.reason
