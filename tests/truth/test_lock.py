"""A lock is believed only if it fits its cells and nothing has edited it."""

from __future__ import annotations

import json
import re
import tomllib
from typing import TYPE_CHECKING

import pytest
import rig

from venvgrid.storage import digests

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

pytestmark = pytest.mark.e2e
OLD, NEW = f"py{rig.HERE}-six1.16", f"py{rig.HERE}-six1.17"
MATRIX = f"""
    [project]
    install = "none"
    [axes]
    python = ["{rig.HERE}"]
    six = ["1.16", "1.17"]
"""


@pytest.fixture
def locked(once: Callable[[str, Callable[[Path], None]], Path], cache_dir: Path, tmp_path: Path) -> tuple[Path, str]:
    """Return a project without a lock, and the text of its lock."""

    def make(root: Path) -> None:
        rig.project(root, MATRIX, rig.TOY_TEST)
        ended = rig.venvgrid(root, cache_dir, "lock")
        assert ended.status == 0, ended.err

    text = (once("locked", make) / "matrix.lock").read_text(encoding="utf-8")
    return rig.project(tmp_path / "project", MATRIX, rig.TOY_TEST), text


def merged(text: str) -> str:
    """Give both cells the environment of six 1.16, as a merge of two branches may."""
    name = re.search(f'"{OLD}" = "(.+)"', text)
    assert name
    return re.sub(f'"{NEW}" = ".+"', f'"{NEW}" = "{name[1]}"', text)


def unsealed(text: str) -> str:
    return re.sub(r"checksum = .*\n", "", text)


def test_a_badly_merged_lock_is_no_green(locked: tuple[Path, str], cache_dir: Path) -> None:
    """Six 1.16 in the cell of 1.17: status 2, with cell, distribution and both versions; also without a checksum."""
    root, text = locked
    for content in (merged(text), unsealed(merged(text)), text.replace('"1.17.0"', '"1.16.0"')):
        assert content != text
        (root / "matrix.lock").write_text(content, encoding="utf-8")
        ended = rig.venvgrid(root, cache_dir, "run", "-q", "--locked")
        told = f"{NEW}: it holds six 1.16.0, but the cell says six==1.17.*"
        assert (ended.status, told in ended.err, "venvgrid lock" in ended.err) == (2, True, True), ended.err
        assert not (root / ".venvgrid" / "runs").exists()


def forged(text: str) -> str:
    """Give a lock the checksum of its contents, as a careful editor would."""
    whole = unsealed(text)
    data = tomllib.loads(whole)
    seal = digests.of_text(json.dumps(data, sort_keys=True, default=str))
    return whole.replace("\n\n", f'\nchecksum = "{seal}"\n\n', 1)


def test_a_new_checksum_makes_no_edited_lock_whole(locked: tuple[Path, str], cache_dir: Path) -> None:
    """A missing, changed, added or doubled distribution, an option for a word, a cell in two tables: status 2."""
    root, text = locked
    assert forged(text) == text
    line = next(line for line in text.splitlines() if '"pluggy"' in line)
    other = re.sub('version = ".+?", hashes = .*', 'version = "0.13.1", hashes = [] },', line)
    for content, why in (
        (text.replace(line, ""), "is the name of other contents"),
        (text.replace(line, other), "is the name of other contents"),
        (text.replace(line, f"{line}\n{other.replace('pluggy', 'toml')}"), "is the name of other contents"),
        (text.replace(line, f"{line}\n{line}"), "it holds pluggy twice"),
        (text.replace(line, f"{line}\n{other.replace('pluggy', 'Pluggy')}"), "it holds Pluggy twice"),
        (re.sub("sha256:", r"sha256:00\\n--index-url http://", text), "it holds 'sha256:00"),
        (text.replace('"pluggy"', '"--pre"'), "it holds '--pre'"),
        (text.replace("[cells]\n", f'[impossible]\n"{NEW}" = "no"\n\n[cells]\n'), f"{NEW} is in it twice"),
    ):
        assert content != text
        for lock in (forged(content), unsealed(content)):
            (root / "matrix.lock").write_text(lock, encoding="utf-8")
            ended = rig.venvgrid(root, cache_dir, "run", "-q", "--locked")
            assert (ended.status, why in ended.err, "venvgrid lock" in ended.err) == (2, True, True), ended.err
    assert not (root / ".venvgrid" / "runs").exists()


def test_an_edited_lock_makes_no_cell_impossible(locked: tuple[Path, str], cache_dir: Path) -> None:
    """With the old checksum, with none, and with a conflict of git in the file: status 2, and `lock` mends it."""
    root, text = locked
    gone = text.replace("[cells]\n", f'[impossible]\n"{NEW}" = "six 1.17 has no wheel"\n\n[cells]\n')
    gone = re.sub(rf'(\[cells\]\n.*\n)"{NEW}" = .*\n', r"\1", gone)
    conflict = f"<<<<<<< ours\n{text}=======\n{text}>>>>>>> theirs\n"
    for content, why in (
        (gone, "matrix.lock was edited or badly merged: make it again with venvgrid lock"),
        (unsealed(gone), f"calls {NEW} impossible and has no checksum"),
        (conflict, "cannot be read"),
    ):
        (root / "matrix.lock").write_text(content, encoding="utf-8")
        ended = rig.venvgrid(root, cache_dir, "run", "-q", "--locked")
        assert (ended.status, why in ended.err) == (2, True), ended.err
    again = rig.venvgrid(root, cache_dir, "lock")
    assert (again.status, (root / "matrix.lock").read_text(encoding="utf-8")) == (0, text), again.err


def test_a_whole_lock_is_used_and_an_old_one_with_a_note(locked: tuple[Path, str], cache_dir: Path) -> None:
    """Other line endings and a byte order mark are no edit; a lock without a checksum is green with a note."""
    root, text = locked
    (root / "matrix.lock").write_text("\ufeff" + text.replace("\n", "\r\n"), encoding="utf-8", newline="")
    ended = rig.venvgrid(root, cache_dir, "run", "-q", "--locked")
    assert (ended.status, "checksum" in ended.err) == (0, False), ended.err
    (root / "matrix.lock").write_text(unsealed(text), encoding="utf-8")
    ended = rig.venvgrid(root, cache_dir, "run", "--locked")
    assert (ended.status, "matrix.lock has no checksum" in ended.out + ended.err) == (0, True), ended.err
    assert rig.outcomes(root) == {OLD: "passed", NEW: "passed"}
