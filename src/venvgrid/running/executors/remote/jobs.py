"""Jobs and their answers: one task for another machine, as text. Nothing is pickled.

    Job     run, bundle, attempt, the task, the build that it needs      → JSON
    Answer  the result, the stages that came to pass, logs and files     → JSON of at most 64 kB, the rest by hash

Paths below the project differ from machine to machine. In a text they stand behind a mark, and each side puts its own
in its place; so what a cell says is equal wherever it ran.
"""

from __future__ import annotations

import json
import re
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, get_args

from venvgrid.model import Event, serialization
from venvgrid.model.values import dataclass
from venvgrid.running.tasks import (
    BuildDone,
    BuildTask,
    CompileDone,
    CompileTask,
    DownloadDone,
    DownloadTask,
    ResolveDone,
    ResolveTask,
    Task,
    TaskFailed,
    TaskResult,
    TestDone,
    TestTask,
    WheelDone,
    WheelTask,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

MAX_INLINE = 48_000  # characters of a result or of a file that travel in the answer; base64 makes a third more of bytes
# What stands for the folder of the bundle, as a path and as an address, and for a NUL in a text that has one.
ROOT, URI, NUL = "\x00root\x00", "\x00uri\x00", "\x00nul\x00"
NO_LINKS: Mapping[Path, Path] = MappingProxyType({})
_MARK = re.compile("\x00(?:root|uri|nul)\x00")


@dataclass(frozen=True, slots=True, kw_only=True)
class Blob:
    """Content by its hash: `digest` is its SHA-256, `size` its bytes."""

    digest: str
    size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One task for another machine.

    `run` names the run, `plan` what may run on the machine (see `station`), `bundle` the project. `build` makes the
    environment of a test where the machine has it not. `wheel` is the project's wheel of both, `attempt` counts how
    often the task was sent. `together` is how many cells run at once on the host, all of its workers taken together.
    """

    run: str
    plan: str
    bundle: Blob
    attempt: int
    together: int
    task: Task
    build: BuildTask | None = None
    wheel: Blob | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SentFile:
    """A file of an answer: `name` in the folder of the run; `packed` is its content as zlib in base64, or `blob`."""

    name: str
    packed: str = ""
    blob: Blob | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What became of a job.

    `result` is JSON, or `long_result` has it; there is none with one of the following. `needs` are the digests of what
    the machine has to get first. `refuses` says why it does nothing of this run, `trouble` why it could not do this
    job. `error` is the traceback of a bug. `events` are the stages, `machine` is the name of where it was done.
    """

    attempt: int
    machine: str
    result: str = ""
    long_result: Blob | None = None
    events: tuple[str, ...] = ()
    files: tuple[SentFile, ...] = ()
    needs: tuple[str, ...] = ()
    refuses: str = ""
    trouble: str = ""
    error: str = ""


class Places:
    """Puts a mark in place of a folder's path in texts, and back. It marks whole paths only, not /src in /usr/src."""

    def __init__(self, root: Path, also: Mapping[Path, Path] = NO_LINKS) -> None:
        """Begin with the folder; `also` are paths through links, with the place in it to which each leads."""
        self._texts = {URI: root.as_uri(), ROOT: str(root), NUL: "\x00"}
        self._marks = {text: mark for mark, text in self._texts.items()}
        for path, place in also.items():
            self._marks.setdefault(path.as_uri(), URI + place.as_uri().removeprefix(root.as_uri()))
            self._marks.setdefault(str(path), ROOT + str(place).removeprefix(str(root)))
        paths = "|".join(re.escape(text) for text in sorted(self._marks, key=len, reverse=True) if text != "\x00")
        self._pattern = re.compile(rf"(?<![\w./-])(?:{paths})(?![\w.-])|\x00")

    def marked(self, data: Any) -> Any:
        """Return plain data with the mark."""
        return _mapped(data, lambda text: self._pattern.sub(lambda found: self._marks[found[0]], text))

    def restored(self, data: Any) -> Any:
        """Return plain data with this folder in place of the mark."""
        return _mapped(data, lambda text: _MARK.sub(lambda found: self._texts[found[0]], text))


def _mapped(data: Any, change: Callable[[str], str]) -> Any:
    if isinstance(data, str):
        return change(data)
    if isinstance(data, dict):
        return {change(key): _mapped(value, change) for key, value in data.items()}
    if isinstance(data, list):
        return [_mapped(item, change) for item in data]
    return data


def render_job(job: Job, places: Places) -> str:
    """Return a job as JSON."""
    data = {
        "run": job.run,
        "plan": job.plan,
        "bundle": serialization.to_plain(job.bundle),
        "attempt": job.attempt,
        "together": job.together,
        "task": serialization.to_tagged(job.task),
        "build": serialization.to_plain(job.build) if job.build else None,
        "wheel": serialization.to_plain(job.wheel) if job.wheel else None,
    }
    return json.dumps(places.marked(data), separators=(",", ":"))


def parse_job(plain: Any, places: Places) -> Job:
    """Return the job of a text that was read as JSON: the worker reads in it first whether it may do the job.

    Raises:
        ValueError, KeyError, TypeError: it is none.
    """
    data = places.restored(plain)
    return Job(
        run=str(data["run"]),
        plan=str(data["plan"]),
        bundle=serialization.from_plain(Blob, data["bundle"]),
        attempt=int(data["attempt"]),
        together=int(data["together"]),
        task=serialization.from_tagged(get_args(Task), data["task"]),
        build=serialization.from_plain(BuildTask, data["build"]) if data["build"] else None,
        wheel=serialization.from_plain(Blob, data["wheel"]) if data["wheel"] else None,
    )


def render_answer(answer: Answer) -> str:
    """Return an answer as JSON."""
    return json.dumps(serialization.to_plain(answer), separators=(",", ":"))


def parse_answer(text: str) -> Answer:
    """Return the answer of a text.

    Raises:
        ValueError, KeyError, TypeError: it is none.
    """
    found: Answer = serialization.from_plain(Answer, json.loads(text))
    return found


def render_value(value: TaskResult | Event, places: Places) -> str:
    """Return the result of a task, or an event, as JSON."""
    return json.dumps(places.marked(serialization.to_tagged(value)), separators=(",", ":"))


def parse_result(text: str, places: Places) -> TaskResult:
    """Return the result of a task.

    Raises:
        ValueError, KeyError, TypeError: the text holds none.
    """
    found: TaskResult = serialization.from_tagged(get_args(TaskResult), places.restored(json.loads(text)))
    return found


def is_result_of(task: Task, result: TaskResult) -> bool:
    """Return whether a result can be that of a task."""
    match task:
        case TestTask():
            return isinstance(result, TaskFailed) or (isinstance(result, TestDone) and result.result.id == task.cell.id)
        case BuildTask():
            return isinstance(result, TaskFailed | BuildDone)
        case CompileTask():
            return isinstance(result, TaskFailed | CompileDone)
        case ResolveTask():
            return isinstance(result, TaskFailed | ResolveDone)
        case WheelTask():
            return isinstance(result, TaskFailed | WheelDone)
        case DownloadTask():
            return isinstance(result, TaskFailed | DownloadDone)


def parse_event(text: str, places: Places) -> Event:
    """Return an event.

    Raises:
        ValueError, KeyError, TypeError: the text holds none.
    """
    found: Event = serialization.from_tagged(get_args(Event), places.restored(json.loads(text)))
    return found
