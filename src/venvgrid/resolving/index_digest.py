"""A digest of everything that decides where uv and pip take distributions from, apart from the content of indexes.

It holds their variables and configuration files without credentials, and the lists of files in local folders. Another
is of the local files and git repositories that requirements name.
"""

from __future__ import annotations

import functools
import os
import re
import sys
from contextlib import suppress
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote

from venvgrid.storage import digests

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

DECIDING = re.compile(
    r"UV_(INDEX|DEFAULT_INDEX|EXTRA_INDEX_URL|FIND_LINKS|NO_INDEX|OFFLINE|NO_CONFIG|CONFIG_FILE|.*ENDPOINT_URL)"
    r"|PIP_(INDEX_URL|EXTRA_INDEX_URL|FIND_LINKS|NO_INDEX|CONFIG_FILE)"
)
LOGIN = re.compile(r".*_(USERNAME|PASSWORD)$")
USER_IN_ADDRESS = re.compile(r"//[^/@\s]*@")
NO_SOURCE = re.compile(r"cache|python|cert|target|prefix", re.IGNORECASE)  # in a line of a configuration file
WORDS = re.compile(r"[^\s\"',\[\]=]+")
UV_FILE = "uv.toml"
MAX_FILES = 20_000  # of a local folder
DIRECT = re.compile(r"@\s*(?P<git>git\+)?file:(?://(?:localhost)?)?(?P<path>/[^\s;#]+)")


def digest(environ: Mapping[str, str], home: Path) -> str:
    """Return the digest for a user with these variables and this home."""
    deciding, texts = _settings(environ, home)
    folders = {str(path): sorted(_listing(path)) for path in _named(deciding, texts)}
    settings = {name: USER_IN_ADDRESS.sub("//", text) for name, text in (*deciding.items(), *texts.items())}
    return digests.of_json([settings, folders], 20)


def of_requirements(lines: Iterable[str]) -> list[list[str]]:
    """Return what the local files contain, and to which commits the local git repositories point, that lines name."""
    found = filter(None, map(DIRECT.search, lines))
    return [[item[0], *(_refs if item["git"] else _content)(Path(unquote(item["path"])))] for item in found]


def is_plain(environ: Mapping[str, str], home: Path) -> bool:
    """Return whether uv asks PyPI: none of its variables and files decides otherwise."""
    deciding, texts = _settings(environ, home)
    return not any(name.startswith("UV_") for name in deciding) and UV_FILE not in {Path(file).name for file in texts}


def folders(environ: Mapping[str, str], home: Path) -> tuple[Path, ...]:
    """Return the local folders that the settings name: places of find-links."""
    return tuple(_named(*_settings(environ, home)))


def _settings(environ: Mapping[str, str], home: Path) -> tuple[dict[str, str], dict[str, str]]:
    """Return the deciding variables without logins, and the configuration files by their paths."""
    deciding = {name: value for name, value in environ.items() if DECIDING.match(name) and not LOGIN.match(name)}
    return deciding, {str(place): text for place in _files(environ, home) if (text := _text(place))}


def _named(deciding: Mapping[str, str], texts: Mapping[str, str]) -> Iterator[Path]:
    """Yield the folders that variables and configuration files name, each once."""
    lines = (line for text in texts.values() for line in text.splitlines() if not NO_SOURCE.search(line))
    yield from dict.fromkeys(path for path in map(_folder, _words((*deciding.values(), *lines))) if path)


def _files(environ: Mapping[str, str], home: Path) -> Iterator[Path]:
    """Yield the places of the configuration files of uv and pip."""
    for name in ("UV_CONFIG_FILE", "PIP_CONFIG_FILE"):
        if environ.get(name):
            yield Path(environ[name])
    config = [Path(environ.get(name) or home / ".config") for name in ("XDG_CONFIG_HOME", "APPDATA", "PROGRAMDATA")]
    config += [Path(part) for part in environ.get("XDG_CONFIG_DIRS", "/etc/xdg").split(os.pathsep) if part]
    for folder in (*dict.fromkeys(config), Path("/etc")):
        yield folder / "uv" / UV_FILE
        yield folder / "pip" / "pip.conf"
        yield folder / "pip" / "pip.ini"
    yield from (home / ".pip" / "pip.conf", Path("/etc/pip.conf"), Path(sys.prefix, "pip.conf"))


def _text(place: Path) -> str:
    with suppress(OSError):
        return place.read_text(encoding="utf-8", errors="replace")
    return ""


def _words(texts: tuple[str, ...]) -> Iterator[str]:
    """Yield whole texts, which may be paths with spaces, and their words."""
    for text in dict.fromkeys(texts):
        yield text.strip()
        yield from WORDS.findall(text)


def _content(file: Path) -> Iterator[str]:
    with suppress(OSError):
        status = file.stat()
        yield _digest(file, status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino)


@functools.cache
def _digest(file: Path, *_status: int) -> str:
    return digests.of_text(file.read_bytes(), 40)


def _refs(repository: Path) -> Iterator[str]:
    """Yield the texts of HEAD and of all references; the path may end with a reference, such as @main."""
    plain = repository if repository.exists() else repository.with_name(repository.name.rpartition("@")[0] or "@")
    folder = plain / ".git" if (plain / ".git").is_dir() else plain
    for file in (folder / "HEAD", folder / "packed-refs", *sorted((folder / "refs").rglob("*"))):
        if text := _text(file):
            yield f"{file.name} {text}"


def _folder(word: str) -> Path | None:
    """Return the local folder that a word names as a path or an address, or None."""
    text = unquote(word.removeprefix("file://")) if word.startswith("file://") else word
    if not text or (os.sep not in text and "/" not in text):
        return None
    with suppress(OSError, ValueError):
        path = Path(text)
        return path if path.is_dir() and path != Path(path.anchor) else None
    return None


def _listing(folder: Path) -> Iterator[tuple[str, int, int, int]]:
    """Yield path, size and times of the files in a folder and the folders in it; a local index has many folders."""
    inner: list[str] = []
    files = chain(_scan(str(folder), inner), (file for place in inner for file in _scan(place, [])))
    return islice(files, MAX_FILES)


def _scan(folder: str, inner: list[str]) -> Iterator[tuple[str, int, int, int]]:
    """Yield path, size and times of the files in a folder, and add the folders in it to `inner`, links excepted."""
    with suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            with suppress(OSError):
                if not entry.is_dir():
                    status = entry.stat()
                    ctime = 0 if os.name == "nt" else status.st_ctime_ns  # there it is the time of birth
                    yield entry.path, status.st_size, status.st_mtime_ns, ctime
                elif not entry.is_symlink():
                    inner.append(entry.path)
