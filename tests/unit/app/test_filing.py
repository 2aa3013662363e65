"""One issue for each failure: opened, updated only if it says something else, closed only if its cells passed."""

from __future__ import annotations

import io
import json
import os
import sys
import textwrap
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import factories
import pytest
import tracker_server
from hypothesis import given
from hypothesis import strategies as st
from tracker_server import REPOSITORY, TOKEN, State

from venvgrid.analysis import document
from venvgrid.app.filing import filing, issues, texts, trackers, transport
from venvgrid.app.filing.issues import Issue, Problem, Run
from venvgrid.cli import parser as parsers
from venvgrid.cli.commands import ci_issues
from venvgrid.cli.terminal import Terminal
from venvgrid.model import Outcome, UsageError
from venvgrid.processes import runner
from venvgrid.processes.redaction import Redactor
from venvgrid.results.report import build_report

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from venvgrid.model import CellResult, Event

BAD = factories.failure(signature="ValueError: bad @ a.py:3", longrepr="E   ValueError: bad")
CELLS = [factories.cell(f"py3.{minor}") for minor in (11, 12, 13)]


def results(*outcomes: Outcome, command: tuple[str, ...] = ("pytest",), **options: Any) -> Any:
    """Return results.json of a run of three cells."""
    found: list[CellResult] = []
    for cell, outcome in zip(CELLS, outcomes, strict=False):
        failures = {"failures": (BAD,)} if outcome is Outcome.FAILED else {}
        found.append(factories.result(cell, outcome, **{**failures, **options}))
    cells = [cell for cell, _ in zip(CELLS, outcomes, strict=False)]
    events: list[Event] = [factories.started(cells), *map(factories.finished, found), factories.ended()]
    return document.to_results(replace(build_report(events), command=command))


def run(*outcomes: Outcome, **options: Any) -> Run:
    return issues.read(results(*outcomes, **options), "results.json")


RED, GREEN, SILENT = Outcome.FAILED, Outcome.PASSED, Outcome.CANCELLED


@pytest.fixture
def server() -> Iterator[State]:
    with tracker_server.serving() as state:
        yield state


def environ(server: State, **more: str) -> dict[str, str]:
    return {"GITHUB_API_URL": server.address, "GITHUB_TOKEN": TOKEN, "GITHUB_REPOSITORY": REPOSITORY, **more}


def file(
    server: State,
    wanted: Run,
    more: dict[str, str] | None = None,
    *,
    waits: list[float] | None = None,
    dry: bool = False,
) -> filing.Filed:
    """File the issues of a run; pauses take no time, and are kept."""
    variables = environ(server, **(more or {}))
    tracker = trackers.find("", variables, runner.run, lambda _text: None)
    assert isinstance(tracker, trackers.GitHub | trackers.GitLab)
    quick = replace(tracker.transport, wait=(waits if waits is not None else []).append, clock=lambda: 1_000.0)
    return filing.file(wanted, replace(tracker, transport=quick), variables, Redactor.from_environ(variables), dry=dry)


def test_an_issue_lives_as_long_as_its_failure(server: State) -> None:
    """Opened with the label; left alone while it says the same; updated; closed; opened again."""
    assert file(server, run(RED, GREEN, GREEN)).failed == ()
    (issue,) = server.issues
    assert issue["title"] == "venvgrid: ValueError: bad value (tests/test_a.py::test_one)"
    assert issue["labels"] == [{"name": "venvgrid"}]
    assert "- `py3.11`" in issue["body"]
    assert "E   ValueError: bad" in issue["body"]
    before = len(server.writes)
    address = {"GITHUB_RUN_ID": "8", "GITHUB_SERVER_URL": "https://github.com"}
    assert file(server, run(RED, GREEN, GREEN), address).done[0].startswith("unchanged #1")
    assert len(server.writes) == before
    issue["body"] = f"I look into it.\n\n{issue['body']}\n\nSee #7."
    assert file(server, run(RED, RED, GREEN)).done[0].startswith("updated #1")
    assert issue["body"].startswith("I look into it.\n\n<!--")
    assert issue["body"].endswith("-->\n\nSee #7.")
    assert "- `py3.12`" in issue["body"]
    assert file(server, run(GREEN, GREEN, GREEN)).done[0].startswith("closed #1")
    assert (issue["state"], issue["state_reason"]) == ("closed", "completed")
    assert file(server, run(GREEN, GREEN, GREEN)).done == ()
    assert file(server, run(GREEN, RED, GREEN)).done[0].startswith("opened again #1")
    assert (issue["state"], len(server.issues)) == ("open", 1)


