"""The interfaces of GitHub and GitLab for issues, as far as `venvgrid ci issues` needs them.

Issues of venvgrid are found by their label, so one is never filed without it: it would be filed again in each run.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import quote

from venvgrid.app.filing.issues import Issue, mark_of
from venvgrid.app.filing.transport import TrackerError, Transport, by_gh, by_http, has_gh
from venvgrid.model import UsageError
from venvgrid.model.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from venvgrid.processes.command import Runner

LABEL, COLOUR, PURPOSE = "venvgrid", "b60205", "Failures of the test grid, filed by venvgrid ci issues"
PAGE = 100  # issues
MAX_PAGES = 100
MAX_BODY = 60_000  # characters; GitHub takes 65,536
EXISTS = (409, 422)  # the label is there already
NOT_FOUND = 404
_NEXT = re.compile(r'<([^>]+)>;\s*rel="next"')
_GITHUB_NAME = re.compile(r"[A-Za-z0-9_.-]+/[A-Za-z0-9_.-]+")
_GITLAB_NAME = re.compile(r"\d+|[A-Za-z0-9_.-]+(?:/[A-Za-z0-9_.-]+)+")


class Tracker(Protocol):
    """The issues of a repository."""

    def issues(self) -> Iterator[Issue]:
        """Yield all issues with the label, open and closed. Raises TrackerError."""

    def prepare(self) -> None:
        """Make the label if it is missing. Raises TrackerError."""

    def create(self, title: str, body: str) -> Issue:
        """Open an issue, and return it. Raises TrackerError."""

    def change(self, issue: Issue, *, title: str = "", body: str = "", is_open: bool | None = None) -> None:
        """Change an issue: what is given. Raises TrackerError."""


@dataclass(frozen=True, kw_only=True)
class GitHub:
    """The issues of a repository of GitHub, by its REST interface (2022-11-28)."""

    repository: str
    transport: Transport

    def issues(self) -> Iterator[Issue]:
        """Yield all issues with the label; pull requests are issues too for GitHub, and left out."""
        path = f"/repos/{self.repository}/issues?labels={LABEL}&state=all&per_page={PAGE}"
        for item in _pages(self.transport, path, lambda answer: _link(answer.headers)):
            if "pull_request" not in item:
                yield _github_issue(item)

    def prepare(self) -> None:
        """Make the label if it is missing."""
        path = f"/repos/{self.repository}/labels"
        if self.transport.send("GET", f"{path}/{LABEL}", accepted=(NOT_FOUND,)).status == NOT_FOUND:
            label = {"name": LABEL, "color": COLOUR, "description": PURPOSE}
            self.transport.send("POST", path, label, accepted=EXISTS)

    def create(self, title: str, body: str) -> Issue:
        """Open an issue. Without its label it is closed again at once."""
        payload = {"title": title, "body": body[:MAX_BODY], "labels": [LABEL]}

        def done() -> Any:
            return _same(self.issues(), body)

        path = f"/repos/{self.repository}/issues"
        data = self.transport.send("POST", path, payload, done=done).data()
        if isinstance(data, list):
            (number, address) = data
            return Issue(number=number, title=title, body=body, is_open=True, address=address)
        made = _github_issue(data)
        if not any(_name(item) == LABEL for item in data.get("labels", [])):
            self.change(made, is_open=False)
            raise TrackerError(
                f"GitHub did not set the label {LABEL!r} of issue {made.number}: who files issues needs push rights"
            )
        return made

    def change(self, issue: Issue, *, title: str = "", body: str = "", is_open: bool | None = None) -> None:
        """Change an issue."""
        payload: dict[str, Any] = {
            name: value for name, value in (("title", title), ("body", body[:MAX_BODY])) if value
        }
        if is_open is not None:
            payload |= {"state": "open"} if is_open else {"state": "closed", "state_reason": "completed"}
        self.transport.send("PATCH", f"/repos/{self.repository}/issues/{issue.number}", payload)


@dataclass(frozen=True, kw_only=True)
class GitLab:
    """The issues of a project of GitLab, by its REST interface (v4). It makes missing labels by itself."""

    repository: str
    transport: Transport

    @property
    def _path(self) -> str:
        return f"/projects/{quote(self.repository, safe='')}/issues"

    def issues(self) -> Iterator[Issue]:
        """Yield all issues with the label."""
        path = f"{self._path}?labels={LABEL}&state=all&scope=all&per_page={PAGE}"

        def after(answer: Any) -> str:
            page = answer.headers.get("x-next-page", "")
            return f"{path}&page={page}" if page.isdigit() else _link(answer.headers)

        for item in _pages(self.transport, path, after):
            yield _gitlab_issue(item)

    def prepare(self) -> None:
        """Do nothing."""

    def create(self, title: str, body: str) -> Issue:
        """Open an issue."""
        payload = {"title": title, "description": body[:MAX_BODY], "labels": LABEL}
        data = self.transport.send("POST", self._path, payload, done=lambda: _same(self.issues(), body)).data()
        if isinstance(data, list):
            (number, address) = data
            return Issue(number=number, title=title, body=body, is_open=True, address=address)
        made = _gitlab_issue(data)
        if LABEL not in data.get("labels", []):
            self.change(made, is_open=False)
            raise TrackerError(
                f"GitLab did not set the label {LABEL!r} of issue {made.number}: who files issues must be a reporter"
            )
        return made

    def change(self, issue: Issue, *, title: str = "", body: str = "", is_open: bool | None = None) -> None:
        """Change an issue."""
        payload = {name: value for name, value in (("title", title), ("description", body[:MAX_BODY])) if value}
        if is_open is not None:
            payload["state_event"] = "reopen" if is_open else "close"
        self.transport.send("PUT", f"{self._path}/{issue.number}", payload)


@dataclass(frozen=True, kw_only=True)
class Unknown:
    """A tracker that cannot be asked, for dry runs: no issue is known."""

    def issues(self) -> Iterator[Issue]:
        """Yield nothing."""
        return iter(())

    def prepare(self) -> None:
        """Do nothing."""

    def create(self, title: str, body: str) -> Issue:
        """Raise TrackerError."""
        raise TrackerError(f"{title}: there is no tracker for {len(body)} characters")

    def change(self, issue: Issue, *, title: str = "", body: str = "", is_open: bool | None = None) -> None:
        """Raise TrackerError."""
        raise TrackerError(f"{title or body or is_open}: there is no tracker for issue {issue.number}")


def find(repository: str, environ: Mapping[str, str], run: Runner, notify: Callable[[str], None]) -> Tracker:
    """Return the tracker of a repository, by the variables of GitHub or GitLab, or through `gh`.

    Raises:
        UsageError: the repository or the token is missing.
    """
    of_gitlab, of_github = (
        _token(environ, "GITLAB_TOKEN"),
        _token(environ, "GITHUB_TOKEN") or _token(environ, "GH_TOKEN"),
    )
    is_in_github = bool(environ.get("GITHUB_ACTIONS"))
    names_gitlab = bool(of_gitlab or (environ.get("CI_PROJECT_ID") and not is_in_github))
    if (names_gitlab and not of_github) or (environ.get("GITLAB_CI") and not is_in_github):
        name = repository or environ.get("CI_PROJECT_ID", "")
        token = of_gitlab
        _check(name, _GITLAB_NAME, "GROUP/NAME")
        if not token:
            raise UsageError("there is no token: set GITLAB_TOKEN to one with the scope api")
        base = environ.get("CI_API_V4_URL", "https://gitlab.com/api/v4")
        return GitLab(repository=name, transport=_transport(base, by_http({"PRIVATE-TOKEN": token}), notify))
    name = repository or environ.get("GITHUB_REPOSITORY", "")
    _check(name, _GITHUB_NAME, "OWNER/NAME")
    token = of_github
    base = environ.get("GITHUB_API_URL", "https://api.github.com").rstrip("/")
    if token:
        headers = {"Authorization": f"Bearer {token}", "Accept": "application/vnd.github+json"}
        once = by_http({**headers, "X-GitHub-Api-Version": "2022-11-28"})
    elif has_gh(environ):
        once = by_gh(environ, run)
    else:
        raise UsageError("there is no token: set GITHUB_TOKEN to one that may write issues, or install gh and log in")
    return GitHub(repository=name, transport=_transport(base, once, notify))


def _token(environ: Mapping[str, str], name: str) -> str:
    """Return the token in a variable, "" if there is none. A secret that was pasted often ends with a new line."""
    token = environ.get(name, "").strip()
    if not re.fullmatch(r"[!-~]*", token):  # the message of who sends it would show it
        raise UsageError(f"{name} is no token: it has a space, a new line or an odd letter inside; set it again")
    return token


def _transport(base: str, once: Any, notify: Callable[[str], None]) -> Transport:
    return Transport(base=base.rstrip("/"), once=once, notify=notify)


def _check(name: str, form: re.Pattern[str], shown: str) -> None:
    if not name:
        raise UsageError(f"say which repository: --repo {shown}")
    if not form.fullmatch(name) or ".." in name:
        raise UsageError(f"--repo {name!r:.80}: write {shown}")


def _pages(transport: Transport, path: str, after: Callable[[Any], str]) -> Iterator[dict[str, Any]]:
    """Yield the items of all pages."""
    for _ in range(MAX_PAGES):
        answer = transport.send("GET", path)
        data = answer.data()
        if not isinstance(data, list) or not all(isinstance(item, dict) for item in data):
            raise TrackerError(f"GET {path}: the answer is no list of issues", answer.status)
        yield from data
        path = after(answer)
        if not path:
            return
    raise TrackerError(f"there are more than {MAX_PAGES * PAGE} issues with the label {LABEL!r}")


def _link(headers: Mapping[str, str]) -> str:
    found = _NEXT.search(headers.get("link", ""))
    return found[1] if found else ""


def _same(known: Iterator[Issue], body: str) -> list[Any] | None:
    """Return number and address of an open issue about the same failure, or None."""
    wanted = mark_of(body)
    for issue in known:
        mark = mark_of(issue.body)
        if issue.is_open and mark and wanted and (mark.scope, mark.signature) == (wanted.scope, wanted.signature):
            return [issue.number, issue.address]
    return None


def _github_issue(item: Mapping[str, Any]) -> Issue:
    return Issue(
        number=int(item["number"]),
        title=str(item.get("title") or ""),
        body=str(item.get("body") or ""),
        is_open=item.get("state") == "open",
        refused=item.get("state_reason") == "not_planned",
        address=str(item.get("html_url") or ""),
    )


def _gitlab_issue(item: Mapping[str, Any]) -> Issue:
    return Issue(
        number=int(item["iid"]),
        title=str(item.get("title") or ""),
        body=str(item.get("description") or ""),
        is_open=item.get("state") == "opened",
        address=str(item.get("web_url") or ""),
    )


def _name(label: Any) -> str:
    return str(label.get("name", "")) if isinstance(label, dict) else str(label)
