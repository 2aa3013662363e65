"""What the files that steer a build tell before it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from venvgrid.project import build_files

if TYPE_CHECKING:
    from pathlib import Path

STATIC = '[build-system]\nrequires = ["hatchling"]\n[project]\nname = "a"\nversion = "1"\n'
FROM_FILE = (
    '[project]\nname = "a"\ndynamic = ["dependencies"]\n[tool.setuptools.dynamic]\ndependencies = {file = "r.txt"}\n'
)
GUARDED = 'import setuptools\nif __name__ == "__main__":\n    setuptools.setup(name="a")\n'


@pytest.mark.parametrize(
    ("name", "text", "depends"),
    [
        ("pyproject.toml", STATIC, False),
        ("pyproject.toml", '[project]\nname = "a"\ndynamic = ["version"]\n', False),
        ("pyproject.toml", '[project]\nname = "a"\nversion = "1"\ndynamic = ["dependencies"]\n', True),
        ("pyproject.toml", FROM_FILE, False),
        ("pyproject.toml", '[build-system]\nrequires = []\nbuild-backend = "x"\nbackend-path = ["."]\n', True),
        ("pyproject.toml", '[tool.poetry]\nname = "a"\n', False),
        ("setup.cfg", "[options]\ninstall_requires =\n  six; python_version < '3'\n", False),
        ("setup.py", "from setuptools import setup\nsetup()\n", False),
        ("setup.py", f'"""Doc."""\n{GUARDED}', False),
        ("setup.py", "from setuptools import setup, find_packages\nsetup(packages=find_packages('src'))\n", False),
        ("setup.py", "import sys\nfrom setuptools import setup\nsetup()\n", True),
        ("setup.py", "from setuptools import setup\nsetup(use_scm_version=True)\n", True),
        ("setup.py", "from setuptools import setup\nx = {}\nsetup(**x)\n", True),
        ("setup.py", "from distutils.core import setup\nsetup()\n", True),
        ("setup.py", "print 'Python 2'\n", True),
        ("hatch_build.py", "", True),
    ],
)  # fmt: skip
def test_what_another_python_may_answer_otherwise(tmp_path: Path, name: str, text: str, *, depends: bool) -> None:
    """Programs and dynamic requirements depend on the Python; declarations and a setup() of literals do not."""
    (tmp_path / name).write_text(text, encoding="utf-8")
    assert build_files.depends_on_python(tmp_path) is depends


@pytest.mark.parametrize(
    ("text", "reads"),
    [
        (STATIC, False),
        (STATIC.replace("hatchling", "Flit_Core >=3.4,<4"), False),
        (STATIC.replace("hatchling", "hatch-vcs"), True),
        (STATIC.replace("hatchling", "poetry-core"), True),
        ('[build-system]\nrequires = ["pdm-backend"]\n[tool.pdm.version]\nsource = "scm"\n', True),
        ("", False),
    ],
)
def test_the_history_is_an_input_unless_it_is_known_not_to_be(tmp_path: Path, text: str, *, reads: bool) -> None:
    """Any requirement of a build that is not known may read it."""
    (tmp_path / "pyproject.toml").write_text(text, encoding="utf-8")
    assert build_files.reads_history(tmp_path) is reads


def test_variables_that_a_build_may_read(tmp_path: Path) -> None:
    """Those that its files name, and those of compilers and backends; no other."""
    (tmp_path / "setup.py").write_text("import os\nos.environ['WITH_SPEED']\n", encoding="utf-8")
    wanted = {"WITH_SPEED": "1", "CFLAGS": "-O3", "SETUPTOOLS_SCM_PRETEND_VERSION_FOR_A": "2"}
    assert build_files.variables(tmp_path, {**wanted, "TERM": "x", "OLDPWD": "/"}) == wanted


def test_what_an_editable_installation_is_made_from(tmp_path: Path) -> None:
    """A new package or another pyproject.toml changes it; a changed module does not, unless the build names it."""
    (tmp_path / "pyproject.toml").write_text('[tool.hatch.version]\npath = "a/about.py"\n', encoding="utf-8")
    files = {"pyproject.toml": "1", "a/__init__.py": "1", "a/about.py": "1"}
    first = build_files.definition(tmp_path, files)
    assert build_files.definition(tmp_path, {**files, "a/__init__.py": "2"}) == first
    changed = [{**files, "pyproject.toml": "2"}, {**files, "b/x.py": "1"}, {**files, "a/about.py": "2"}]
    assert first not in {build_files.definition(tmp_path, other) for other in changed}
