"""Files that environments share with the package cache or get a copy of, and the seals that prove them unchanged.

A cached file comes into an environment as a copy that shares its blocks (reflink) where the file system supports it,
else as a hard link: that is quick, and costs neither space nor an inode. A hard link is one file with several names, so
a write through one name changes all. Each file is therefore recorded with size, mtime, mode and the sha256 of its
content, and sealed with its ctime, which no program can set: while the ctime is the same, nothing was written (see
`seals`). Adding or removing a link changes the ctime as well. A link that venvgrid itself adds or removes is no doubt:
the seal is compared just before and renewed just after (`copy_or_link`, `unlink`). After any other change the content
is read again, unless every environment that shared the file is deleted, for each was checked after its last tests.

While a file is in use, a ctime that moved without a change of the number of links is a write, even if the content was
restored: other tests may have seen what was written. Such a file is in `written` until its package is dropped.
"""

from __future__ import annotations

import errno
import hashlib
import os
from contextlib import suppress
from dataclasses import field
from typing import TYPE_CHECKING

from venvgrid.environments.package_cache.copying import copy_big, reflink, write_new
from venvgrid.environments.package_cache.facts import FileFacts, digest_of, is_like
from venvgrid.environments.package_cache.seals import NONE, SavedSeals, Seal, add_later, seal_of
from venvgrid.model.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Mapping

SMALL = 64 * 1024  # bytes: read and written in one chunk, and not worth a reflink
CANNOT_LINK = frozenset({errno.EXDEV, errno.EMLINK, errno.EPERM, errno.ENOTSUP, errno.EACCES, errno.ENOSYS})


class DamagedError(Exception):
    """A cached file was changed; the message names it."""


