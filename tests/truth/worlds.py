"""Small projects for tests of truth, and wheels made by hand."""

from __future__ import annotations

import base64
import hashlib
import zipfile
from typing import TYPE_CHECKING, Any

from conftest import PYPROJECT, cell
from rig import HERE

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from conftest import Command

MATRIX = f'[axes]\npython = ["{HERE}"]\n'
# Read before the tests of a flat layout: the project's top is in front of site-packages.
FLAT: dict[str, str | None] = {
    "src/demo/__init__.py": None,
    "demo/__init__.py": "ANSWER = 42\n",
    "demo/core.py": "def double(x):\n    return 2 * x\n",
    "tests/__init__.py": "",
    "tests/test_demo.py": "from demo import core\n\n\ndef test_double():\n    assert core.double(2) == 4\n",
}


def run(venvgrid: Command, root: Path, *arguments: str) -> tuple[str, str, dict[str, Any]]:
    """Run the only cell of a project; return outcome, reason and the result."""
    ended = venvgrid("run", *arguments, cwd=root)
    assert ended.status in {0, 1}, ended.err
    found = cell(root)
    assert (ended.status == 0) == (found["outcome"] in {"passed", "flaky"})
    found["tests"] = {name: number for name, number in found["tests"].items() if number}
    return found["outcome"], found["reason"], found


def wheel(folder: Path, name: str, version: str, files: Mapping[str, str], more: str = "") -> Path:
    """Write a pure wheel with these files; `more` are further lines of its metadata."""
    folder.mkdir(parents=True, exist_ok=True)
    info = f"{name}-{version}.dist-info"
    members = {
        **files,
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{more}",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: hand\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    rows = [f"{path},sha256={_digest(text)},{len(text)}" for path, text in members.items()]
    target = folder / f"{name}-{version}-py3-none-any.whl"
    with zipfile.ZipFile(target, "w") as archive:
        for path, text in members.items():
            archive.writestr(path, text)
        archive.writestr(f"{info}/RECORD", "\n".join([*rows, f"{info}/RECORD,,"]) + "\n")
    return target


def _digest(text: str) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()


__all__ = ["FLAT", "MATRIX", "PYPROJECT", "run", "wheel"]
