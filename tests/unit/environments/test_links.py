"""Files that environments share: what makes one right, and that nothing which was written into is taken for right."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from venvgrid.environments.package_cache import facts as facts_module
from venvgrid.environments.package_cache import links, seals
from venvgrid.environments.package_cache.facts import FileFacts, facts_of
from venvgrid.environments.package_cache.links import SMALL, CacheFolder, DamagedError

SIZES = [0, 1, SMALL - 1, SMALL, SMALL + 1, 3 * SMALL]


def cache(tmp_path: Path) -> CacheFolder:
    return CacheFolder(base=f"{tmp_path}/cache/")


def kept_file(tmp_path: Path, size: int = 10) -> tuple[str, FileFacts]:
    """Write a file of the cache and look at it."""
    path = tmp_path / "cache" / "file"
    path.parent.mkdir()
    path.write_bytes(b"x" * size)
    os.utime(path, (1e9, 1e9))
    return str(path), facts_of(str(path))


def put(kept: CacheFolder, tmp_path: Path, name: str, facts: FileFacts, *, may_link: bool) -> Path:
    there = tmp_path / name
    there.mkdir()
    kept.copy_or_link(f"{there}/", {"file": facts}, may_link=may_link)
    return there / "file"


@pytest.mark.parametrize("may_link", [True, False])
@pytest.mark.parametrize("size", SIZES)
def test_what_is_put_is_what_was_kept(tmp_path: Path, size: int, may_link: bool) -> None:  # noqa: FBT001
    """Content, mtime and mode are the same, linked or copied, whatever the size."""
    path, facts = kept_file(tmp_path, size)
    made = put(cache(tmp_path), tmp_path, "env", facts, may_link=may_link)
    assert facts == facts_of(str(made))
    assert made.samefile(path) is may_link


def test_a_copy_is_a_file_of_its_own(tmp_path: Path) -> None:
    """Who writes into it changes nothing else."""
    path, facts = kept_file(tmp_path)
    put(cache(tmp_path), tmp_path, "env", facts, may_link=False).write_bytes(b"changed")
    assert facts == facts_of(path)


def test_a_file_that_exists_is_never_overwritten(tmp_path: Path) -> None:
    """Two distributions that both have a file: the caller is told."""
    _, facts = kept_file(tmp_path)
    kept = cache(tmp_path)
    put(kept, tmp_path, "env", facts, may_link=True)
    for may_link in (True, False):
        with pytest.raises(FileExistsError):
            kept.copy_or_link(f"{tmp_path}/env/", {"file": facts}, may_link=may_link)


def forge(path: Path, content: bytes) -> None:
    """Write into a file in place and set its times back."""
    before = path.stat()
    with path.open("r+b") as stream:
        stream.write(content)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


@pytest.mark.parametrize("may_link", [True, False])
@pytest.mark.parametrize("size", [10, 2 * SMALL])
def test_what_was_written_into_is_noticed_though_size_and_mtime_say_nothing(
    tmp_path: Path,
    size: int,
    may_link: bool,  # noqa: FBT001
) -> None:
    """A write through a link with its mtime set back: the ctime gives it away, and the content proves it."""
    path, facts = kept_file(tmp_path, size)
    kept = cache(tmp_path)
    assert kept.is_unchanged("file", facts)
    made = put(kept, tmp_path, "env", facts, may_link=may_link)
    forge(made if may_link else Path(path), b"y")
    assert facts.size == Path(path).stat().st_size
    assert not kept.is_unchanged("file", facts)
    with pytest.raises(DamagedError):
        put(kept, tmp_path, "other", facts, may_link=may_link)


@pytest.mark.parametrize("event", ["written", "dropped"])
def test_a_file_that_changes_while_it_is_linked_is_damaged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, event: str
) -> None:
    """Another process writes into it, or drops its package, after it was verified: nothing of it stays."""
    path, facts = kept_file(tmp_path)
    link = os.link

    def late(source: str, target: str) -> None:
        if event == "dropped":
            Path(path).unlink()
        link(source, target)
        Path(path).write_bytes(b"y" * facts.size)

    kept = cache(tmp_path)
    monkeypatch.setattr(os, "link", late)
    with pytest.raises(DamagedError):
        put(kept, tmp_path, "env", facts, may_link=True)
    assert not list((tmp_path / "env").iterdir())


@pytest.mark.parametrize("change", ["truncate", "append", "touch", "chmod", "delete", "link"])
def test_every_other_change_is_noticed(tmp_path: Path, change: str) -> None:
    """Cut off, grown, touched, with other permissions, gone, or a symbolic link in its place."""
    path, facts = kept_file(tmp_path)
    kept, file = cache(tmp_path), Path(path)
    assert kept.is_unchanged("file", facts)
    if change == "truncate":
        file.write_bytes(b"")
    elif change == "append":
        forge(file, b"x" * 11)
    elif change == "touch":
        os.utime(file, (2e9, 2e9))
    elif change == "chmod":
        file.chmod(0o600)
    else:
        file.rename(file.with_name("elsewhere"))
        if change == "link":
            file.symlink_to("elsewhere")
    assert not kept.is_unchanged("file", facts)


@pytest.mark.parametrize("size", [10, 2 * SMALL])
def test_a_write_that_was_undone_is_a_write_while_the_file_is_in_use(tmp_path: Path, size: int) -> None:
    """Content and times are as before, but the ctime moved and the number of links did not; a new link is none."""
    path, facts = kept_file(tmp_path, size)
    kept = cache(tmp_path)
    made = put(kept, tmp_path, "env", facts, may_link=True)
    forge(made, b"x")
    assert kept.is_unchanged("file", facts)
    assert not kept.written, "no environment of this run had the file"
    kept.in_use = True
    (tmp_path / "more").hardlink_to(path)
    assert kept.is_unchanged("file", facts)
    (tmp_path / "more").unlink()
    assert kept.is_unchanged("file", facts)
    assert not kept.written
    forge(made, b"y")
    assert not kept.is_unchanged("file", facts)
    forge(made, b"x")
    put(kept, tmp_path, "other", facts, may_link=False)
    assert kept.is_unchanged("file", facts)
    assert kept.written == {"file"}


def test_links_that_come_and_go_are_no_change(tmp_path: Path) -> None:
    """An environment more or less changes the ctime, not the content."""
    _, facts = kept_file(tmp_path)
    kept = cache(tmp_path)
    made = [put(kept, tmp_path, name, facts, may_link=True) for name in "abc"]
    for one in made:
        one.unlink()
        assert kept.is_unchanged("file", facts)


def test_content_is_read_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """While the ctime stays, and when the last environment that shared the file is deleted, nothing is read again."""
    path, facts = kept_file(tmp_path)
    kept, read = cache(tmp_path), reads(monkeypatch)
    for name in "abc":
        put(kept, tmp_path, name, facts, may_link=True)
    for name in "abc":
        (tmp_path / name / "file").unlink()
    assert kept.is_unchanged("file", facts)
    assert read == [path]


def reads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return the list to which the path of each file is added whose content is read."""
    found: list[str] = []
    digest_of = facts_module.digest_of

    def count(name: str) -> str:
        found.append(name)
        return digest_of(name)

    monkeypatch.setattr(links, "digest_of", count)
    return found


