"""Contents by their hashes: whole under their name, or not there."""

from __future__ import annotations

import base64
import itertools
import os
import threading
from hashlib import sha256
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from venvgrid.app.cluster import blobs
from venvgrid.app.cluster.blobs import Blobs
from venvgrid.running.executors.remote.transfer import GET

if TYPE_CHECKING:
    from pathlib import Path

CONTENT = bytes(range(256)) * 9
DIGEST = sha256(CONTENT).hexdigest()


def put(into: Blobs, *pieces: bytes, digest: str = DIGEST, start: int = 0) -> None:
    """Send pieces one after the other."""
    offset = start
    for number, piece in enumerate(pieces, 1):
        into.put(digest, offset, base64.b64encode(piece).decode(), last=number == len(pieces))
        offset += len(piece)


@given(cuts=st.lists(st.integers(0, len(CONTENT)), max_size=6).map(sorted), size=st.integers(1, 700))
def test_a_content_arrives_in_whatever_pieces(
    tmp_path_factory: pytest.TempPathFactory, cuts: list[int], size: int
) -> None:
    """Law: what was put in pieces is got in pieces, and only then is it there."""
    into = Blobs(tmp_path_factory.mktemp("blobs"))
    ends = [0, *cuts, len(CONTENT)]
    assert into.lacks([DIGEST]) == [DIGEST]
    put(into, *(CONTENT[start:end] for start, end in itertools.pairwise(ends)))
    assert into.lacks([DIGEST]) == []
    got = b"".join(base64.b64decode(into.get(DIGEST, at, size)) for at in range(0, len(CONTENT), size))
    assert got == CONTENT


@pytest.mark.parametrize("start", [51, 100, len(CONTENT)])
def test_a_piece_out_of_order_is_refused(tmp_path: Path, start: int) -> None:
    """A gap, and a piece of something that was never begun, are errors; it can begin anew."""
    into = Blobs(tmp_path)
    with pytest.raises(OSError):  # noqa: PT011
        put(into, CONTENT[start:], start=start)
    into.put(DIGEST, 0, base64.b64encode(CONTENT[:50]).decode(), last=False)
    with pytest.raises(OSError, match=r"a piece of .* is missing"):
        put(into, CONTENT[start:], start=start)
    assert into.find(DIGEST) is None
    put(into, CONTENT)
    assert into.find(DIGEST) is not None


def test_a_content_that_is_something_else_is_not_kept(tmp_path: Path) -> None:
    """What does not have its hash is thrown away, and said."""
    into = Blobs(tmp_path)
    with pytest.raises(OSError, match="is something else"):
        put(into, CONTENT[:-1], b"!")
    assert (into.find(DIGEST), list(tmp_path.iterdir())) == (None, [])


@pytest.mark.parametrize("digest", ["", "../x", "a" * 63, "A" * 64, "a" * 64 + "\n", "/etc/passwd"])
def test_only_digests_are_names(tmp_path: Path, digest: str) -> None:
    """A name that is no digest finds nothing and is never written."""
    into = Blobs(tmp_path / "blobs")
    with pytest.raises(OSError, match="is no digest"):
        put(into, b"x", digest=digest)
    with pytest.raises(OSError, match="is not there"):
        into.get(digest, 0, 1)
    assert into.lacks([digest]) == [digest]
    assert list(tmp_path.iterdir()) == []


def test_two_senders_at_once_leave_a_whole_content(tmp_path: Path) -> None:
    """Two runs may send one file to a machine at the same time: it is whole or not there, never mixed."""
    into, problems = Blobs(tmp_path), list[str]()

    def send() -> None:
        for _ in range(40):
            try:
                put(into, CONTENT[:100], CONTENT[100:])
            except OSError as error:
                problems.append(str(error))
            found = into.find(DIGEST)
            if found is not None and found.read_bytes() != CONTENT:
                problems.append("damaged")

    threads = [threading.Thread(target=send) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert problems == []
    assert [path.name for path in tmp_path.iterdir()] == [DIGEST]


def test_what_was_not_used_for_a_week_is_deleted(tmp_path: Path) -> None:
    """Use keeps a content; what nobody asked for goes, unfinished pieces too."""
    into = Blobs(tmp_path)
    used, old = into.keep(b"used"), into.keep(b"old")
    (tmp_path / f"{DIGEST}.1").write_bytes(b"unfinished")
    for path in tmp_path.iterdir():
        os.utime(path, (0, 0))
    assert into.find(used.digest) is not None
    into.tidy()
    assert {path.name for path in tmp_path.iterdir()} == {used.digest}
    assert old.digest != used.digest


def test_a_content_has_one_name_however_it_is_hashed(tmp_path: Path) -> None:
    """`keep` and `hash_of` agree, also for an empty file."""
    for content in (b"", CONTENT, b"x" * (blobs.CHUNK + 1)):
        kept = Blobs(tmp_path).keep(content)
        assert blobs.hash_of(tmp_path / kept.digest) == kept
        assert kept.size == len(content)
    assert GET > 0
