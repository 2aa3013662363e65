"""Which files are the sources of a project, and what changes their digest."""

from __future__ import annotations

from typing import TYPE_CHECKING

from venvgrid.project import sources

if TYPE_CHECKING:
    from pathlib import Path


def test_sources_leave_out_what_tools_leave_behind(tmp_path: Path) -> None:
    """Caches, environments and build output are no sources; a package called build is."""
    for name in (
        "src/demo/__init__.py", "src/build/__init__.py", "src/demo/__pycache__/x.pyc", "build/lib/demo.py",
        ".venvgrid/x", "env2/pyvenv.cfg", "env2/bin/python", "src/demo.egg-info/x", "tests/test_demo.py",
    ):  # fmt: skip
        file = tmp_path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()
    found = [str(file.relative_to(tmp_path)) for file in sources.source_files(tmp_path)]
    assert found == ["src/build/__init__.py", "src/demo/__init__.py", "tests/test_demo.py"]


def test_the_digest_follows_contents_and_names_only(tmp_path: Path) -> None:
    """Touching a file changes nothing; editing, adding or renaming one does."""
    file = tmp_path / "demo.py"
    file.write_text("a = 1\n", encoding="utf-8")
    digests = [sources.source_digest(tmp_path)]
    file.touch()
    assert sources.source_digest(tmp_path) == digests[0]
    file.write_text("a = 2\n", encoding="utf-8")
    digests.append(sources.source_digest(tmp_path))
    file.rename(tmp_path / "other.py")
    digests.append(sources.source_digest(tmp_path))
    assert len(set(digests)) == 3


def test_the_history_is_an_input_where_the_version_comes_from_it(tmp_path: Path) -> None:
    """With setuptools-scm a new commit is a new version, without any file of the project changing."""
    text = '[build-system]\nrequires = ["setuptools-scm>=8"]\n'
    (tmp_path / "pyproject.toml").write_text(text, encoding="utf-8")
    (tmp_path / ".git" / "refs").mkdir(parents=True)
    (tmp_path / ".git" / "HEAD").write_text("ref: refs/heads/main\n", encoding="utf-8")
    before = sources.source_digest(tmp_path)
    (tmp_path / ".git" / "refs" / "main").write_text("1234\n", encoding="utf-8")
    assert sources.source_digest(tmp_path) != before
