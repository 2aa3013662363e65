"""Cache files, digests and sizes: what is damaged is never taken for content."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import pytest

from venvgrid.storage import digests, directories, json_cache
from venvgrid.storage.atomic import write_sealed

if TYPE_CHECKING:
    from pathlib import Path


def test_what_is_saved_is_read(tmp_path: Path) -> None:
    """The folder is made, and the header comes back with the data."""
    file = tmp_path / "new" / "file.json"
    json_cache.save(file, {"answer": [1, "é"]}, format="f-1")
    assert json_cache.read(file, format="f-1") == {"format": "f-1", "answer": [1, "é"]}
    assert json_cache.read(file) == json_cache.load(file)


def test_another_header_reads_as_empty(tmp_path: Path) -> None:
    """Another format, and a key that the file does not have."""
    json_cache.save(tmp_path / "file", {"answer": 1}, format="f-1")
    assert json_cache.read(tmp_path / "file", format="f-2") == {}
    assert json_cache.read(tmp_path / "file", format="f-1", host="here") == {}


@pytest.mark.parametrize("text", ["", "{", "[]", "7", '{"format": "f-1"}'])
@pytest.mark.parametrize("is_sealed", [True, False])
def test_a_damaged_file_reads_as_empty(tmp_path: Path, text: str, is_sealed: bool) -> None:  # noqa: FBT001
    """Cut off, of another shape, or without its digest; a missing one as well."""
    file = tmp_path / "file"
    assert json_cache.read(file) == {}
    if is_sealed:
        write_sealed(file, text)
    else:
        file.write_text(text, encoding="utf-8")
    assert json_cache.read(file, format="f-1") == ({"format": "f-1"} if is_sealed and "f-1" in text else {})


def test_a_cache_that_cannot_be_written_is_no_error(tmp_path: Path) -> None:
    """`save` passes it over, `write` raises."""
    (tmp_path / "file").touch()
    json_cache.save(tmp_path / "file" / "below", {})
    with pytest.raises(OSError, match="file"):
        json_cache.write(tmp_path / "file" / "below", {})


def test_digests_have_the_length_that_is_asked_for() -> None:
    """Equal data give equal digests, whatever the order of their keys; lone surrogates are no error."""
    assert digests.of_json({"a": 1, "b": [2]}, 12) == digests.of_json({"b": [2], "a": 1}, 12)
    assert [len(digests.of_text("\ud800", length)) for length in (8, 32, 40)] == [8, 32, 40]
    assert (
        digests.of_text("é")
        == digests.of_text("é".encode())
        == hashlib.blake2b("é".encode(), digest_size=16).hexdigest()
    )


def test_the_size_of_a_folder(tmp_path: Path) -> None:
    """All files below it; a link counts as itself, not as what it leads to."""
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "a" / "b" / "file").write_bytes(b"x" * 1000)
    (tmp_path / "a" / "link").symlink_to("b")
    (tmp_path / "elsewhere").write_bytes(b"x" * 5000)
    (tmp_path / "a" / "other").symlink_to(tmp_path / "elsewhere")
    links = sum((tmp_path / "a" / name).lstat().st_size for name in ("link", "other"))
    assert directories.size(tmp_path / "a") == 1000 + links
    assert directories.size(tmp_path / "elsewhere") == 5000