@dataclass(slots=True, kw_only=True)
class CacheFolder:
    """A folder of the cache whose files environments get. `base` is its path with a separator at the end.

    `seals` holds the seal of each verified file, by its path in the folder; other processes save theirs in `saved`.
    `in_use`: environments of this run have these files. `written` are those that were written into since then.
    """

    base: str
    seals: dict[str, Seal] = field(default_factory=dict)
    saved: SavedSeals = field(default_factory=SavedSeals)
    platform: str = os.name
    in_use: bool = False
    written: set[str] = field(default_factory=set)

    def is_unchanged(self, name: str, facts: FileFacts) -> bool:
        """Return whether a file has its recorded facts; its content is read only if the seal does not hold."""
        path = self.base + name
        try:
            status = os.lstat(path)
            if not is_like(status, facts):
                return False
            if not self._is_sealed(name, status):
                if digest_of(path) != facts.digest:
                    return False
                self._reseal(name, status)
        except OSError:
            return False
        return True

    def seal(self, name: str) -> None:
        """Seal a verified file."""
        self.seals[name] = seal_of(os.lstat(self.base + name))

    def doubt(self, name: str) -> None:
        """Forget the seal of a file whose link is gone, unless it still holds: its content is read again."""
        with suppress(OSError):
            if os.lstat(self.base + name).st_ctime_ns != self.seals.get(name, NONE)[0]:
                self.seals.pop(name, None)

    def learn(self) -> None:
        """Add the seals that other processes have saved."""
        add_later(self.seals, self.saved.news())

    def unlink(self, folder: int, link: str, name: str) -> bool:
        """Delete a link to the file `name`, and seal the file if nothing but this has changed it.

        `folder` is the descriptor of the folder in which it is. What is not as it was sealed is left, as evidence:
        then the answer is False.
        """
        with suppress(OSError):
            before = os.stat(link, dir_fd=folder, follow_symlinks=False)
            if self.seals.get(name) != (before.st_ctime_ns, before.st_nlink):
                return False
            os.unlink(link, dir_fd=folder)
            after = os.lstat(self.base + name)
            # One link less and nothing else: a write would have to hide between these few calls.
            if _is_one_link_less(before, after):
                self.seals[name] = seal_of(after)
        return True

    def copy_or_link(self, target: str, files: Mapping[str, FileFacts], *, may_link: bool) -> list[str]:
        """Link files of the folder to `target`, or copy them; return the names of those that were copied.

        `target` is a prefix of the paths in `files`. The folders must exist, the files must not.

        Raises:
            DamagedError: a cached file was changed.
            FileExistsError: a target exists.
            OSError: a file cannot be written.
        """
        unshared = []
        lstat, link, seals, base = os.lstat, os.link, self.seals, self.base
        for name, facts in files.items():
            if may_link and self._is_linkable(name):
                try:
                    if seals.get(name, NONE)[0] != lstat(base + name).st_ctime_ns and not self.is_unchanged(
                        name, facts
                    ):
                        raise DamagedError(base + name)
                    link(base + name, target + name)
                except FileNotFoundError as error:  # dropped by another process since
                    raise DamagedError(base + name) from error
                except OSError as error:
                    if error.errno not in CANNOT_LINK:
                        raise
                else:
                    status = lstat(target + name)
                    if not is_like(status, facts):  # written since: it must not be sealed
                        os.unlink(target + name)  # noqa: PTH108
                        raise DamagedError(base + name)
                    seals[name] = seal_of(status)
                    continue
            self._copy(name, target + name, facts)
            unshared.append(name)
        return unshared

    def _copy(self, name: str, target: str, facts: FileFacts) -> None:
        if facts.size < SMALL:
            write_new(target, self._read_small(name, facts), facts)
            return
        if not self.is_unchanged(name, facts):
            raise DamagedError(self.base + name)
        if not reflink(self.base + name, target, facts):
            copy_big(self.base + name, target, facts)

    def _is_linkable(self, name: str) -> bool:
        """Return False for libraries on Windows, which deletes no name of a file that a process has loaded."""
        return self.platform != "nt" or not name.lower().endswith((".pyd", ".dll", ".exe"))

    def _read_small(self, name: str, facts: FileFacts) -> bytes:
        """Return the content of a small file, verified, with few system calls: there are thousands of them."""
        source = self.base + name
        try:
            descriptor = os.open(source, os.O_RDONLY | _NOFOLLOW | _BINARY)
        except OSError as error:
            raise DamagedError(source) from error
        try:
            content = os.read(descriptor, SMALL)
            status = os.fstat(descriptor)  # afterwards: a write while it was read shows
        finally:
            os.close(descriptor)
        if not is_like(status, facts) or len(content) != facts.size:
            raise DamagedError(source)
        if not self._is_sealed(name, status):
            if hashlib.sha256(content).hexdigest() != facts.digest:
                raise DamagedError(source)
            self._reseal(name, status)
        return content

    def _reseal(self, name: str, status: os.stat_result) -> None:
        """Seal a file whose ctime has moved and whose content is right."""
        ctime, names = self.seals.get(name, NONE)
        if self.in_use and names == status.st_nlink and ctime != status.st_ctime_ns:
            self.written.add(name)
        self.seals[name] = seal_of(status)

    def _is_sealed(self, name: str, status: os.stat_result) -> bool:
        """Return whether nothing was written into a file since it was verified, here or by another process."""
        ctime, names = self.seals.get(name, NONE)
        if ctime == status.st_ctime_ns or (names > 1 and status.st_nlink == 1):
            return True
        self.learn()
        return self.seals.get(name, NONE)[0] == status.st_ctime_ns


def _is_one_link_less(before: os.stat_result, after: os.stat_result) -> bool:
    return (before.st_ino, before.st_dev, before.st_size, before.st_mtime_ns, before.st_mode, before.st_nlink) == (
        after.st_ino,
        after.st_dev,
        after.st_size,
        after.st_mtime_ns,
        after.st_mode,
        after.st_nlink + 1,
    )


_NOFOLLOW = getattr(os, "O_NOFOLLOW", 0)
_BINARY = getattr(os, "O_BINARY", 0)
