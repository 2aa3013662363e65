"""What decides where distributions come from, and what does not."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import pytest

from venvgrid.resolving.index_digest import digest, is_plain, of_requirements

if TYPE_CHECKING:
    from pathlib import Path

BASE = {"UV_INDEX_URL": "https://me:secret@index/simple", "XDG_CONFIG_DIRS": "/none"}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("UV_INDEX_URL", "https://me:secret@other/simple"),
        ("UV_DEFAULT_INDEX", "https://x"),
        ("UV_INDEX", "name=https://x"),
        ("UV_EXTRA_INDEX_URL", "https://x"),
        ("UV_INDEX_STRATEGY", "unsafe-best-match"),
        ("UV_NO_INDEX", "1"),
        ("PIP_INDEX_URL", "https://x"),
        ("PIP_EXTRA_INDEX_URL", "https://x"),
        ("PIP_FIND_LINKS", "/x"),
        ("PIP_NO_INDEX", "1"),
    ],
)
def test_variables_that_decide(tmp_path: Path, name: str, value: str) -> None:
    """Each of uv's and pip's."""
    assert digest({**BASE, name: value}, tmp_path) != digest(BASE, tmp_path)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("UV_INDEX_URL", "https://me:rotated@index/simple"),
        ("UV_INDEX_X_PASSWORD", "secret"),
        ("UV_CACHE_DIR", "/x"),
        ("PIP_TIMEOUT", "9"),
        ("HOME", "/x"),
    ],
)
def test_variables_that_do_not(tmp_path: Path, name: str, value: str) -> None:
    """Credentials change every hour in some places; caches and time limits decide nothing."""
    assert digest({**BASE, name: value}, tmp_path) == digest(BASE, tmp_path)


@pytest.mark.parametrize("name", [".config/uv/uv.toml", ".config/pip/pip.conf", ".pip/pip.conf"])
def test_files_that_decide(tmp_path: Path, name: str) -> None:
    """Those of the user; others named by variables."""
    before = digest(BASE, tmp_path)
    (tmp_path / name).parent.mkdir(parents=True)
    (tmp_path / name).write_text("index-url = https://x\n", encoding="utf-8")
    assert digest(BASE, tmp_path) != before
    own = {**BASE, "PIP_CONFIG_FILE": str(tmp_path / "mine")}
    before = digest(own, tmp_path)
    (tmp_path / "mine").write_text("[global]\n", encoding="utf-8")
    assert digest(own, tmp_path) != before


@pytest.mark.parametrize("how", ["{}", "file://{}", "name=file://{}", "/none {}"])
def test_local_folders_are_listed(tmp_path: Path, how: str) -> None:
    """A wheel that appears in a folder, or is replaced by another one, is another index; also a level deeper."""
    folder = tmp_path / "links"
    (folder / "demo").mkdir(parents=True)
    environ = {**BASE, "UV_FIND_LINKS": how.format(folder)}
    found = [digest(environ, tmp_path)]
    for text in ("1", "22"):
        (folder / "demo" / "demo-1.0-py3-none-any.whl").write_text(text, encoding="utf-8")
        found.append(digest(environ, tmp_path))
    assert len(set(found)) == 3


def test_what_requirements_name_here(tmp_path: Path) -> None:
    """The content of a file, and each reference of a git repository; not a file that no line names."""
    file, repository = tmp_path / "x-1-py3-none-any.whl", tmp_path / "x"
    (repository / ".git" / "refs" / "heads").mkdir(parents=True)
    lines = ("six>=1", f"x @ {file.as_uri()} ; python_version>'3'", f"x @ git+{repository.as_uri()}@main#egg=x")
    seen = [of_requirements(lines)]
    for path in (file, repository / ".git" / "HEAD", repository / ".git" / "refs" / "heads" / "main"):
        for text in ("a", "b"):
            path.write_text(text, encoding="utf-8")
            seen.append(of_requirements(lines))
    assert all(one != other for one, other in itertools.pairwise(seen))
    (tmp_path / "other.whl").touch()
    assert of_requirements(lines) == seen[-1]
    assert of_requirements(("six>=1", "x @ https://example.org/x.whl")) == []


@pytest.mark.parametrize(
    ("variables", "file", "expected"),
    [
        ({}, "", True),
        ({"PIP_INDEX_URL": "https://x"}, ".config/pip/pip.conf", True),
        ({"UV_CACHE_DIR": "/x"}, "", True),
        ({"UV_DEFAULT_INDEX": "https://x"}, "", False),
        ({"UV_FIND_LINKS": "/x"}, "", False),
        ({"UV_CONFIG_FILE": "/x"}, "", False),
        ({}, ".config/uv/uv.toml", False),
    ],
)
def test_settings_of_uv_that_are_not_its_own(
    tmp_path: Path,
    variables: dict[str, str],
    file: str,
    expected: bool,  # noqa: FBT001
) -> None:
    """Without a variable or a file that names another place, uv asks PyPI; those of pip do not matter to it."""
    if file:
        (tmp_path / file).parent.mkdir(parents=True)
        (tmp_path / file).write_text("index-url = 'https://x'", encoding="utf-8")
    assert is_plain({"XDG_CONFIG_DIRS": "/none", **variables}, tmp_path) is expected
