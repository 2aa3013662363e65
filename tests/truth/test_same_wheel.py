"""The wheel that is tested is the one that `uv build --wheel` makes of the same tree."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from rig import HERE
from trees import DYNAMIC, FLIT, PROJECT, SETUPTOOLS, SRC, commit, git, state, tree

from venvgrid import testing
from venvgrid.installers import uv
from venvgrid.model import InstallMode
from venvgrid.processes import runner, variables
from venvgrid.project.build_copy import BuildSources
from venvgrid.project.wheels import WheelCache

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

pytestmark = pytest.mark.e2e

EVERYTHING = '[tool.setuptools.package-data]\n"*" = ["**/*"]\n'
SETUP = 'import os\nfrom setuptools import setup\nsetup(name="demo", version="1.0", packages=["demo"])\n'
DESCRIBE = 'subprocess.check_output(["git", "describe", "--tags", "--always", "--dirty"], text=True).strip()'


def contents(wheel: Path) -> dict[str, tuple[int, bytes]]:
    """Map the members of a wheel to their modes and contents."""
    with zipfile.ZipFile(wheel) as archive:
        return {item.filename: (item.external_attr >> 16, archive.read(item)) for item in archive.infolist()}


def plain(tmp_path: Path) -> Path:
    tree(
        tmp_path / "p",
        {"pyproject.toml": FLIT + PROJECT, "src/demo/__init__.py": "", "src/demo/run.sh!": "#!/bin/sh\n"},
    )
    return tmp_path / "p"


def flat(tmp_path: Path) -> Path:
    files = {"pyproject.toml": SETUPTOOLS + PROJECT, "demo/__init__.py": "", "demo/run.sh!": "x", "tests/test_a.py": ""}
    return tree(tmp_path / "p", {**files, "MANIFEST.in": "include demo/run.sh\n"})


def setup_py(tmp_path: Path) -> Path:
    return tree(tmp_path / "p", {"setup.py": SETUP, "demo/__init__.py": "A = 1\n"})


def scm(tmp_path: Path) -> Path:
    """A tag, a commit after it, and a dirty file: the version tells all of it."""
    requires = SETUPTOOLS.replace('77"', '77", "setuptools-scm>=8"')
    written = '[tool.setuptools_scm]\nversion_file = "src/demo/_version.py"\n'
    root = tree(tmp_path / "p", {"pyproject.toml": requires + DYNAMIC + written + SRC, "src/demo/__init__.py": ""})
    tree(root, {".gitignore": "_version.py\n", "src/demo/data.txt": "x"})
    commit(root, "v1.2.3")
    tree(root, {"src/demo/more.py": ""})
    git(root, "add", "-A")
    git(root, "commit", "-q", "-m", "second")
    tree(root, {"src/demo/more.py": "B = 1\n"})
    return root


def monorepo(tmp_path: Path) -> Path:
    """The version comes from a file above, and from the tags of the whole."""
    files = {
        "VERSION": "3.4\n",
        "README.md": "the whole\n",
        "packages/demo/setup.py": "import subprocess\nfrom pathlib import Path\nfrom setuptools import setup\n"
        f"note = {DESCRIBE}\nabove = Path(__file__).resolve().parents[2] / 'VERSION'\n"
        "Path('demo/note.py').write_text(repr(note))\n"
        "setup(name='demo', version=above.read_text().strip(), packages=['demo'])\n",
        "packages/demo/demo/__init__.py": "",
    }
    commit(tree(tmp_path / "whole", files), "v7")
    return tmp_path / "whole/packages/demo"


def backend_in_build(tmp_path: Path) -> Path:
    backend = "from setuptools.build_meta import *\n"
    path = SETUPTOOLS.replace("setuptools.build_meta", "own").rstrip() + '\nbackend-path = ["build"]\n'
    files = {"pyproject.toml": path + PROJECT + SRC, "build/own.py": backend, "src/demo/__init__.py": ""}
    return tree(tmp_path / "p", files)


def data_in_odd_folders(tmp_path: Path) -> Path:
    """Package data below node_modules, beside a pyvenv.cfg, in dist, build and env; some of it git ignores."""
    data = (
        "node_modules/a.js",
        "venv/pyvenv.cfg",
        "venv/a.txt",
        "dist/a.txt",
        "build/a.txt",
        "env/a.txt",
        ".tox/a.txt",
    )
    files = {f"src/demo/{name}": name for name in data}
    files |= {"pyproject.toml": SETUPTOOLS + PROJECT + SRC + EVERYTHING, "src/demo/__init__.py": ""}
    commit(tree(tmp_path / "p", {**files, ".gitignore": "node_modules/\ndist\n*.gen\n"}))
    return tree(tmp_path / "p", {"src/demo/made.gen": "generated", "src/demo/dist/b.txt": "built"})


def namespace(tmp_path: Path) -> Path:
    """A package without `__init__.py`, with data that git ignores."""
    files = {"pyproject.toml": SETUPTOOLS + PROJECT + SRC + EVERYTHING, "src/space/core.py": "A = 1\n"}
    commit(tree(tmp_path / "p", {**files, ".gitignore": "data/\n*.gen\n"}))
    return tree(tmp_path / "p", {"src/space/data/a.txt": "1", "src/space/made.gen": "2"})


def links(tmp_path: Path) -> Path:
    """A package that is a link, a README that leads out of the project, a file that is a link; no git at all."""
    pyproject = SETUPTOOLS + PROJECT + 'readme = "README.md"\nlicense-files = ["LICENSE"]\n' + SRC + EVERYTHING
    files = {"one/pyproject.toml": pyproject, "README.md": "above\n", "shared/demo/__init__.py": "C = 1\n"}
    tree(tmp_path / "p", {**files, "LICENSE": "free\n", "shared/demo/a.txt": "a"})
    leading = {"README.md": "../README.md", "src/demo": "../../shared/demo", "LICENSE": str(tmp_path / "p/LICENSE")}
    return tree(tmp_path / "p/one", {}, leading)


def version_above(tmp_path: Path) -> Path:
    """Without git: hatch reads ../../VERSION."""
    hatch = '[build-system]\nrequires = ["hatchling"]\nbuild-backend = "hatchling.build"\n'
    version = '[tool.hatch.version]\npath = "../../VERSION"\npattern = "(?P<version>.+)"\n'
    tree(
        tmp_path / "w",
        {"VERSION": "5.6\n", "a/b/pyproject.toml": hatch + DYNAMIC + version, "a/b/demo/__init__.py": ""},
    )
    return tmp_path / "w/a/b"


def worktree(tmp_path: Path) -> Path:
    """A work tree of a repository that is elsewhere."""
    root = scm(tmp_path)
    git(root, "worktree", "add", "-q", str(tmp_path / "other"))
    return tmp_path / "other"


KINDS = [
    plain,
    flat,
    setup_py,
    scm,
    monorepo,
    backend_in_build,
    data_in_odd_folders,
    links,
    version_above,
    worktree,
    namespace,
]


@pytest.mark.parametrize("make", KINDS, ids=lambda make: make.__name__)
def test_the_wheel_is_that_of_uv_build(tmp_path: Path, make: Callable[[Path], Path]) -> None:
    """Names, contents and modes are those of a build in the tree; the checkout is as it was before."""
    project = make(tmp_path / "tree")
    before = state(project)
    environ = variables.tool_environment(os.environ)
    binary = str(uv.find())
    installer = uv.Uv(binary=binary, version="", environ=environ, run=runner.run)
    cache = WheelCache(
        sources=BuildSources(project, environ),
        folder=tmp_path / "cache",
        mode=InstallMode.WHEEL,
        installer_for=lambda _: installer,
    )
    tested = cache.wheel(replace(testing.interpreter(HERE), executable=sys.executable)).path
    assert state(project) == before
    command = [binary, "build", "-q", "--wheel", "--python", sys.executable, "-o", str(tmp_path / "expected")]
    subprocess.run([*command, str(project)], check=True)
    (wheel,) = (tmp_path / "expected").glob("*.whl")
    assert (tested.name, contents(tested)) == (wheel.name, contents(wheel))
