"""Fixtures of the end-to-end tests, and how the whole suite runs in parallel."""

from __future__ import annotations

import json
import os
import shutil
import tarfile
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import urljoin

import hypothesis
import pytest
import requests
import rig
from filelock import FileLock
from mousebender import simple

from venvgrid.resolving import index_settings

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


# No property fails because a machine is slow.
hypothesis.settings.register_profile("suite", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow])
hypothesis.settings.load_profile("suite")


def pytest_xdist_auto_num_workers(config: pytest.Config) -> int | None:
    """Return 0 workers for chosen files (they start sooner in one process), None for a worker a CPU."""
    is_whole_suite = config.args_source is not pytest.Config.ArgsSource.ARGS
    return None if is_whole_suite or any(Path(name).is_dir() for name in config.args) else 0


class Command(Protocol):
    """The fixture `venvgrid`."""

    def __call__(self, *arguments: str, cwd: Path, env: dict[str, str] | None = None) -> rig.Ended: ...


class Write(Protocol):
    """The fixture `project`."""

    def __call__(self, matrix: str, files: Mapping[str, str | None] | None = None) -> Path: ...


@pytest.fixture(scope="session")
def shared_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder that is empty when the session begins and common to all workers of pytest-xdist."""
    own = tmp_path_factory.getbasetemp()
    shared = (own.parent if "PYTEST_XDIST_WORKER" in os.environ else own) / "shared"
    shared.mkdir(mode=0o700, exist_ok=True)
    return shared


@pytest.fixture(scope="session")
def once(shared_dir: Path) -> Callable[[str, Callable[[Path], None]], Path]:
    """Return a function that makes a file or folder of the shared folder if no worker has made it, and returns it."""

    def get(name: str, make: Callable[[Path], None]) -> Path:
        place, done = shared_dir / name, shared_dir / f"{name}.done"
        with FileLock(shared_dir / f"{name}.lock"):
            if not done.exists():
                make(place)
                done.touch()
        return place

    return get


@pytest.fixture(scope="session")
def cache_dir(shared_dir: Path) -> Path:
    """Return the cache of all workers; VENVGRID_CACHE_DIR replaces it."""
    return Path(os.environ.get("VENVGRID_CACHE_DIR") or shared_dir / "cache")


@pytest.fixture(scope="session")
def venvgrid(cache_dir: Path) -> Command:
    """Return the command as a user types it, in an environment like a user's."""

    def command(*arguments: str, cwd: Path, env: dict[str, str] | None = None) -> rig.Ended:
        return rig.venvgrid(cwd, cache_dir, *arguments, **(env or {}))

    return command


@pytest.fixture
def filled(once: Callable[[str, Callable[[Path], None]], Path], tmp_path: Path) -> Callable[..., Path]:
    """Return a function that copies a cache, filled once a session by a run of `matrix`, for tests that damage it.

    The copy is `tmp_path / "cache"`; a copy of uv's own cache is `tmp_path / "uv"`.
    """

    def copy(name: str, matrix: str, files: Mapping[str, str] = rig.TOY_TEST) -> Path:
        def fill(folder: Path) -> None:
            root, uv = rig.project(folder / "project", matrix, files), {"UV_CACHE_DIR": str(folder / "uv")}
            ended = rig.venvgrid(root, folder / "cache", "run", "-q", "--no-cache", **uv)
            assert ended.status == 0, ended.out + ended.err

        folder = once(name, fill)
        for part in ("cache", "uv"):
            if (folder / part).is_dir():  # the suite may run with pip alone, see rig.INSTALLER
                shutil.copytree(folder / part, tmp_path / part, symlinks=True)
        return tmp_path / "cache"

    return copy


@pytest.fixture
def own_cache(filled: Callable[..., Path]) -> dict[str, str]:
    """Return the variables of a cache that no other test uses; it holds pytest, and six for this Python."""
    matrix = f'[project]\ninstall = "none"\n[axes]\npython = ["{rig.HERE}"]\nsix = ["1.15", "1.16"]\n'
    return {"VENVGRID_CACHE_DIR": str(filled("six", matrix))}


@pytest.fixture
def toy_caches(filled: Callable[..., Path]) -> Path:
    """Return a cache that holds what the "toy" project needs without toy; uv's own cache is beside it."""
    return filled("toy", rig.TOY_MATRIX.replace('"1.0", ', ""))


@pytest.fixture(scope="session")
def pythons(venvgrid: Command, shared_dir: Path) -> dict[str, str]:
    """Map "3.9" to the path of each CPython of this machine."""
    found = json.loads(venvgrid("python", "--json", cwd=shared_dir).out)
    return {
        ".".join(item["version"].split(".")[:2]): item["executable"]
        for item in reversed(found["interpreters"])
        if item["implementation"] == "cpython" and not item["free_threaded"]
    }


@pytest.fixture
def needs(pythons: dict[str, str]) -> Any:
    """Return a function that skips a test where one of the versions is not on this machine."""

    def check(*versions: str) -> None:
        missing = [version for version in versions if version not in pythons]
        if missing:
            pytest.skip(f"needs CPython {', '.join(missing)}, which this machine does not have")

    return check


@pytest.fixture
def source(once: Callable[[str, Callable[[Path], None]], Path], tmp_path: Path) -> Callable[[str, str], Path]:
    """Return a function that unpacks a source distribution, which is downloaded once a session."""

    def fetch(name: str, version: str) -> Path:
        def download(archive: Path) -> None:
            place = f"{index_settings.addresses(os.environ, Path.home())[-1].rstrip('/')}/{name}/"
            page = requests.get(place, headers={"Accept": simple.ACCEPT_SUPPORTED}, timeout=60)
            details = simple.parse_project_details(page.text, page.headers["content-type"], name)
            (file,) = [item for item in details["files"] if item["filename"].endswith(f"-{version}.tar.gz")]
            archive.write_bytes(requests.get(urljoin(place, file["url"]), timeout=120).content)

        with tarfile.open(once(f"{name}-{version}.tar.gz", download)) as opened:
            opened.extractall(tmp_path / "source", filter="data")
        (root,) = (tmp_path / "source").iterdir()
        return root

    return fetch


PYPROJECT = """
    [build-system]
    requires = ["flit_core>=3.4"]
    build-backend = "flit_core.buildapi"
    [project]
    name = "demo"
    version = "1.0"
    description = "for a test"
"""


# A test that two cells run at once: each may wait for what the other one has done.
SABOTEUR = """
import os, time
from pathlib import Path

import demo
import iniconfig
import six

DONE, READ = Path(__file__).with_name("done"), Path(__file__).with_name("read")


def wait_for(path):
    for _ in range(20_000):
        if path.exists():
            return
        time.sleep(0.01)


def test_sabotage():
    file = Path(iniconfig.__file__)
"""
SETUPTOOLS = """
    [build-system]
    requires = ["setuptools>=61"]
    build-backend = "setuptools.build_meta"
    [project]
    name = "demo"
    version = "1.0"
"""


def declaring(*dependencies: str) -> str:
    """Return the pyproject.toml of the project "demo" with dependencies."""
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


def cell(root: Path, identifier: str = "") -> dict[str, Any]:
    """Read the result of one cell of the last run; the only one if it is not named."""
    (found,) = [item for item in rig.results(root)["cells"] if identifier in {"", item["id"]}]
    return dict(found)