@pytest.mark.parametrize(
    "after",
    [
        run(SILENT, GREEN, GREEN),
        run(Outcome.BUILD_FAILED, GREEN, GREEN),
        run(Outcome.MISSING_INTERPRETER, GREEN, GREEN),
        run(Outcome.CRASHED, GREEN, GREEN),
        replace(run(GREEN), planned=frozenset({"py3.12"}), green=frozenset({"py3.12"})),
        run(GREEN, GREEN, GREEN, command=("pytest", "-k", "other")),
    ],
)
def test_an_issue_is_not_closed_unless_its_cells_passed(server: State, after: Run) -> None:
    """Not run, not built, red for another reason, not in the grid, or other tests: nothing is known."""
    file(server, run(RED, GREEN, GREEN))
    file(server, after)
    assert server.issues[0]["state"] == "open"


def test_a_part_of_the_grid_does_not_forget_the_other_cells(server: State) -> None:
    """A failure of two cells is there until both passed, also if runs between know one of them."""
    file(server, run(RED, RED, GREEN))
    part = replace(run(RED), planned=frozenset({"py3.11"}))
    assert file(server, part).done[0].startswith("unchanged")
    only = replace(run(GREEN), planned=frozenset({"py3.11"}))
    file(server, only)
    assert server.issues[0]["state"] == "open"
    file(server, run(GREEN, GREEN, GREEN))
    assert server.issues[0]["state"] == "closed"


def test_what_did_not_run_is_filed_too(server: State) -> None:
    """A shard that died and an environment that cannot be built reach a person; flaky cells do not."""
    wanted = run(SILENT, Outcome.BUILD_FAILED, GREEN)
    file(server, wanted)
    assert sorted(item["title"].split(":")[1].strip() for item in server.issues) == ["build-failed", "cancelled"]
    assert run(RED, RED, allow_failure=True).problems == ()
    assert run(Outcome.FLAKY, GREEN, Outcome.IMPOSSIBLE).problems == ()


def test_issues_of_others_are_left_alone(server: State) -> None:
    """Another grid or project, pull requests, issues without a mark, and what a person closed as not planned."""
    label = [{"name": "venvgrid"}]
    title, block = texts.written(run(RED), run(RED).problems[0], {})
    foreign = block.replace(run(RED).scope, "0" * 16)
    for body in (foreign, "no mark", None, "<!-- venvgrid-issue-1 {broken} -->", "<!-- venvgrid-issue-1 [] -->"):
        server.add(title=title, body=body, labels=label)
    server.add(title=title, body=block, labels=label, pull_request={"url": "x"})
    server.add(title=title, body=block, labels=[])
    assert file(server, run(GREEN, GREEN, GREEN)).done == ()
    server.add(title=title, body=block, labels=label, state="closed", state_reason="not_planned")
    assert "a person closed it" in file(server, run(RED, GREEN, GREEN)).done[0]
    assert server.writes == []


def test_all_pages_are_read(server: State) -> None:
    """The issue of a failure is on the third page."""
    title, block = texts.written(run(RED, GREEN, GREEN), run(RED, GREEN, GREEN).problems[0], {})
    server.add(title=title, body=block, labels=[{"name": "venvgrid"}])
    for index in range(250):
        server.add(title=str(index), body="", labels=[{"name": "venvgrid"}])
    assert file(server, run(RED, GREEN, GREEN)).done[0].startswith("unchanged #1")
    assert len(server.requests) == 3


def test_a_dry_run_writes_nothing(server: State) -> None:
    """It says what would be done."""
    assert file(server, run(RED, GREEN), dry=True).done[0].startswith("would open: venvgrid: ValueError")
    assert server.writes == []


@pytest.mark.parametrize(
    ("pattern", "status", "headers", "message", "pauses"),
    [
        ("GET", 502, {}, "Bad Gateway", [1.0]),
        ("POST .*/issues", 500, {}, "Server Error", [1.0]),
        ("POST .*/issues", 0, {}, "", [1.0]),
        ("POST .*/issues", 429, {"Retry-After": "7"}, "slow down", [7.0]),
        ("POST .*/issues", 403, {"Retry-After": "9"}, "You have exceeded a secondary rate limit", [9.0]),
        ("GET", 403, {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "1030"}, "API rate limit exceeded", [30.0]),
        ("GET", 403, {}, "You have exceeded a secondary rate limit.", [60.0]),
    ],
)
def test_what_passes_is_tried_again(
    server: State, pattern: str, status: int, headers: dict[str, str], message: str, pauses: list[float]
) -> None:
    """Errors of the server, lost connections and rate limits: after the time that they ask for."""
    waits: list[float] = []
    server.fail(pattern, status, {"message": message}, headers)
    assert file(server, run(RED, GREEN), waits=waits).failed == ()
    assert (waits, len(server.issues)) == (pauses, 1)


