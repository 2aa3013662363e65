"""What is tested is what was hashed: through whole runs."""

from __future__ import annotations

import zipfile
from typing import TYPE_CHECKING

import pytest
from conftest import cell
from rig import HERE
from trees import DYNAMIC, FLIT, PROJECT, SETUPTOOLS, SRC, commit, git, state, tree

if TYPE_CHECKING:
    from pathlib import Path

    from conftest import Command

pytestmark = pytest.mark.e2e

MATRIX = f"""
[axes]
python = ["{HERE}"]
[test]
reports = "exit-status"
"""


def running(code: str, install: str = "wheel") -> str:
    """Return a matrix whose test is a line of Python, run outside of the project."""
    line = f"import os; os.chdir('/'); {code}"
    return f'{MATRIX}command = ["{{python}}", "-I", "-c", "{line}"]\n[project]\ninstall = "{install}"\n'


def cached(root: Path) -> bool:
    """Return whether the only cell of the last run was not run again."""
    return bool(cell(root)["cached"])


def test_a_deleted_module_is_gone_and_the_checkout_is_never_written(venvgrid: Command, tmp_path: Path) -> None:
    """A monorepo whose setup.py asks git and writes a file: a build leaves nothing, nothing of it reaches the next."""
    setup = (
        "import pathlib, subprocess\nfrom setuptools import setup\n"
        "note = subprocess.check_output(['git', 'describe', '--tags'], text=True)\n"
        "pathlib.Path('demo/_note.py').write_text('NOTE = %r' % note)\n"
        "setup(name='demo', version='1.0', packages=['demo'])\n"
    )
    whole = tree(tmp_path / "whole", {"p/setup.py": setup, "p/demo/__init__.py": "", "p/demo/gone.py": ""})
    root = tree(whole / "p", {"demo/_note.py": "mine", "matrix.toml": running("import demo.gone, demo._note")})
    commit(whole, "v1")
    before = state(whole)
    ended = venvgrid("run", cwd=root)
    assert (ended.status, state(whole)) == (0, before), ended.out + ended.err
    assert (venvgrid("run", cwd=root).status, cached(root)) == (0, True)
    (root / "demo/gone.py").unlink()
    assert venvgrid("run", cwd=root).status == 1
    assert venvgrid("run", "--fresh", cwd=root).status == 1
    assert not (root / "build").exists()


def test_a_tag_is_another_version(venvgrid: Command, tmp_path: Path) -> None:
    """With setuptools-scm in a setup.py, a tag alone makes another wheel: the cell runs again, and tests that one."""
    setup = "from setuptools import setup\nsetup(name='demo', use_scm_version=True, py_modules=['demo'])\n"
    requires = SETUPTOOLS.replace('77"', '77", "setuptools-scm>=8"')
    code = "import importlib.metadata as m, sys; sys.exit(m.version('demo') == '2.0')"
    root = tree(tmp_path / "p", {"setup.py": setup, "pyproject.toml": requires, "demo.py": ""})
    tree(root, {"matrix.toml": running(code), ".gitignore": ".venvgrid\n*.egg-info\n"})
    commit(root, "v1.0")
    assert venvgrid("run", cwd=root).status == 0
    git(root, "tag", "v2.0")
    git(root, "tag", "-d", "v1.0")
    assert venvgrid("run", cwd=root).status == 1
    git(root, "tag", "v1.0")
    git(root, "tag", "-d", "v2.0")
    assert (venvgrid("run", cwd=root).status, cached(root)) == (0, True), "as before the tag"


def test_what_a_build_reads_is_its_input(venvgrid: Command, tmp_path: Path) -> None:
    """A file above the project, the x bit of a script, a variable that setup.py names, a link's target: each counts."""
    setup = (
        "import os, pathlib\nfrom setuptools import setup\n"
        "above = pathlib.Path(__file__).parents[1] / 'VERSION'\n"
        "extra = os.environ.get('DEMO_EXTRA', '')\n"
        "setup(name='demo', version=above.read_text() + extra, packages=['demo'], package_data={'demo': ['*']})\n"
    )
    files = {"setup.py": setup, "demo/__init__.py": "", "demo/run.sh": "#!/bin/sh\n"}
    tree(tmp_path, {"VERSION": "1.0", "data.txt": "one"})
    code = (
        "import demo, importlib.metadata as m, os; d = os.path.dirname(demo.__file__); "
        "print(m.version('demo'), os.access(d + '/run.sh', os.X_OK), open(d + '/data.txt').read())"
    )
    root = tree(tmp_path / "p", {**files, "matrix.toml": running(code)}, {"demo/data.txt": "../../data.txt"})

    def seen(**env: str) -> str:
        assert venvgrid("run", cwd=root, env=env).status == 0
        log = max((root / ".venvgrid/runs").iterdir()) / "logs"
        texts = [file.read_text(encoding="utf-8") for file in log.glob("*.log")]
        return "unchanged" if cached(root) else texts[0].strip().splitlines()[-1]

    assert seen() == "1.0 False one"
    assert seen() == "unchanged"
    (tmp_path / "VERSION").write_text("1.1", encoding="utf-8")
    (root / "demo/run.sh").chmod(0o755)
    assert seen() == "1.1 True one"
    (tmp_path / "data.txt").write_text("two", encoding="utf-8")
    assert seen() == "1.1 True two"
    assert seen(DEMO_EXTRA=".7") == "1.1.7 True two"
    assert seen() == "unchanged"