def unlink(kept: CacheFolder, folder: Path) -> None:
    """Delete the link in a folder as venvgrid does."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        kept.unlink(descriptor, "file", "file")
    finally:
        os.close(descriptor)


needs_folders = pytest.mark.skipif(os.unlink not in os.supports_dir_fd, reason="links are deleted by descriptor")


@needs_folders
def test_a_link_that_venvgrid_deletes_is_no_doubt(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its seal is compared before and renewed after, so nothing is read again; a deletion by hand tells nothing."""
    path, facts = kept_file(tmp_path)
    kept, read = cache(tmp_path), reads(monkeypatch)
    for name in "abcd":
        put(kept, tmp_path, name, facts, may_link=True)
    unlink(kept, tmp_path / "a")
    assert not (tmp_path / "a" / "file").exists()
    assert kept.is_unchanged("file", facts)
    assert read == [path], "only at the first look"
    (tmp_path / "b" / "file").unlink()
    assert kept.is_unchanged("file", facts)
    assert read == [path, path]


@needs_folders
@pytest.mark.parametrize("written", ["here", "elsewhere"])
@pytest.mark.parametrize("deleted", ["by hand", "by venvgrid"])
def test_no_deletion_hides_a_write(tmp_path: Path, written: str, deleted: str) -> None:
    """Written in place with its times set back, in what is deleted or in what stays: the content is read, and wrong."""
    _, facts = kept_file(tmp_path)
    kept = cache(tmp_path)
    made = {name: put(kept, tmp_path, name, facts, may_link=True) for name in "abc"}
    forge(made["a" if written == "here" else "b"], b"y")
    if deleted == "by hand":
        made["a"].unlink()
    else:
        unlink(kept, tmp_path / "a")
    assert not kept.is_unchanged("file", facts)
    with pytest.raises(DamagedError):
        put(kept, tmp_path, "d", facts, may_link=True)