def test_an_issue_is_not_opened_twice(server: State) -> None:
    """The server opened it and said nothing, or an error: it is looked for before it is opened again."""
    for status in (0, 502):
        server.issues.clear()
        server.fail("POST .*/issues", status, obeyed=True)
        filed = file(server, run(RED, GREEN))
        assert (filed.failed, len(server.issues)) == ((), 1)
        assert filed.done[0].startswith("opened #1")


@pytest.mark.parametrize(
    ("status", "message", "told"),
    [
        (301, "Moved Permanently", "has moved"),
        (401, "Bad credentials", "the token is not valid"),
        (403, "Resource not accessible by integration", "needs the right to write issues"),
        (404, "Not Found", "no such repository"),
        (410, "Issues has been disabled in this repository.", "switched off"),
        (422, "Validation Failed", "Validation Failed"),
    ],
)
def test_what_a_person_has_to_mend_is_told_at_once(server: State, status: int, message: str, told: str) -> None:
    """No request is repeated, and the failure is named; others are filed."""
    other = Problem(signature="other", headline="other", cells=("py3.11",))
    wanted = run(RED, GREEN)
    server.fail("POST .*/issues", status, {"message": message})
    waits: list[float] = []
    filed = file(server, replace(wanted, problems=(*wanted.problems, other)), waits=waits)
    assert (len(filed.failed), len(filed.done), waits) == (1, 1, [])
    assert "ValueError: bad value" in filed.failed[0]
    assert told in filed.failed[0]


def test_a_token_may_end_with_a_new_line(server: State) -> None:
    """As secrets do that were pasted; one with a new line inside is refused, and not shown."""
    assert file(server, run(RED, GREEN), {"GITHUB_TOKEN": f" {TOKEN}\n"}).failed == ()
    with pytest.raises(UsageError, match="GITHUB_TOKEN is no token: it has a space, a new line"):
        file(server, run(RED, GREEN), {"GITHUB_TOKEN": "one\ntwo"})


def test_a_server_that_is_down_is_told_in_its_own_words(server: State) -> None:
    """Which server, and what the system says; an address that is none is not tried again."""
    waits: list[float] = []
    with pytest.raises(transport.TrackerError, match=r"no answer from http://127\.0\.0\.1:9: Connection refused$"):
        file(server, run(RED, GREEN), {"GITHUB_API_URL": "http://127.0.0.1:9"}, waits=waits)
    assert waits == [1.0, 2.0, 4.0]
    with pytest.raises(transport.TrackerError, match="no answer from nonsense: Invalid URL"):
        file(server, run(RED, GREEN), {"GITHUB_API_URL": "nonsense"}, waits=waits)
    assert len(waits) == 3


def test_where_gitlab_is_meant_its_token_is_asked_for() -> None:
    """The id of a project is enough to know."""
    for facts in ({"CI_PROJECT_ID": "7"}, {"GITLAB_CI": "true", "CI_PROJECT_ID": "7", "GITHUB_TOKEN": TOKEN}):
        with pytest.raises(UsageError, match="set GITLAB_TOKEN to one with the scope api"):
            trackers.find("", facts, runner.run, lambda _text: None)


def test_a_limit_without_end_is_no_reason_to_wait_for_hours(server: State) -> None:
    """A job does not hang: it is red, and says how long the wait would be."""
    limit = {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "5000"}
    server.fail("GET", 403, {"message": "API rate limit exceeded"}, limit)
    with pytest.raises(transport.TrackerError, match="wait for 4000 s"):
        file(server, run(RED, GREEN))
    for _ in range(transport.ATTEMPTS):
        server.fail("GET", 503)
    with pytest.raises(transport.TrackerError, match="status 503"):
        file(server, run(RED, GREEN))


