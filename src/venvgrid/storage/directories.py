"""Folders of venvgrid: `.venvgrid`, its environments, temporary files, and the user's cache."""

from __future__ import annotations

import atexit
import itertools
import os
import re
import shutil
import stat
import tempfile
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from venvgrid.model import InfrastructureError
from venvgrid.storage import digests, own_folders

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

CACHE = "VENVGRID_CACHE_DIR"
SCRATCH = "scratch"  # file in .venvgrid that names the temporary folder of the run
_NUMBERS = itertools.count()  # of short folders: none has the path of an earlier one
SCRATCH_PREFIX = "venvgrid-"
SCRATCH_MARK = ".venvgrid-scratch"  # file in that folder: one without it is not deleted
MAX_NAME_LENGTH = 60  # characters
CACHEDIR_TAG = "Signature: 8a477f597d28d172789f06886806bc55\n# Made by venvgrid; safe to delete.\n"
# A script's first line holds the path of its interpreter, and installers write it wrongly with these characters.
UNSAFE_IN_SCRIPTS = re.compile(r"['\"\\$`\n\r\t]")


def of_environments(root: Path, cache: Path) -> Path:
    """Return the folder of the environments: in `.venvgrid`, or in the user's cache if scripts cannot hold its path."""
    inside = root / "store"
    if os.name == "nt" or not UNSAFE_IN_SCRIPTS.search(str(inside)):
        return inside
    return cache / "stores" / digests.of_text(os.fsencode(root), 12)


def file_name(text: str) -> str:
    """Return a name for a file or folder that is safe in shells, URLs and requirements."""
    safe = re.sub(r"[^A-Za-z0-9._-]+", "_", text).strip("._") or "project"
    if len(safe) <= MAX_NAME_LENGTH:
        return safe
    return safe[:MAX_NAME_LENGTH] + digests.of_text(text, 12)


def prepare(root: Path, environments: Path) -> None:
    """Make `.venvgrid` and the folder of its environments.

    Raises:
        InfrastructureError: they cannot be written, or a folder of venvgrid below them is a link.
    """
    try:
        own_folders.check_all(root)
        own_folders.make(root, "envs")
        own_folders.make(environments)
        for name, text in (("CACHEDIR.TAG", CACHEDIR_TAG), (".gitignore", "*\n")):
            if not (root / name).exists():
                own_folders.write(root, name, text)
    except OSError as error:
        raise InfrastructureError(f"{error.filename or root} cannot be written: {error.strerror or error}") from error


@contextmanager
def scratch(root: Path) -> Iterator[Path]:
    """Use one folder for all temporary files of a run, and delete that of an earlier run that was killed.

    The folder is recorded in `root`, so the caller must hold the lock of `root`.
    """
    record = root / SCRATCH
    with suppress(OSError, UnicodeDecodeError):
        _clear(Path(record.read_text(encoding="utf-8").strip()))
    folder, earlier = Path(tempfile.mkdtemp(prefix=SCRATCH_PREFIX)), tempfile.tempdir
    with suppress(OSError):
        (folder / SCRATCH_MARK).touch()
        own_folders.write(root, SCRATCH, f"{folder}\n")
    tempfile.tempdir = str(folder)
    try:
        yield folder
    finally:
        tempfile.tempdir = earlier
        shutil.rmtree(folder, ignore_errors=True)
        with suppress(OSError):
            record.unlink(missing_ok=True)


def short_folder() -> Path:
    """Make a new folder for temporary files whose path is short: that of a socket has at most 107 bytes."""
    place = Path(tempfile.gettempdir())
    while True:
        folder = place / format(next(_NUMBERS), "x")
        with suppress(FileExistsError):
            folder.mkdir(mode=0o700)
            return folder


def _clear(folder: Path) -> None:
    """Delete a temporary folder, only if it has our marker file: the record of one may have come with a project."""
    if not folder.name.startswith(SCRATCH_PREFIX) or folder.is_symlink() or not (folder / SCRATCH_MARK).is_file():
        return
    if os.name == "nt" or folder.stat().st_uid == os.geteuid():
        shutil.rmtree(folder, ignore_errors=True)


def size(path: Path) -> int:
    """Return the bytes of a file, or of all files below a folder. Links are not followed, lost files do not count.

    Raises:
        OSError: `path` does not exist.
    """
    status = path.lstat()
    if not stat.S_ISDIR(status.st_mode):
        return status.st_size
    total = 0
    for file in path.rglob("*"):
        with suppress(OSError):
            status = file.lstat()
            total += 0 if stat.S_ISDIR(status.st_mode) else status.st_size
    return total


def delete(path: Path) -> bool:
    """Delete a file or folder in one step: another process finds all of it or nothing. Return whether it worked."""
    with suppress(OSError):
        if path.is_dir() and not path.is_symlink():
            trash = tempfile.mkdtemp(prefix=".partial-", dir=path.parent)
            path.rename(f"{trash}/deleted")
            shutil.rmtree(trash, ignore_errors=True)
        else:
            path.unlink()
        return True
    return False


def safe_cache(environ: Mapping[str, str], notify: Callable[[str], None]) -> Path:
    """Return venvgrid's folder in the user's cache, made and checked, or a temporary one if it cannot be written.

    Raises:
        InfrastructureError: other users can write into it.
    """
    folder = cache_folder(environ)
    try:
        if not folder.is_dir():
            folder.parent.mkdir(parents=True, exist_ok=True)
            folder.mkdir(mode=0o700, exist_ok=True)
        check_owner(folder)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        temporary = Path(tempfile.mkdtemp(prefix="venvgrid-cache-"))
        atexit.register(shutil.rmtree, temporary, ignore_errors=True)
        why = error.strerror or error
        notify(f"warning: the cache {folder} cannot be written ({why}); nothing is kept from one run to the next")
        return temporary
    return folder


def check_owner(folder: Path) -> None:
    """Check that other users cannot write into the cache, because its content is executed.

    Raises:
        InfrastructureError: they can.
    """
    if os.name == "nt":
        return
    status = folder.stat()
    if status.st_uid != os.geteuid():
        raise InfrastructureError(f"the cache {folder} belongs to another user; set {CACHE} to a folder of your own")
    if status.st_mode & 0o022:
        raise InfrastructureError(f"the cache {folder} can be written by other users; type: chmod go-w {folder}")


def cache_folder(environ: Mapping[str, str]) -> Path:
    """Return venvgrid's folder in the user's cache."""
    if environ.get(CACHE):
        return Path(environ[CACHE]).absolute()
    from platformdirs import user_cache_path  # noqa: PLC0415

    return user_cache_path("venvgrid")
