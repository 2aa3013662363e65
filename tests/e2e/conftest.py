"""What end-to-end tests share: one cache for the session, the interpreters of this machine, and the command itself."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import pytest

if TYPE_CHECKING:
    from collections.abc import Mapping

HERE = f"{sys.version_info.major}.{sys.version_info.minor}"
# What surrounds the test run must not reach what it starts: pytest-xdist's workers, coverage, pytest's own options.
NOT_PASSED = ("PYTEST_", "COVERAGE_", "COV_", "CI", "VIRTUAL_ENV", "VENVGRID_", "PYTHONDONTWRITEBYTECODE")
LIMIT = 300.0  # seconds of one command; nothing that works takes so long


@dataclass(frozen=True)
class Ended:
    """How a command ended."""

    status: int
    out: str
    err: str


class Command(Protocol):
    """The fixture `venvgrid`."""

    def __call__(self, *arguments: str, cwd: Path, env: dict[str, str] | None = None) -> Ended: ...


class Write(Protocol):
    """The fixture `project`."""

    def __call__(self, matrix: str, files: Mapping[str, str | None] | None = None) -> Path: ...


@pytest.fixture(scope="session")
def cache_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a cache that is empty when the session begins; the caller's own one only if VENVGRID_CACHE_DIR says so."""
    given = os.environ.get("VENVGRID_CACHE_DIR")
    return Path(given) if given else tmp_path_factory.mktemp("cache")


@pytest.fixture
def own_cache(tmp_path: Path) -> dict[str, str]:
    """Give the variables of a cache that nothing else uses: files in it are damaged on purpose."""
    return {"VENVGRID_CACHE_DIR": str(tmp_path / "cache")}


@pytest.fixture(scope="session")
def venvgrid(cache_dir: Path) -> Command:
    """Give the command, as a user types it, with an environment like a user's."""
    base = {name: value for name, value in os.environ.items() if not name.startswith(NOT_PASSED)}

    def command(*arguments: str, cwd: Path, env: dict[str, str] | None = None) -> Ended:
        done = subprocess.run(
            [sys.executable, "-m", "venvgrid", *arguments],
            cwd=cwd,
            env={**base, "VENVGRID_CACHE_DIR": str(cache_dir), **(env or {})},
            capture_output=True,
            text=True,
            encoding="utf-8",
            timeout=LIMIT,
            check=False,
        )
        return Ended(done.returncode, done.stdout, done.stderr)

    return command


@pytest.fixture(scope="session")
def pythons(venvgrid: Command, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Map "3.9" to the path of each CPython that this machine has."""
    found = json.loads(venvgrid("python", "--json", cwd=tmp_path_factory.mktemp("pythons")).out)
    return {
        ".".join(item["version"].split(".")[:2]): item["executable"]
        for item in reversed(found["interpreters"])
        if item["implementation"] == "cpython" and not item["free_threaded"]
    }


@pytest.fixture
def needs(pythons: dict[str, str]) -> Any:
    """Give a function that skips a test, and says why, where one of the versions is not on this machine."""

    def check(*versions: str) -> None:
        missing = [version for version in versions if version not in pythons]
        if missing:
            pytest.skip(f"needs CPython {', '.join(missing)}, which this machine does not have")

    return check


PYPROJECT = """
    [build-system]
    requires = ["flit_core>=3.4"]
    build-backend = "flit_core.buildapi"
    [project]
    name = "demo"
    version = "1.0"
    description = "for a test"
"""


def declaring(*dependencies: str) -> str:
    """Give the pyproject.toml of the project "demo" with dependencies."""
    return f"{PYPROJECT}    dependencies = {list(dependencies)}\n"


DEMO = {
    "pyproject.toml": PYPROJECT,
    "src/demo/__init__.py": "ANSWER = 42\n",
    "tests/test_demo.py": "import demo\n\n\ndef test_answer():\n    assert demo.ANSWER == 42\n",
    "pytest.ini": "[pytest]\ntestpaths = tests\n",
}


@pytest.fixture
def project(tmp_path: Path) -> Write:
    """Write a small installable project "demo" and its matrix.toml; files replace its own, None leaves one out."""

    def write(matrix: str, files: Mapping[str, str | None] | None = None) -> Path:
        root = tmp_path / "demo"
        for name, content in {**DEMO, **(files or {}), "matrix.toml": matrix}.items():
            if content is not None:
                file = root / name
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_text(textwrap.dedent(content), encoding="utf-8")
        return root

    return write


def results(root: Path) -> dict[str, Any]:
    """Read results.json of the last run."""
    last = max((root / ".venvgrid" / "runs").iterdir())
    found: dict[str, Any] = json.loads((last / "results.json").read_text(encoding="utf-8"))
    return found


def cell(root: Path, identifier: str = "") -> dict[str, Any]:
    """Read the result of one cell of the last run; the only one if it is not named."""
    cells: list[dict[str, Any]] = results(root)["cells"]
    (found,) = [item for item in cells if identifier in {"", item["id"]}]
    return found


def outcomes(root: Path) -> dict[str, str]:
    """Map the cells of the last run to their outcomes."""
    return {item["id"]: item["outcome"] for item in results(root)["cells"]}
