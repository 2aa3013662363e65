"""Which indexes a user has: those of uv and pip."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from venvgrid.resolving import index_settings

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("environ", "files", "expected"),
    [
        ({}, {}, ["https://pypi.org/simple"]),
        ({"PIP_INDEX_URL": "https://a"}, {}, ["https://a"]),
        ({"UV_INDEX_URL": "https://b", "PIP_INDEX_URL": "https://a"}, {}, ["https://b"]),
        ({"UV_DEFAULT_INDEX": "https://c", "UV_INDEX": "x=https://d https://e"}, {}, ["https://d", "https://e", "https://c"]),
        ({"PIP_EXTRA_INDEX_URL": "https://f"}, {}, ["https://f", "https://pypi.org/simple"]),
        ({}, {".config/pip/pip.conf": "[global]\nindex-url = https://g\n"}, ["https://g"]),
        ({}, {".config/uv/uv.toml": 'index-url = "https://h"\n'}, ["https://h"]),
        (
            {},
            {".config/uv/uv.toml": '[[index]]\nurl = "https://i"\n[[index]]\nurl = "https://j"\ndefault = true\n'},
            ["https://i", "https://j"],
        ),
        ({}, {".config/uv/uv.toml": "broken ["}, ["https://pypi.org/simple"]),
    ],
)  # fmt: skip
def test_indexes_are_those_of_uv_and_pip(
    tmp_path: Path, environ: dict[str, str], files: dict[str, str], expected: list[str]
) -> None:
    """Variables go before files, uv's before pip's, further indexes before the default."""
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    found = index_settings.addresses({"PIP_CONFIG_FILE": str(tmp_path / "none"), **environ}, tmp_path)
    assert expected == [item for item in found if "pypi.org" in item or len(item) == len("https://a")]
