"""Whether what pip downloaded for Python 2.7 fits together."""

from __future__ import annotations

import zipfile
from typing import TYPE_CHECKING

import pytest

from venvgrid.installers.consistency import is_consistent

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

MARKERS = {"python_version": "2.7", "sys_platform": "linux"}


def wheel(folder: Path, name: str, version: str, *requires: str) -> Path:
    """Make a wheel with metadata alone."""
    file = folder / f"{name}-{version}-py2.py3-none-any.whl"
    lines = [
        "Metadata-Version: 2.1",
        f"Name: {name}",
        f"Version: {version}",
        *(f"Requires-Dist: {x}" for x in requires),
    ]
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr(f"{name}-{version}.dist-info/METADATA", "\n".join(lines) + "\n\nRequires-Dist: six==0\n")
    return file


@pytest.mark.parametrize(
    ("requires", "lines", "fits"),
    [
        (["six>=1.14"], ["demo"], False),
        (["six>=1.5"], ["demo"], True),
        (["six>=1.14; python_version>='3'"], ["demo"], True),
        (["six>=1.14; extra=='new'"], ["demo"], True),
        (["six>=1.14; extra=='new'"], ["demo[new] @ file:///demo-1.0-py2.py3-none-any.whl"], False),
        (["other>=1"], ["demo"], True),
        (["not a requirement !"], ["demo", "-e ."], True),
        ([], ["demo", "six>=1.14"], False),
    ],
)
def test_each_version_meets_what_is_required(
    tmp_path: Path, requires: Sequence[str], lines: Sequence[str], *, fits: bool
) -> None:
    """By the request, by the wheels, with markers and extras as they apply; the description is no requirement."""
    files = [wheel(tmp_path, "demo", "1.0", *requires), wheel(tmp_path, "six", "1.10.0")]
    assert is_consistent(files, lines, MARKERS) is fits


def test_what_cannot_be_read_requires_nothing(tmp_path: Path) -> None:
    """A source distribution, a damaged wheel, a file of another kind."""
    names = ("scandir-1.10.0.tar.gz", "demo-1.0-py3-none-any.whl", "six-1.10.0-py3-none-any.whl", "read.me")
    for name in names:
        (tmp_path / name).write_bytes(b"no archive")
    assert is_consistent(tmp_path.iterdir(), ["six>=1.5"], MARKERS)
    assert not is_consistent(tmp_path.iterdir(), ["scandir>=2"], MARKERS)
