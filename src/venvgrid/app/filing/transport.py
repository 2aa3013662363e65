"""Requests to the interface of a tracker: by HTTP with a token, or through `gh`, which knows its user.

A request is tried again after errors of the server, and after the time that a rate limit asks for. Errors that a person
has to mend are told at once.
"""

from __future__ import annotations

import json
import re
import shutil
import tempfile
import time
from dataclasses import field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from venvgrid.model import InfrastructureError
from venvgrid.model.values import dataclass
from venvgrid.processes.command import Command

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from venvgrid.processes.command import Runner

ATTEMPTS = 4
TIMEOUT = 30.0  # seconds
MAX_WAIT = 120.0  # seconds, that a rate limit may ask for
LIMITED = (403, 429)
SERVER_ERROR = 500
REFUSED = {
    301: "the repository has moved: give its new name with --repo",
    401: "the token is not valid, or has expired",
    403: "the token may not do this: it needs the right to write issues",
    404: "there is no such repository, or the token may not see it",
    410: "the issues of this repository are switched off",
}


class TrackerError(InfrastructureError):
    """A tracker did not do what it was asked for. `status` is that of HTTP, 0 without an answer."""

    def __init__(self, message: str, status: int = 0) -> None:
        """Keep the status."""
        self.status = status
        super().__init__(message)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """The answer to a request; names of headers are in lower case."""

    status: int
    headers: Mapping[str, str]
    text: str

    def data(self) -> Any:
        """Return what the answer holds. Raises TrackerError if it is no JSON."""
        try:
            return json.loads(self.text)
        except ValueError as error:
            raise TrackerError(f"the tracker does not answer with JSON: {self.text:.80!r}", self.status) from error


class Send(Protocol):
    """Sends one request. Raises OSError if there is no answer."""

    def __call__(self, method: str, address: str, payload: Mapping[str, Any] | None) -> Answer:
        """Send a request to an address, with JSON."""


@dataclass(frozen=True, kw_only=True)
class Transport:
    """Sends requests until there is an answer. `base` begins the addresses; `recheck` see `send`."""

    base: str
    once: Send
    wait: Callable[[float], None] = time.sleep
    clock: Callable[[], float] = time.time
    notify: Callable[[str], None] = field(default=lambda _text: None)

    def send(
        self,
        method: str,
        path: str,
        payload: Mapping[str, Any] | None = None,
        *,
        accepted: tuple[int, ...] = (),
        done: Callable[[], Any] | None = None,
    ) -> Answer:
        """Return the answer to a request: one of success, or with an `accepted` status.

        `done` is asked before a request is sent again that may have been obeyed although no answer came. If it returns
        something, the request is not sent again.

        Raises:
            TrackerError: there is none.
        """
        address = path if path.startswith(self.base) else f"{self.base}{path}"
        problem = TrackerError("no attempt")
        for attempt in range(ATTEMPTS):
            is_unknown = problem.status == 0 or problem.status >= SERVER_ERROR
            if attempt and is_unknown and done is not None and (found := done()) is not None:
                return Answer(status=200, headers={}, text=json.dumps(found))
            try:
                answer = self.once(method, address, payload)
            except OSError as error:
                problem = TrackerError(f"{method} {path}: no answer from {self.base}: {_first_cause(error):.200}")
                if isinstance(error, ValueError):  # it could not be sent: its address is none
                    raise problem from error
                self._pause(2.0**attempt, problem, attempt)
                continue
            if answer.status < 300 or answer.status in accepted:  # noqa: PLR2004  (HTTP's success)
                return answer
            problem = TrackerError(f"{method} {path}: {_why(answer)}", answer.status)
            pause = self._limit(answer)
            if pause is None and answer.status < SERVER_ERROR:
                raise problem
            self._pause(2.0**attempt if pause is None else pause, problem, attempt)
        raise problem

    def _limit(self, answer: Answer) -> float | None:
        """Return how many seconds a rate limit asks for, or None if it is none."""
        if answer.status not in LIMITED:
            return None
        after, reset = answer.headers.get("retry-after", ""), answer.headers.get("x-ratelimit-reset", "")
        if after.isdigit():
            return float(after)
        if answer.headers.get("x-ratelimit-remaining") == "0" and reset.isdigit():
            return max(1.0, float(reset) - self.clock())
        is_limit = answer.status == 429 or "rate limit" in answer.text.lower()  # noqa: PLR2004  (too many requests)
        return 60.0 if is_limit else None

    def _pause(self, seconds: float, problem: TrackerError, attempt: int) -> None:
        if seconds > MAX_WAIT:
            raise TrackerError(f"{problem}; it asks to wait for {seconds:.0f} s", problem.status)
        if attempt + 1 < ATTEMPTS:
            self.notify(f"{problem}; tried again in {seconds:.0f} s")
            self.wait(seconds)


def _first_cause(error: BaseException) -> str:
    """Return what the system said: the libraries between wrap it several times."""
    while (inner := error.__cause__ or error.__context__) is not None:
        error = inner
    return getattr(error, "strerror", None) or str(error)


def _why(answer: Answer) -> str:
    try:
        data = json.loads(answer.text)
        found = data.get("message") or data.get("error") or ""
        errors = data.get("errors") or []
        told = f"{found}{f' {json.dumps(errors)}' if errors else ''}"
    except (ValueError, AttributeError):
        told = ""
    help_ = REFUSED.get(answer.status, "")
    return f"status {answer.status}{f': {told:.300}' if told else ''}{f' ({help_})' if help_ else ''}"


def by_http(headers: Mapping[str, str]) -> Send:
    """Return a sender by HTTP. Answers are not followed to other addresses: the token would go there."""

    def once(method: str, address: str, payload: Mapping[str, Any] | None) -> Answer:
        import requests  # noqa: PLC0415  (dry runs need none)

        # Without an `auth` of ours, requests would take that of the user's .netrc.
        options: dict[str, Any] = {"headers": dict(headers), "auth": lambda request: request, "allow_redirects": False}
        found = requests.request(method, address, json=payload, timeout=TIMEOUT, **options)
        lower = {name.lower(): value for name, value in found.headers.items()}
        return Answer(status=found.status_code, headers=lower, text=found.text)

    return once


def has_gh(environ: Mapping[str, str]) -> bool:
    """Return whether `gh` is on the search path."""
    return shutil.which("gh", path=environ.get("PATH")) is not None


def by_gh(environ: Mapping[str, str], run: Runner) -> Send:
    """Return a sender through `gh api`."""

    def once(method: str, address: str, payload: Mapping[str, Any] | None) -> Answer:
        with tempfile.TemporaryDirectory(prefix="venvgrid-gh-") as folder:
            argv = ["gh", "api", "--include", "--method", method, address]
            if payload is not None:
                file = Path(folder, "payload.json")
                file.write_text(json.dumps(payload), encoding="utf-8")
                argv += ["--input", str(file)]
            done = run(Command(argv=tuple(argv), cwd=Path(folder), env=environ, timeout=2 * TIMEOUT))
        answer = _from_gh(done.stdout)
        if answer is None:
            raise OSError(done.error or done.stderr.strip()[:200] or "gh says nothing")
        return answer

    return once


def _from_gh(output: str) -> Answer | None:
    """Return the answer that `gh api --include` prints: status line, headers, an empty line, and the text."""
    head, _, body = output.replace("\r\n", "\n").partition("\n\n")
    first, *lines = head.split("\n")
    found = re.match(r"HTTP/[\d.]+ (\d{3})", first)
    if found is None:
        return None
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    return Answer(status=int(found[1]), headers=headers, text=body)
