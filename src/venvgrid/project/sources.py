"""The source files of the project under test, and digests of their contents."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import TYPE_CHECKING

from venvgrid.config.config_file import read_pyproject

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

# Folders of other tools. Those of the second set count as sources below the top of the project, or as a package
# (src/build is the source of pypa/build).
NOT_SOURCES = {
    ".venvgrid",
    ".git",
    ".hg",
    ".svn",
    ".tox",
    ".nox",
    ".venv",
    "__pycache__",
    ".pytest_cache",
    ".mypy_cache",
    ".ruff_cache",
    ".hypothesis",
    ".eggs",
    "node_modules",
    ".idea",
    ".vscode",
}
NOT_SOURCES_AT_THE_TOP = frozenset(("build", "dist", "venv", "env", "htmlcov"))
# Configuration that pytest and other tools read in the folders above.
READ_ABOVE = ("pytest.ini", ".pytest.ini", "pyproject.toml", "tox.ini", "setup.cfg", "conftest.py")
# Parts of the names of build requirements that read the version from the history: the build needs the repository.
VERSION_FROM_HISTORY = ("scm", "vcs", "versioningit", "versioneer", "dunamai", "pbr", "dynamic-versioning", "git")


def source_files(path: Path) -> Iterator[Path]:
    """Yield the files of the project in a stable order, without the folders of other tools."""
    for folder, folders, files in os.walk(path):
        here = Path(folder)
        folders[:] = sorted(name for name in folders if _is_source(here, name, top=here == path))
        yield from (here / name for name in sorted(files) if not name.endswith((".pyc", ".pyo")))


def snapshot(path: Path) -> dict[str, str]:
    """Map the relative path of each source file to a digest of its contents, in a stable order."""
    return {str(file.relative_to(path)): _content(file).hex() for file in source_files(path)}


def above(path: Path) -> dict[str, str]:
    """Map the files above the project that test runners read to digests of their contents."""
    places = (folder / name for folder in path.absolute().parents for name in READ_ABOVE)
    return {str(place): _content(place).hex() for place in places if place.is_file()}


def source_digest(path: Path, files: Mapping[str, str] | None = None) -> str:
    """Return a digest of the source files, and of the history if the version comes from it.

    `files` is a snapshot, or None to take one.
    """
    digest = hashlib.blake2b(digest_size=16)
    for name, content in (snapshot(path) if files is None else files).items():
        digest.update(f"{name}\0{content}\0".encode("utf-8", "surrogateescape"))
    if reads_history(path):
        for name in ("HEAD", "packed-refs"):
            digest.update(_content(path / ".git" / name))
        for reference in sorted((path / ".git" / "refs").rglob("*")):
            digest.update(str(reference).encode() + _content(reference))
    return digest.hexdigest()


def reads_history(path: Path) -> bool:
    """Return whether the build reads the version from version control."""
    build = read_pyproject(path).get("build-system", {}).get("requires", ())
    return any(word in str(line).lower() for line in build for word in VERSION_FROM_HISTORY)


def _is_source(folder: Path, name: str, *, top: bool) -> bool:
    if name in NOT_SOURCES or name.endswith(".egg-info") or (folder / name / "pyvenv.cfg").exists():
        return False
    return not (top and name in NOT_SOURCES_AT_THE_TOP and not (folder / name / "__init__.py").exists())


def _content(file: Path) -> bytes:
    try:
        if file.is_symlink():
            return b"link:" + os.fsencode(file.readlink())
        return hashlib.blake2b(file.read_bytes(), digest_size=16).digest() if file.is_file() else b"-"
    except OSError as error:
        return f"unreadable:{error.errno}".encode()
