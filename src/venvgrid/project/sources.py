"""The source files of the project under test, and digests of their contents."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

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


def source_files(path: Path) -> Iterator[Path]:
    """Yield the files of the project in a stable order, without the folders of other tools."""
    for folder, folders, files in os.walk(path):
        here = Path(folder)
        folders[:] = sorted(name for name in folders if _is_source(here, name, top=here == path))
        yield from (here / name for name in sorted(files) if not name.endswith((".pyc", ".pyo")))


def snapshot(path: Path) -> dict[str, str]:
    """Map the relative path of each source file to a digest of its contents, in a stable order."""
    return {str(file.relative_to(path)): _content(file).hex() for file in source_files(path)}


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
