"""Requirements with an address: what a resolver says of them, and what may be built from source."""
# ruff: noqa: SIM300 - expected == actual

from __future__ import annotations

import json
from pathlib import Path

from venvgrid.installers import pip
from venvgrid.installers.base import built_from_source, wrong_hash
from venvgrid.model import Distribution
from venvgrid.project import local_wheels


def test_a_repository_in_the_report_of_pip_names_its_commit() -> None:
    """A branch moves: the lock and the environment's key hold the commit, and the folder in the repository."""
    info = {
        "url": "https://h/x",
        "vcs_info": {"vcs": "git", "requested_revision": "main", "commit_id": "abc"},
        "subdirectory": "p",
    }
    item = {"metadata": {"name": "X", "version": "1"}, "download_info": info, "is_direct": True}
    expected = Distribution(name="x", version="1", direct="git+https://h/x@abc#subdirectory=p")
    assert (expected,) == pip.read_report(json.dumps({"install": [item]}))


def test_only_who_asks_for_sources_gets_a_build() -> None:
    """A repository and an archive are asked for by name; a wheel, a folder's wheel and a version are not."""
    lines = (
        "a @ git+https://h/a@main",
        "b[x] @ https://h/b.tar.gz ; python_version > '3'",
        "c @ https://h/c-1-py3-none-any.whl",
        "d @ file:///tmp/d-1-py3-none-any.whl",
        "e==1",
        "f.g @ git+ssh://git@h/f",
    )
    assert ("a", "b", "f.g") == built_from_source(lines)


def test_an_archive_has_the_hash_that_was_asked_for() -> None:
    """Pip refuses another archive than that of `#sha256=`; uv takes it, so its answer is compared."""
    lines = (f"X.y[z] @ https://h/x.whl#subdirectory=p&sha256={'A' * 64} ; python_version > '3'", "w @ https://h/w.whl")
    good, bad = (Distribution(name="x-y", version="1", direct="https://h", hashes=(f"sha256:{c * 64}",)) for c in "ab")
    other = Distribution(name="w", version="1", direct="https://h/w.whl", hashes=(f"sha256:{'c' * 64}",))
    assert "" == wrong_hash(lines, [good, other])
    assert wrong_hash(lines, [other, bad]).startswith("the archive of x-y is another one than required: sha256:bbb")


def test_the_hash_of_a_local_archive_is_not_lost(tmp_path: Path) -> None:
    """A relative path becomes an absolute one, and keeps what follows it; a folder has no hash."""
    for name, kept in (("a.whl", "#sha256=1"), ("a.tar.gz", "#subdirectory=x"), (".", "")):
        (tmp_path / "a.whl").touch()
        found = local_wheels.read(f"a @ file:{name}{kept or '#sha256=1'}", [tmp_path], {}, ())
        assert found is not None
        assert Path(tmp_path, name).as_uri() + kept == found.url
