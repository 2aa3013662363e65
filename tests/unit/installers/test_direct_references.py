"""Requirements with an address: what a resolver says of them, and what may be built from source."""
# ruff: noqa: SIM300 - expected == actual

from __future__ import annotations

import json

from venvgrid.installers import pip
from venvgrid.installers.base import built_from_source
from venvgrid.model import Distribution


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
