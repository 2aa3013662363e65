"""What of a capsule is used: arguments and variables that can do no harm; and how one is fetched."""

from __future__ import annotations

import http.server
import threading
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from recorded import CAPSULE

from venvgrid.app.reproduction import download
from venvgrid.app.reproduction.trusted import harmless, taken
from venvgrid.config import loading
from venvgrid.model import InfrastructureError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.mark.parametrize(
    ("arguments", "kept"),
    [
        ("-x -q -vv --tb=short", "-x -q -vv --tb=short"),
        ("--maxfail=2 -n 4 -pno:randomly -p no:cov", "--maxfail=2 -n 4 -pno:randomly -p no:cov"),
        ("-p evil -x", "-x"),
        ("-pevil --rootdir / -c evil.ini --basetemp=/home", ""),
        ("scripts/deploy.py tests/../x", ""),
        ("-W error::evil.X -o python_files=*.py --pyargs evil", ""),
        ("--confcutdir x -x --import-mode=append", "-x"),
    ],
)
def test_arguments_of_a_capsule_only_choose_and_show(arguments: str, kept: str) -> None:
    """Plugins, paths, folders and settings are left out, with their values; and told."""
    found, left_out = harmless(tuple(arguments.split()))
    assert " ".join(found) == kept
    assert sorted([*found, *left_out]) == sorted(arguments.split())


@pytest.mark.parametrize(
    ("expression", "is_kept"),
    [
        ("fast and not (slow or net)", True),
        ("test_x[1-2]", True),
        ("__import__('os').system('x')", False),
        ("exit()", False),
        ("a or (b)(c)", True),
    ],
)
def test_expressions_of_a_capsule_call_nothing(expression: str, is_kept: bool) -> None:  # noqa: FBT001
    """Pytest 4 evaluates them as Python."""
    assert (harmless(("-k", expression))[0] == ("-k", expression)) is is_kept


def test_variables_of_a_capsule_are_those_of_the_configuration() -> None:
    """Locale, time zone, and words for `pass-env`; never what chooses programs or libraries."""
    text = (
        '[axes]\npython = ["3.12"]\n[test]\npass-env = ["FLAG", "MY_*", "LD_PRELOAD", "PYTHONPATH", "PYTHONHASHSEED"]\n'
    )
    config = loading.parse(text, file=Path("/x/matrix.toml"))
    good = {"LANG": "de_DE.UTF-8", "TZ": "Europe/Berlin", "FLAG": "yes", "MY_1": "a,b", "PYTHONHASHSEED": "7"}
    bad = {
        "LC_ALL": "../../x",
        "LC_TIME": "/x",
        "MY_2": "/bin/x",
        "MY_3": "a b",
        "OTHER": "1",
        "HOME": "x",
        "PATH": "x",
        "LD_PRELOAD": "x.so",
        "LD_LIBRARY_PATH": "x",
        "PYTHONPATH": "x",
        "CC": "x",
        "HTTP_PROXY": "x",
        "GIT_DIR": "x",
    }
    assert taken(replace(CAPSULE, passed={**good, **bad}), config) == good


class Answers(http.server.BaseHTTPRequestHandler):
    """Answers as servers of artifacts do."""

    def do_GET(self) -> None:
        """Answer by the path."""
        status = {"/there": 200, "/large": 200, "/secret": 403, "/moved": 302, "/ftp": 302, "/gone": 404}.get(
            self.path, 500
        )
        self.send_response(status)
        targets = {"/moved": "/there", "/ftp": "file:///etc/passwd"}
        if self.path in targets:
            self.send_header("Location", targets[self.path])
        self.end_headers()
        if status == 200:
            self.wfile.write(b"x" * (10 if self.path == "/there" else 100_000))

    def log_message(self, *_: Any) -> None:
        """Print nothing."""


@contextmanager
def serving() -> Iterator[str]:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answers) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


def test_a_capsule_is_fetched_from_http_only_and_not_without_end() -> None:
    """Redirections lead to http alone; a refusal says what to do; no user or password is printed."""
    told: list[str] = []
    with serving() as address:
        for path in ("/there", "/moved"):
            assert download.fetch(address + path, notify=told.append) == b"x" * 10
        with pytest.raises(UsageError, match="more than 50,000 bytes"):
            download.fetch(f"{address}/large", limit=50_000, notify=told.append)
        with pytest.raises(InfrastructureError, match="403: an artifact needs an account"):
            download.fetch(f"{address}/secret", notify=told.append)
        with pytest.raises(InfrastructureError, match="404: there is nothing at this address, or an artifact needs"):
            download.fetch(f"{address}/gone", notify=told.append)
        with pytest.raises(InfrastructureError, match="the server says 500 Internal Server Error; try again"):
            download.fetch(f"{address}/broken", notify=told.append)
        for path in ("/ftp", "/broken"):
            with pytest.raises(InfrastructureError, match="cannot be fetched"):
                download.fetch(address + path, notify=told.append)
        download.fetch(f"{address.replace('://', '://me:hidden@')}/there", notify=told.append)
    assert "hidden" not in "".join(told)
    with pytest.raises(InfrastructureError) as nobody:
        download.fetch("http://me:hidden@127.0.0.1:9/x", notify=told.append)
    assert "cannot be fetched: no server answers at" in str(nobody.value)
    assert "Max retries" not in str(nobody.value)
    assert "hidden" not in str(nobody.value)
    for wrong in ("file:///etc/passwd", "ftp://example.org/x", "git+ssh://example.org/x"):
        assert download.is_address(wrong)
        with pytest.raises(UsageError, match="only http and https"):
            download.fetch(wrong, notify=told.append)