def test_the_label_is_made_and_no_issue_stays_without_it(server: State) -> None:
    """Without the label an issue would not be found again, and filed in each run."""
    file(server, run(RED, GREEN))
    assert server.labels == {"venvgrid"}
    server.issues.clear()
    server.may_label = False
    filed = file(server, run(RED, GREEN))
    assert "did not set the label" in filed.failed[0]
    assert server.issues[0]["state"] == "closed"
    server.labels.clear()
    server.fail("POST .*/labels", 403, {"message": "Resource not accessible"})
    filed = file(server, run(RED, GREEN))
    assert "the label" in filed.failed[0]
    assert len(server.issues) == 1


def test_one_run_does_not_bury_a_tracker(server: State) -> None:
    """At most twenty new issues, and the run is red."""
    many = tuple(Problem(signature=f"s{index}", headline=f"h{index}", cells=("py3.11",)) for index in range(25))
    filed = file(server, replace(run(RED, GREEN), problems=many))
    assert (len(server.issues), filed.failed[0].startswith("5 of 25 new failures")) == (20, True)


def test_gitlab_is_spoken_too(server: State) -> None:
    """Opened, unchanged, closed, opened again, over several pages."""
    more = {
        "GITHUB_TOKEN": "",
        "GITLAB_TOKEN": TOKEN,
        "CI_API_V4_URL": f"{server.address}/gitlab",
        "CI_PROJECT_ID": REPOSITORY,
    }
    assert file(server, run(RED, GREEN), more).done[0].startswith("opened #1")
    assert file(server, run(RED, GREEN), more).done[0].startswith("unchanged #1")
    for index in range(120):
        server.add(title=str(index), description="", labels=["venvgrid"], state="opened", iid=index + 2)
    assert file(server, run(GREEN, GREEN), more).done[0].startswith("closed #1")
    assert server.issues[0]["state"] == "closed"
    assert file(server, run(RED, GREEN), more).done[0].startswith("opened again #1")
    with pytest.raises(transport.TrackerError, match="401 Unauthorized"):
        file(server, run(RED, GREEN), {**more, "GITLAB_TOKEN": "wrong"})


GH = """
    import http.client, os, sys, urllib.parse
    words = sys.argv[1:]
    assert words[:4] == ["api", "--include", "--method", words[3]], words
    place = urllib.parse.urlsplit(words[4])
    body = open(words[words.index("--input") + 1], "rb").read() if "--input" in words else b""
    there = http.client.HTTPConnection(place.netloc)
    headers = {"Authorization": "Bearer " + os.environ["TOKEN_OF_GH"], "Content-Length": str(len(body))}
    there.request(words[3], place.path + ("?" + place.query if place.query else ""), body, headers)
    answer = there.getresponse()
    sys.stdout.write("HTTP/2.0 %d %s\\r\\n" % (answer.status, answer.reason))
    sys.stdout.write("".join("%s: %s\\r\\n" % item for item in answer.getheaders()) + "\\r\\n" + answer.read().decode())
    if answer.status >= 300:
        sys.stderr.write("gh: it failed\\n")
        sys.exit(1)
"""


@pytest.mark.skipif(os.name != "posix", reason="a script with #! stands for gh")
def test_gh_is_used_without_a_token(server: State, tmp_path: Path) -> None:
    """`gh api` knows its user; its answers are read as those by HTTP, errors too."""
    program = tmp_path / "gh"
    program.write_text(f"#!{sys.executable}\n{textwrap.dedent(GH)}", encoding="utf-8")
    program.chmod(0o755)
    more = {"GITHUB_TOKEN": "", "PATH": str(tmp_path), "TOKEN_OF_GH": TOKEN}
    assert file(server, run(RED, GREEN), more).done[0].startswith("opened #1")
    assert file(server, run(GREEN, GREEN), more).done[0].startswith("closed #1")
    with pytest.raises(transport.TrackerError, match="the token is not valid"):
        file(server, run(RED, GREEN), {**more, "TOKEN_OF_GH": "wrong"})


def type_(server: State, place: Path, *words: str, **more: str) -> tuple[int, str, str]:
    out, err = io.StringIO(), io.StringIO()
    arguments = parsers.build().parse_args(["ci", "issues", str(place), *words])
    status = ci_issues.main(arguments, Terminal(out=out, err=err, environ=environ(server, **more)))
    return status, out.getvalue(), err.getvalue()