def test_a_flipped_byte_in_the_wheel_cache_is_healed(venvgrid: Command, tmp_path: Path) -> None:
    """A damaged wheel is built again when it is needed, and never installed."""
    root = tree(tmp_path / "flipped", {"pyproject.toml": FLIT + PROJECT, "demo/__init__.py": "ANSWER = 42\n" * 9})
    tree(root, {"matrix.toml": running("import demo; assert demo.ANSWER == 42")})
    own = {"VENVGRID_CACHE_DIR": str(tmp_path / "cache")}
    assert venvgrid("run", cwd=root, env=own).status == 0
    (wheel,) = (tmp_path / "cache/projects").rglob("*.whl")
    whole = wheel.read_bytes()
    with zipfile.ZipFile(wheel) as archive:
        place = archive.getinfo("demo/__init__.py").header_offset + 50
    wheel.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
    (root / ".venvgrid").rename(tmp_path / "away")
    ended = venvgrid("run", cwd=root, env=own)
    assert ended.status == 0, ended.out + ended.err
    (healed,) = (tmp_path / "cache/projects").rglob("*.whl")
    with zipfile.ZipFile(healed) as archive:
        assert archive.testzip() is None


def test_a_hook_of_git_builds_the_project_and_not_another(venvgrid: Command, tmp_path: Path) -> None:
    """GIT_DIR and GIT_INDEX_FILE of a hook name another repository: the version is that of the project's own."""
    requires = SETUPTOOLS.replace('77"', '77", "setuptools-scm>=8"')
    code = "import importlib.metadata as m; assert m.version('demo') == '1.0', m.version('demo')"
    root = tree(tmp_path / "hooked", {"pyproject.toml": requires + DYNAMIC + "[tool.setuptools_scm]\n" + SRC})
    tree(root, {"src/demo/__init__.py": "", "matrix.toml": running(code), ".gitignore": ".venvgrid\n"})
    commit(root, "v1.0")
    other = tree(tmp_path / "other", {"a": ""})
    commit(other, "v9.0")
    ended = venvgrid("run", cwd=root, env={"GIT_DIR": str(other / ".git"), "GIT_WORK_TREE": str(other)})
    assert ended.status == 0, ended.out + ended.err


def test_an_editable_environment_learns_of_new_entry_points(venvgrid: Command, tmp_path: Path) -> None:
    """A new entry point and a new package are there in the next run; without a change nothing is installed again."""
    code = "import importlib.metadata as m; print(len(m.entry_points(group='demo')), m.version('demo'))"
    root = tree(tmp_path / "p", {"pyproject.toml": FLIT + PROJECT, "demo/__init__.py": "def run(): pass\n"})
    tree(root, {"matrix.toml": running(code, "editable")})

    def seen() -> str:
        assert venvgrid("run", "--no-cache", cwd=root).status == 0
        (log,) = (max((root / ".venvgrid/runs").iterdir()) / "logs").glob("*.log")
        return log.read_text(encoding="utf-8").strip().splitlines()[-1]

    assert seen() == "0 1.0"
    tree(root, {"pyproject.toml": FLIT + PROJECT + '[project.entry-points.demo]\nrun = "demo:run"\n'})
    assert seen() == "1 1.0"
    changed = FLIT + DYNAMIC.replace('description = "for a test"\n', "").replace(
        '["version"]', '["version", "description"]'
    )
    tree(root, {"pyproject.toml": changed, "demo/__init__.py": '"""Demo."""\n__version__ = "3"\n'})
    assert seen() == "0 3"
    tree(root, {"demo/__init__.py": '"""Demo."""\n__version__ = "4"\n'})
    assert seen() == "0 4"
