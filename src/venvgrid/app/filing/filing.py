"""The use case "file": the issues of a tracker are made to say what a run says."""

from __future__ import annotations

from typing import TYPE_CHECKING

from venvgrid.app.filing import issues, texts
from venvgrid.app.filing.transport import TrackerError
from venvgrid.model.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from venvgrid.app.filing.issues import Action, Issue, Run
    from venvgrid.app.filing.trackers import Tracker
    from venvgrid.processes.redaction import Redactor

MAX_NEW = 20  # issues that one run may open: more would bury a tracker
DONE = {"open": "opened", "update": "updated", "reopen": "opened again", "close": "closed", "keep": "unchanged"}
WOULD = {"open": "would open", "update": "would update", "reopen": "would open again", "close": "would close"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Filed:
    """What was done, one line each, and what failed."""

    done: tuple[str, ...] = ()
    failed: tuple[str, ...] = ()


def file(run: Run, tracker: Tracker, environ: Mapping[str, str], redactor: Redactor, *, dry: bool = False) -> Filed:
    """Open, update and close the issues of a run; a failure of one does not stop the others.

    Raises:
        TrackerError: the issues that are there cannot be read.
    """
    clean = issues.cleaned(run, redactor.text)
    actions = issues.decide(clean, list(tracker.issues()), lambda item: texts.written(clean, item, environ))
    done: list[str] = []
    failed: list[str] = []
    new = [action for action in actions if action.kind == "open"]
    if len(new) > MAX_NEW:
        failed.append(f"{len(new) - MAX_NEW} of {len(new)} new failures have no issue: one run opens {MAX_NEW} at most")
        actions = [action for action in actions if action.kind != "open" or action in new[:MAX_NEW]]
    try:
        if new and not dry:
            tracker.prepare()
    except TrackerError as error:
        failed += [f"open {action.title!r}: the label: {error}" for action in new[:MAX_NEW]]
        actions = [action for action in actions if action.kind != "open"]
    for action in actions:
        if action.kind == "keep" or dry:
            done.append(_told(action, WOULD if dry and action.kind != "keep" else DONE, action.issue))
            continue
        try:
            done.append(_told(action, DONE, _perform(action, tracker)))
        except TrackerError as error:
            failed.append(f"{action.kind} {action.title!r}: {error}")
    return Filed(done=tuple(done), failed=tuple(failed))


def _perform(action: Action, tracker: Tracker) -> Issue:
    if action.issue is None:
        return tracker.create(action.title, action.body)
    changes: dict[str, Callable[[Issue], None]] = {
        "update": lambda issue: tracker.change(issue, title=action.title, body=action.body),
        "reopen": lambda issue: tracker.change(issue, title=action.title, body=action.body, is_open=True),
        "close": lambda issue: tracker.change(issue, is_open=False),
    }
    changes[action.kind](action.issue)
    return action.issue


def _told(action: Action, words: Mapping[str, str], issue: Issue | None) -> str:
    number = f" #{issue.number}" if issue else ""
    return f"{words[action.kind]}{number}: {action.title}" + (f" ({action.why})" if action.why else "")