def test_the_command_is_red_if_something_was_not_filed(server: State, tmp_path: Path) -> None:
    """0 if all is filed, 3 and the name of what is not; a missing token, repository or results.json is a mistake."""
    (tmp_path / "results.json").write_text(json.dumps(results(RED, GREEN)), encoding="utf-8")
    assert type_(server, tmp_path)[:2] == (
        0,
        "opened #1: venvgrid: ValueError: bad value (tests/test_a.py::test_one)\n",
    )
    server.issues.clear()
    server.fail("POST .*/issues", 422, {"message": "Validation Failed"})
    status, _, err = type_(server, tmp_path / "results.json")
    assert (status, "not filed: open 'venvgrid: ValueError" in err) == (3, True)
    for more in ({"GITHUB_TOKEN": "", "PATH": ""}, {"GITHUB_REPOSITORY": ""}, {"GITHUB_REPOSITORY": "a/b/../c"}):
        with pytest.raises(UsageError):
            type_(server, tmp_path, **more)
    assert type_(server, tmp_path, "--dry-run", GITHUB_TOKEN="", PATH="")[0] == 0
    for content in ("", "{}", "[]", '{"format": "venvgrid-results-1"}'):
        (tmp_path / "results.json").write_text(content, encoding="utf-8")
        with pytest.raises(UsageError, match=r"results\.json"):
            type_(server, tmp_path)


def test_issues_hold_no_secrets(server: State) -> None:
    """Neither the token nor what programs printed of the variables of this job."""
    leak = replace(BAD, message="canary-9f31", longrepr="in canary-9f31", test="t[canary-9f31]")
    leak = replace(leak, signature="E: canary-9f31 @ a.py:1")
    wanted = issues.read(results(RED, GREEN, failures=(leak,)), "x")
    file(server, wanted, {"API_KEY": "canary-9f31"})
    assert "canary" not in json.dumps(server.issues)
    assert file(server, wanted, {"API_KEY": "canary-9f31"}).done[0].startswith("unchanged")
    assert TOKEN not in json.dumps(server.issues)


@given(st.text(min_size=1, max_size=300), st.lists(st.text(min_size=1, max_size=30), max_size=3))
def test_any_text_is_found_again_and_does_nothing(text: str, names: list[str]) -> None:
    """Whatever a failure says, its issue is recognised, replaced as a whole, and closed when its cells pass."""
    problem = Problem(signature=text, headline=text, cells=("py3.11",), tests=tuple(names), rule=text, longrepr=text)
    red = replace(run(RED), problems=(problem,))
    title, block = texts.written(red, problem, {})
    assert "\n" not in title
    assert (block.count(issues.END) >= 1, block.startswith("<!-- venvgrid-issue-1 {")) == (True, True)
    there = Issue(number=1, title=title, body=f"before\n{block}\nafter", is_open=True)

    def write(item: Problem) -> tuple[str, str]:
        return texts.written(red, item, {})

    (kept,) = issues.decide(red, [there], write)
    assert kept.kind == "keep"
    more = replace(problem, cells=("py3.11", "py3.12"))
    (changed,) = issues.decide(replace(red, problems=(more,)), [there], write)
    assert changed.kind == "update"
    assert changed.body.startswith("before\n<!--")
    assert changed.body.endswith("-->\nafter")
    (closed,) = issues.decide(replace(run(GREEN), scope=red.scope), [there], write)
    assert closed.kind == "close"


def test_text_of_programs_mentions_nobody() -> None:
    """It is code, or escaped."""
    said = "@everyone see #1, closes #2 </pre></details> ![x](http://e.org/x.png) ```"
    problem = Problem(signature="s", headline=said, cells=("py3.11",), tests=(said,), rule=said, longrepr=said)
    body = texts.written(run(RED), problem, {})[1]
    outside = body.replace(f"````{said}````", "").replace("````` ", "")
    assert "</details> !" not in body.replace(said, "")
    assert "fails in" in outside
    assert "<pre>\n@everyone" in body or "&#" in body


def test_very_many_cells_are_closed_only_if_all_are_green() -> None:
    """An issue names three hundred cells at most; its text stays below the limits of the trackers."""
    names = tuple(f"py3.11-numpy-{index}-some-long-name" for index in range(5_000))
    everything = replace(run(RED), planned=frozenset(names), green=frozenset())
    problem = Problem(signature="s", headline="h", cells=names, longrepr="<" * 10_000)
    title, block = texts.written(everything, problem, {})
    assert len(block) < trackers.MAX_BODY
    there = Issue(number=1, title=title, body=block, is_open=True)
    green = replace(everything, problems=(), green=frozenset(names[:400]))
    assert issues.decide(green, [there], lambda _: ("", ""))[0].kind == "keep"
    green = replace(green, green=frozenset(names))
    assert issues.decide(green, [there], lambda _: ("", ""))[0].kind == "close"
