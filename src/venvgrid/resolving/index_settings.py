"""The package indexes of this user, as uv or pip would use them: addresses, credentials, and the fetcher.

Sources are environment variables, uv.toml, pip.conf, netrc and the keyring program.
"""

from __future__ import annotations

import configparser
import functools
import os
import re
import sys
import tomllib
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote, unquote, urlsplit

from venvgrid.processes import runner
from venvgrid.processes.command import Command
from venvgrid.resolving import index_digest
from venvgrid.resolving.index import REFUSED, Index, Page

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

DEFAULT = "https://pypi.org/simple"
TIMEOUT = 30.0  # seconds


def from_environ(environ: Mapping[str, str], cache: Path, *, offline: bool = False, refresh: bool = False) -> Index:
    """Make the index client with the addresses and credentials of this user."""
    found, get = addresses(environ, Path.home()), fetcher(environ)
    folders = index_digest.folders(environ, Path.home())
    return Index(addresses=found, cache=cache, get=get, offline=offline, refresh=refresh, folders=folders)


def addresses(environ: Mapping[str, str], home: Path) -> tuple[str, ...]:
    """Return the addresses that uv or pip would use, extra indexes first, as in uv; none if they use no index."""
    if environ.get("UV_NO_INDEX", environ.get("PIP_NO_INDEX", "")).lower() in {"1", "true", "yes", "on"}:
        return ()
    extra = [_with_credentials(word, environ) for word in environ.get("UV_INDEX", "").split()]
    extra += environ.get("UV_EXTRA_INDEX_URL", environ.get("PIP_EXTRA_INDEX_URL", "")).split()
    default = environ.get("UV_DEFAULT_INDEX") or environ.get("UV_INDEX_URL") or environ.get("PIP_INDEX_URL")
    if not default:
        default = _from_uv(environ, home, extra) or _from_pip(environ, home) or DEFAULT
    return tuple(dict.fromkeys(item for item in (*extra, default) if item.startswith(("http://", "https://"))))


def _with_credentials(entry: str, environ: Mapping[str, str]) -> str:
    """Return the address of "NAME=ADDRESS", with user and password from uv's variables for that name."""
    name, equals, address = entry.partition("=")
    if not equals or "://" in name:
        return entry
    key = re.sub(r"[^A-Z0-9]", "_", name.upper())
    user, password = (environ.get(f"UV_INDEX_{key}_{part}", "") for part in ("USERNAME", "PASSWORD"))
    scheme, _, rest = address.partition("://")
    if not (user or password) or "@" in rest.split("/")[0]:
        return address
    return f"{scheme}://{quote(user, safe='')}:{quote(password, safe='')}@{rest}"


def _from_uv(environ: Mapping[str, str], home: Path, extra: list[str]) -> str:
    folder = Path(environ.get("APPDATA") or environ.get("XDG_CONFIG_HOME") or home / ".config")
    with suppress(OSError, tomllib.TOMLDecodeError, AttributeError, TypeError):
        data = tomllib.loads((folder / "uv" / "uv.toml").read_text(encoding="utf-8"))
        default = str(data.get("index-url") or "")
        for item in data.get("index", []):
            if item.get("default"):
                default = str(item["url"])
            else:
                extra.append(str(item["url"]))
        return default
    return ""


def _from_pip(environ: Mapping[str, str], home: Path) -> str:
    config = Path(environ.get("XDG_CONFIG_HOME") or home / ".config")
    places = [config / "pip" / "pip.conf", home / ".pip" / "pip.conf", Path("/etc/pip.conf")]
    places += [Path(environ.get("APPDATA") or home) / "pip" / "pip.ini", Path(sys.prefix) / "pip.conf"]
    if environ.get("PIP_CONFIG_FILE"):
        places.insert(0, Path(environ["PIP_CONFIG_FILE"]))
    for place in places:
        parser = configparser.RawConfigParser()
        with suppress(OSError, configparser.Error, UnicodeDecodeError):
            if parser.read(place, encoding="utf-8") and parser.has_option("global", "index-url"):
                return parser.get("global", "index-url").strip()
    return ""


def fetcher(environ: Mapping[str, str]) -> Callable[[str, str], Page]:
    """Return a function that fetches an address, with the user's proxies, netrc and certificates."""

    def get(address: str, accept: str) -> Page:
        import requests  # noqa: PLC0415  (70 ms, and only policies need it)

        names = ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "PIP_CERT")
        certificates = next((environ[name] for name in names if environ.get(name)), None)
        verify = certificates if certificates and os.path.exists(certificates) else True  # noqa: PTH110
        fetch = functools.partial(requests.get, address, headers={"Accept": accept}, timeout=TIMEOUT, verify=verify)
        response = fetch()
        if response.status_code == REFUSED and (login := _from_keyring(address, environ)):
            response = fetch(auth=login)
        return Page(status=response.status_code, kind=response.headers.get("content-type", ""), text=response.text)

    return get


def _from_keyring(address: str, environ: Mapping[str, str]) -> tuple[str, str] | None:
    """Return user and password from the program keyring, if uv or pip are set to use it, or None."""
    parts = urlsplit(address)
    providers = {environ.get("UV_KEYRING_PROVIDER"), environ.get("PIP_KEYRING_PROVIDER")}
    if "subprocess" not in providers or not parts.username:
        return None
    user, host = unquote(parts.username), parts.netloc.rpartition("@")[2]
    for service in (f"{parts.scheme}://{host}{parts.path}", host):
        argv = ("keyring", "get", service, user)
        done = runner.run(Command(argv=argv, cwd=Path.cwd(), env=environ, timeout=TIMEOUT))
        if done.exit_code == 0 and done.stdout.strip():
            return user, done.stdout.strip("\r\n")
    return None
