"""uv installs a Python that is missing, from a mirror on this machine."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import shutil
import sys
import tarfile
from pathlib import Path, PurePosixPath

import pytest

from venvgrid.interpreters.discovery import search
from venvgrid.interpreters.download import install
from venvgrid.interpreters.locations import Machine
from venvgrid.interpreters.selection import Missing
from venvgrid.processes.runner import run

pytestmark = [pytest.mark.e2e, pytest.mark.skipif(os.name != "posix", reason="the mirror is made for POSIX")]

PYENV = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")


def find_uv() -> str:
    """Return uv's executable, or skip."""
    beside = Path(sys.executable).with_name("uv.exe" if os.name == "nt" else "uv")
    found = str(beside) if beside.exists() else shutil.which("uv")
    if not found:
        pytest.skip("needs uv")
    return found


LEFT_OUT = {"test", "tests", "__pycache__", "site-packages", "idlelib", "lib2to3", "tkinter", "turtledemo", "ensurepip"}


def slim(info: tarfile.TarInfo) -> tarfile.TarInfo | None:
    """Leave out what an interpreter starts without: most of its size."""
    parts = PurePosixPath(info.name).parts
    if LEFT_OUT & set(parts) or info.name.endswith(".a") or any(part.startswith("config-") for part in parts):
        return None
    return info


def machine_names() -> tuple[str, str, str]:
    """Return uv's names of this machine's system, processor and C library, or skip."""
    system = {"Linux": "linux", "Darwin": "darwin"}.get(platform.system())
    processor = {"x86_64": "x86_64", "AMD64": "x86_64", "arm64": "aarch64", "aarch64": "aarch64"}.get(
        platform.machine()
    )
    if system is None or processor is None or (system == "linux" and platform.libc_ver()[0] != "glibc"):
        pytest.skip("the mirror is made for Linux with glibc and macOS")
    return system, processor, "gnu" if system == "linux" else "none"


def mirror(folder: Path, installation: Path, version: str) -> dict[str, str]:
    """Make a folder from which uv can install one Python; give the variables that lead uv to it."""
    system, processor, libc = machine_names()
    archive = folder / f"cpython-{version}+20200101-{processor}-install_only_stripped.tar.gz"
    with tarfile.open(archive, "w:gz", compresslevel=1) as file:
        for name in ("bin", "lib"):
            file.add(installation / name, f"python/{name}", filter=slim)
    major, minor, patch = map(int, version.split("."))
    entry = {
        "name": "cpython",
        "arch": {"family": processor, "variant": None},
        "os": system,
        "libc": libc,
        "major": major,
        "minor": minor,
        "patch": patch,
        "prerelease": "",
        "url": archive.as_uri(),
        "sha256": hashlib.sha256(archive.read_bytes()).hexdigest(),
        "variant": None,
        "build": "20200101",
    }
    index = folder / "downloads.json"
    index.write_text(json.dumps({f"cpython-{version}-{system}-{processor}-{libc}": entry}), encoding="utf-8")
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(folder / "home"),
        "UV_PYTHON_DOWNLOADS_JSON_URL": index.as_uri(),
        "UV_PYTHON_INSTALL_DIR": str(folder / "pythons"),
        "UV_CACHE_DIR": str(folder / "cache"),
    }


def small_installation() -> tuple[Path, str]:
    """Return a CPython that uv accepts and that works from another folder, or skip."""
    for folder in sorted(PYENV.glob("versions/*")):
        if folder.name.startswith("3.") and int(folder.name.split(".")[1]) >= 8 and (folder / "lib").is_dir():
            return folder, folder.name
    pytest.skip(f"needs a CPython of 3.8 or newer below {PYENV}/versions to make an archive from")


def test_uv_installs_a_missing_python_from_a_mirror(tmp_path: Path) -> None:
    """Nothing fits; uv downloads from a local mirror into a folder of its own; the Python is then found there."""
    uv = find_uv()
    installation, version = small_installation()
    environ = mirror(tmp_path, installation, version)
    minor = version.rpartition(".")[0]
    machine = Machine(environ={**environ, "PATH": ""}, home=tmp_path / "home", root=tmp_path)
    assert search(machine, run=run, cache=None).interpreters == ()

    answer = install(minor, uv=uv, run=run, environ=environ, cwd=tmp_path)

    assert not isinstance(answer, Missing), answer.reason
    assert (version, "uv", "cpython") == (answer.version, answer.source, answer.implementation)
    assert Path(answer.executable).is_relative_to(os.path.realpath(tmp_path / "pythons"))
    again = search(machine, run=run, cache=None)
    assert [answer] == list(again.interpreters)
    assert not (tmp_path / "home" / ".local" / "bin").exists()


def test_uv_says_why_it_cannot_install(tmp_path: Path) -> None:
    """A damaged archive, a missing one and a version that is not offered are each a reason of one line."""
    uv = find_uv()
    installation, version = small_installation()
    environ = mirror(tmp_path, installation, version)
    minor = version.rpartition(".")[0]
    [archive] = tmp_path.glob("*.tar.gz")

    def reason(spec: str) -> str:
        answer = install(spec, uv=uv, run=run, environ=environ, cwd=tmp_path)
        assert isinstance(answer, Missing)
        assert "\n" not in answer.reason
        return answer.reason

    unknown = reason("3.99")
    archive.write_bytes(archive.read_bytes() + b"\0")
    damaged = reason(minor)
    archive.unlink()
    missing = reason(minor)
    assert unknown.startswith("`uv python install 3.99` failed: No download found")
    assert "hash mismatch" in damaged.lower()
    assert "No such file" in missing
    assert archive.name in missing
