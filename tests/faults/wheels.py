"""Wheels and source distributions made by hand, good and bad, and an index that serves them, well or badly."""

from __future__ import annotations

import base64
import hashlib
import io
import tarfile
import threading
import time
import zipfile
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

GOOD = {"toy.py": b"VALUE = 1\n"}


def wheel(
    name: str,
    version: str,
    files: Mapping[str, bytes] | None = None,
    record: Mapping[str, str] | None = None,
    metadata: str = "",
) -> bytes:
    """Make a wheel; `record` replaces rows of RECORD (name → "hash,size"), an empty row leaves the file out of it."""
    info = f"{name}-{version}.dist-info"
    members = dict(GOOD if files is None else files)
    members[f"{info}/METADATA"] = (metadata or f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n").encode()
    members[f"{info}/WHEEL"] = b"Wheel-Version: 1.0\nGenerator: hand\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    rows = []
    for member, data in members.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
        row = (record or {}).get(member, f"sha256={digest},{len(data)}")
        rows += [f"{member},{row}"] if row else []
    rows += [f"{member},{row}" for member, row in (record or {}).items() if member not in members and row]
    members[f"{info}/RECORD"] = ("\n".join([*rows, f"{info}/RECORD,,"]) + "\n").encode()
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for member, data in members.items():
            archive.writestr(zipfile.ZipInfo(member, (2024, 1, 1, 0, 0, 0)), data, zipfile.ZIP_DEFLATED)
    return buffer.getvalue()


def sdist(name: str, version: str, members: Mapping[str, bytes | tarfile.TarInfo]) -> bytes:
    """Make a source distribution; a TarInfo is added as it is (links, devices)."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for member, data in members.items():
            if isinstance(data, tarfile.TarInfo):
                archive.addfile(data)
            else:
                entry = tarfile.TarInfo(f"{name}-{version}/{member}")
                entry.size = len(data)
                archive.addfile(entry, io.BytesIO(data))
    return buffer.getvalue()


@dataclass
class Index:
    """An index of the simple API with hand-made files; `behaviour` says what it does instead of serving.

    "ok", "500", "403", "garbage", "drop" (closes in the middle of a file), "slow" (a byte now and then), "hash" (files
    are not what their hashes say), "loop" (redirects to itself), "flaky" (the first two answers are 503), "local"
    (redirects to a file of this machine), "many" (100,000 other links on every page), "named" (files are sent with a
    name that leads out), "hangs" (never answers), "login" (a page to log in, with status 200), "empty" (pages without
    files), "login-file" and "empty-file" (such answers in place of files). `bad` restricts these to names. `attributes`
    are those of a file's link; `max_age` are the seconds for which a page may be kept.
    """

    files: dict[str, bytes] = field(default_factory=dict)
    behaviour: str = "ok"
    password: str = ""  # of the user "me": asked for if there is one
    asked: list[str] = field(default_factory=list)
    address: str = ""
    bad: frozenset[str] = frozenset()  # all if it is empty
    attributes: dict[str, str] = field(default_factory=dict)
    max_age: int = 0
    over: threading.Event = field(default_factory=threading.Event)

    def add(
        self, name: str, version: str, data: bytes | None = None, kind: str = "wheel", *, attributes: str = ""
    ) -> None:
        """Serve a distribution; `attributes` of its link: "data-yanked", 'data-requires-python="&gt;=3.8"'."""
        ending = "-py3-none-any.whl" if kind == "wheel" else ".tar.gz"
        self.files[f"{name}-{version}{ending}"] = data if data is not None else wheel(name, version)
        self.attributes[f"{name}-{version}{ending}"] = attributes

    @contextmanager
    def serving(self) -> Iterator[Index]:
        """Serve on a free port of this machine."""
        index = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                with suppress(BrokenPipeError, ConnectionResetError):
                    index._answer(self)

            def do_HEAD(self) -> None:
                with suppress(BrokenPipeError, ConnectionResetError):
                    index._answer(self)

            def log_message(self, *_: object) -> None:
                """Print nothing."""

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        self.address = f"http://127.0.0.1:{server.server_address[1]}/simple"
        try:
            yield self
        finally:
            self.over.set()
            server.shutdown()
            server.server_close()

    def _answer(self, request: BaseHTTPRequestHandler) -> None:
        self.asked.append(request.path)
        if self.password and request.headers.get("Authorization") != self._basic():
            self._send(request, 401, b"who are you?", {"WWW-Authenticate": 'Basic realm="index"'})
        elif self.behaviour in {"500", "403"}:
            self._send(request, int(self.behaviour), b"no")
        elif self.behaviour == "flaky" and len(self.asked) <= 2:
            self._send(request, 503, b"later")
        elif self.behaviour == "loop":
            self._send(request, 302, b"", {"Location": request.path})
        elif self.behaviour == "hangs":
            self.over.wait()
        elif self.behaviour == "local":
            self._send(request, 302, b"", {"Location": "file:///etc/hosts"})
        elif self.behaviour == "garbage":
            self._send(request, 200, bytes(range(256)) * 40, {"Content-Type": "text/html"})
        elif request.path.startswith("/files/"):
            self._file(request, request.path.removeprefix("/files/"))
        else:
            self._page(request, request.path.removeprefix("/simple/").strip("/"))

    def _basic(self) -> str:
        return "Basic " + base64.b64encode(f"me:{self.password}".encode()).decode()

    def _page(self, request: BaseHTTPRequestHandler, name: str) -> None:
        if self.behaviour in {"login", "empty"} and (not self.bad or name in self.bad):
            form = (
                '<form action="/login"><a href="/forgotten">forgotten?</a></form>' if self.behaviour == "login" else ""
            )
            body = f"<!DOCTYPE html><html><head><title>Sign in</title></head><body>{form}</body></html>".encode()
            self._send(request, 200, body, {"Content-Type": "text/html; charset=utf-8"})
            return
        found = [file for file in self.files if file.split("-")[0].lower().replace("_", "-") == name]
        if not found:
            self._send(request, 404, b"none")
            return
        rows = []
        for file in found:
            digest = hashlib.sha256(b"x" if self.behaviour == "hash" else self.files[file]).hexdigest()
            rows.append(f'<a href="/files/{file}#sha256={digest}" {self.attributes.get(file, "")}>{file}</a>')
        if self.behaviour == "many":
            rows += [
                f'<a href="/files/{name}-0.{n}-py3-none-any.whl">{name}-0.{n}-py3-none-any.whl</a>'
                for n in range(100_000)
            ]
        page = f"<!DOCTYPE html><html><body>{''.join(rows)}</body></html>".encode()
        kept = {"Cache-Control": f"max-age={self.max_age}"} if self.max_age else {}
        self._send(request, 200, page, {"Content-Type": "text/html", **kept})

    def _file(self, request: BaseHTTPRequestHandler, name: str) -> None:
        data = self.files.get(name)
        is_bad = not self.bad or name.split("-", maxsplit=1)[0] in self.bad
        if data is None:
            self._send(request, 404, b"none")
        elif self.behaviour in {"login-file", "empty-file"} and is_bad:
            body = b"<!DOCTYPE html><html><body><form></form></body></html>" if self.behaviour == "login-file" else b""
            self._send(request, 200, body, {"Content-Type": "text/html"})
        elif self.behaviour == "drop":
            request.send_response(200)
            request.send_header("Content-Length", str(len(data)))
            request.end_headers()
            request.wfile.write(data[: len(data) // 2])
            request.close_connection = True
        elif self.behaviour == "slow":
            request.send_response(200)
            request.send_header("Content-Length", str(len(data)))
            request.end_headers()
            for byte in data:
                request.wfile.write(bytes([byte]))
                request.wfile.flush()
                time.sleep(0.004)
        else:
            named = (
                {"Content-Disposition": 'attachment; filename="../../../out.whl"'} if self.behaviour == "named" else {}
            )
            self._send(request, 200, data, {"Content-Type": "application/octet-stream", **named})

    def _send(
        self, request: BaseHTTPRequestHandler, status: int, body: bytes, headers: Mapping[str, str] | None = None
    ) -> None:
        request.send_response(status)
        for key, value in (headers or {}).items():
            request.send_header(key, value)
        request.send_header("Content-Length", str(len(body)))
        request.end_headers()
        if request.command != "HEAD":
            request.wfile.write(body)