@needs_folders
@pytest.mark.parametrize("event", ["written", "linked", "replaced"])
def test_what_happens_while_a_link_is_deleted_is_not_sealed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, event: str
) -> None:
    """Another process writes, links or has another file in its place: the file is looked at again."""
    path, facts = kept_file(tmp_path)
    kept = cache(tmp_path)
    for name in "abc":
        put(kept, tmp_path, name, facts, may_link=True)
    if event == "replaced":
        (tmp_path / "a" / "file").unlink()
        (tmp_path / "a" / "file").write_bytes(b"x" * facts.size)
    before, delete = dict(kept.seals), os.unlink

    def late(name: str, *, dir_fd: int) -> None:
        delete(name, dir_fd=dir_fd)
        if event == "written":
            Path(path).write_bytes(b"y" * facts.size)
        else:
            (tmp_path / "more").hardlink_to(path)

    monkeypatch.setattr(os, "unlink", late)
    unlink(kept, tmp_path / "a")
    assert kept.seals == before
    assert (tmp_path / "a" / "file").exists() is (event == "replaced")
    assert kept.is_unchanged("file", facts) is (event != "written")


def test_what_another_process_has_linked_is_not_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its seals count as soon as it has saved them; what was written since is noticed all the same."""
    path, facts = kept_file(tmp_path)
    read, file = reads(monkeypatch), tmp_path / seals.FILE
    ours, theirs = (CacheFolder(base=f"{tmp_path}/cache/", saved=seals.SavedSeals(str(file))) for _ in range(2))
    put(ours, tmp_path, "a", facts, may_link=True)
    seals.save(tmp_path, ours.seals, {})
    made = put(theirs, tmp_path, "b", facts, may_link=True)
    assert read == [path]
    seals.save(tmp_path, theirs.seals, {})
    assert ours.is_unchanged("file", facts)
    assert read == [path]
    forge(made, b"y")
    assert not ours.is_unchanged("file", facts)


def test_an_older_seal_of_another_process_changes_nothing() -> None:
    """Of two moments at which a file was right, the later one counts."""
    known = {"a": (2, 1), "b": (2, 1)}
    seals.add_later(known, {"a": (1, 9), "b": (3, 9), "c": (1, 1)})
    assert known == {"a": (2, 1), "b": (3, 9), "c": (1, 1)}


def test_a_file_system_that_cannot_link_gets_copies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another device, or too many links: a copy is made, and nobody is troubled."""
    path, facts = kept_file(tmp_path)

    def refuse(*_: object) -> None:
        raise OSError(errno.EXDEV, "Invalid cross-device link")

    monkeypatch.setattr(os, "link", refuse)
    made = put(cache(tmp_path), tmp_path, "env", facts, may_link=True)
    assert facts == facts_of(str(made))
    assert not made.samefile(path)


def test_libraries_are_not_linked_on_windows(tmp_path: Path) -> None:
    """Windows deletes no name of a file that a process has loaded; sources are linked there, too."""
    (tmp_path / "cache").mkdir()
    (tmp_path / "env").mkdir()
    files = {}
    for name in ("a.pyd", "b.DLL", "c.py"):
        (tmp_path / "cache" / name).write_bytes(b"x")
        files[name] = facts_of(str(tmp_path / "cache" / name))
    kept = CacheFolder(base=f"{tmp_path}/cache/", platform="nt")
    assert kept.copy_or_link(f"{tmp_path}/env/", files, may_link=True) == ["a.pyd", "b.DLL"]
    assert (tmp_path / "env" / "c.py").samefile(tmp_path / "cache" / "c.py")
