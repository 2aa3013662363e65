"""A server on this machine that answers as the interfaces of GitHub and GitLab for issues are documented."""

from __future__ import annotations

import http.server
import json
import re
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, unquote, urlsplit

if TYPE_CHECKING:
    from collections.abc import Iterator

TOKEN = "token-of-a-robot"
REPOSITORY = "pallets/demo"
MAX_BODY = 65_536


@dataclass
class State:
    """What the server holds. `failures` are answers for the next requests that a pattern fits, each once.

    A failure is (pattern of "METHOD path", status, headers, JSON, whether the request is obeyed all the same); the
    status 0 is a connection that ends without an answer.
    """

    issues: list[dict[str, Any]] = field(default_factory=list)
    labels: set[str] = field(default_factory=set)
    may_label: bool = True
    failures: list[tuple[str, int, dict[str, str], Any, bool]] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)
    address: str = ""

    @property
    def writes(self) -> list[str]:
        """The requests that change something."""
        return [item for item in self.requests if not item.startswith("GET")]

    def fail(
        self,
        pattern: str,
        status: int,
        data: Any = None,
        headers: dict[str, str] | None = None,
        *,
        obeyed: bool = False,
    ) -> None:
        """Let the next request that the pattern fits fail."""
        self.failures.append((pattern, status, headers or {}, data or {"message": "no"}, obeyed))

    def add(self, **values: Any) -> dict[str, Any]:
        """Add an issue."""
        number = len(self.issues) + 1
        issue = {
            "number": number,
            "state": "open",
            "state_reason": None,
            "labels": [],
            "html_url": f"{self.address}/{REPOSITORY}/issues/{number}",
            **values,
        }
        self.issues.append(issue)
        return issue


class Handler(http.server.BaseHTTPRequestHandler):
    """One request; `state` is set by `serving`."""

    state: State
    protocol_version = "HTTP/1.1"

    def _answer(self) -> None:
        length = int(self.headers.get("content-length") or 0)
        payload = json.loads(self.rfile.read(length)) if length else {}
        asked = f"{self.command} {unquote(self.path)}"
        self.state.requests.append(asked)
        for failure in self.state.failures:
            pattern, status, headers, data, obeyed = failure
            if re.match(pattern, asked):
                self.state.failures.remove(failure)
                if obeyed:
                    self._obey(payload)
                if status == 0:
                    self.close_connection = True
                    self.connection.close()
                    return
                self._send(status, data, headers)
                return
        self._send(*self._obey(payload))

    do_GET = do_POST = do_PATCH = do_PUT = _answer  # noqa: N815  (names of the standard library)

    def _obey(self, payload: dict[str, Any]) -> tuple[int, Any, dict[str, str]]:
        path = unquote(urlsplit(self.path).path)
        if path.startswith("/gitlab/"):
            return self._gitlab(path.removeprefix(f"/gitlab/projects/{REPOSITORY}"), payload)
        if self.headers.get("authorization") != f"Bearer {TOKEN}":
            return 401, {"message": "Bad credentials"}, {}
        if not path.startswith(f"/repos/{REPOSITORY}/"):
            return 404, {"message": "Not Found"}, {}
        return self._github(path.removeprefix(f"/repos/{REPOSITORY}"), payload)

    def _github(self, path: str, payload: dict[str, Any]) -> tuple[int, Any, dict[str, str]]:
        state = self.state
        if path.startswith("/labels/"):
            name = path.removeprefix("/labels/")
            return (200, {"name": name}, {}) if name in state.labels else (404, {"message": "Not Found"}, {})
        if path == "/labels":
            if payload["name"] in state.labels:
                return 422, {"message": "Validation Failed", "errors": [{"code": "already_exists"}]}, {}
            state.labels.add(payload["name"])
            return 201, payload, {}
        if path == "/issues" and self.command == "GET":
            return self._page()
        if len(payload.get("body", "")) > MAX_BODY:
            return 422, {"message": "Validation Failed", "errors": [{"field": "body", "code": "too_long"}]}, {}
        if path == "/issues":
            labels = [{"name": name} for name in payload["labels"] if state.may_label]
            return 201, state.add(title=payload["title"], body=payload["body"], labels=labels), {}
        issue = state.issues[int(path.rpartition("/")[2]) - 1]
        issue.update(payload)
        return 200, issue, {}

    def _page(self) -> tuple[int, Any, dict[str, str]]:
        asked = {name: values[0] for name, values in parse_qs(urlsplit(self.path).query).items()}
        size, page = min(100, int(asked.get("per_page", 30))), int(asked.get("page", 1))
        wanted = [
            item
            for item in reversed(self.state.issues)
            if asked.get("state") in {"all", item["state"]}
            and asked["labels"] in [label if isinstance(label, str) else label["name"] for label in item["labels"]]
        ]
        headers = {}
        if len(wanted) > page * size:
            path, _, query = self.path.partition("?")
            query = re.sub(r"&page=\d+", "", query)
            headers["Link"] = f'<{self.state.address}{path}?{query}&page={page + 1}>; rel="next", <x>; rel="last"'
            headers["X-Next-Page"] = str(page + 1)
        return 200, wanted[(page - 1) * size : page * size], headers

    def _gitlab(self, path: str, payload: dict[str, Any]) -> tuple[int, Any, dict[str, str]]:
        if self.headers.get("private-token") != TOKEN:
            return 401, {"message": "401 Unauthorized"}, {}
        if path == "/issues" and self.command == "GET":
            status, items, headers = self._page()
            return status, items, {name: value for name, value in headers.items() if name != "Link"}
        if path == "/issues":
            made = self.state.add(state="opened", title=payload["title"], description=payload["description"])
            made |= {"iid": made["number"], "labels": payload["labels"].split(","), "web_url": made["html_url"]}
            return 201, made, {}
        issue = self.state.issues[int(path.rpartition("/")[2]) - 1]
        event = payload.pop("state_event", "")
        issue.update(payload, **({"state": {"close": "closed", "reopen": "opened"}[event]} if event else {}))
        return 200, issue, {}

    def _send(self, status: int, data: Any, headers: dict[str, str]) -> None:
        content = json.dumps(data).encode()
        self.send_response(status)
        for name, value in {**headers, "Content-Type": "application/json", "Content-Length": str(len(content))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: Any) -> None:
        """Print nothing."""


@contextmanager
def serving() -> Iterator[State]:
    """Yield the state of a server that runs meanwhile."""
    state = State()
    handler = type("Own", (Handler,), {"state": state})
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        state.address = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield state
        finally:
            server.shutdown()
            thread.join()
