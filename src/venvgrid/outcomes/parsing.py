"""The lines of the probe's stream as records. Pure."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any

from venvgrid.model import CaseOutcome
from venvgrid.outcomes import records, signatures
from venvgrid.outcomes.causes import pytest_errors

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from venvgrid.outcomes.records import Record

ID_LIMIT = 1 << 14  # characters
TEXT_LIMIT = 25_000


def parse(line: bytes, source: str) -> Record | None:
    """Parse a line into a record, or None if it is not one of the probe's."""
    try:
        data = json.loads(line)
        return _MAKERS[data["t"]](source, data)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return None


def _session(source: str, data: dict[str, Any]) -> Record:
    texts = ("executable", "prefix", "version", "implementation", "pytest")
    variables = {str(name): value if value is None else str(value) for name, value in data.get("variables", {}).items()}
    return records.Session(
        source=source,
        worker=_text(data, "worker"),
        pid=int(data["pid"]),
        variables=variables,
        **{key: _text(data, key) for key in texts},
    )


def _collected(source: str, data: dict[str, Any]) -> Record:
    return records.Collected(source=source, ids=int(data["ids"]))


def _same(source: str, data: dict[str, Any]) -> Record:
    return records.Same(source=source, id=_id(data), tests=int(data["tests"]))


def _deselected(source: str, data: dict[str, Any]) -> Record:
    return records.Deselected(source=source, tests=int(data["tests"]), last_failed=data.get("lf") is True)


def _left(source: str, data: dict[str, Any]) -> Record:
    return records.Left(source=source, tests=int(data["tests"]), why=_text(data, "why"))


def _started(source: str, data: dict[str, Any]) -> Record:
    return records.Started(source=source, id=_id(data))


def _tried(source: str, data: dict[str, Any]) -> Record:
    return records.Tried(source=source, id=_id(data))


def _reported(source: str, data: dict[str, Any]) -> Record:
    verdict = CaseOutcome(data["verdict"])
    kind, message, where, longrepr = "", "", "", ""
    if verdict in {CaseOutcome.FAILED, CaseOutcome.ERROR}:
        longrepr = _text(data, "longrepr")
        default = "Failed" if verdict is CaseOutcome.FAILED else "Error"
        kind, message = signatures.kind_and_message(_text(data, "crash"), longrepr, default)
        if twice := pytest_errors.file_mismatch(longrepr):
            kind, message = default, twice
        where = _text(data, "where") or signatures.last_frame(longrepr)
    elif "crash" in data:  # of a skip: "Skipped: no display"
        message = signatures.kind_and_message(_text(data, "crash"))[1]
    duration = float(data.get("duration", 0.0))
    return records.Reported(
        source=source,
        id=_id(data),
        verdict=verdict,
        duration=duration if 0.0 <= duration < math.inf else 0.0,
        kind=kind,
        message=message,
        where=where,
        longrepr=longrepr,
        collecting=data["t"] == "collect",
        lost=data.get("lost") is True,
        ran=data.get("ran") is not False,
        reruns=int(data.get("reruns", 0)),
    )


def _stopped(source: str, data: dict[str, Any]) -> Record:
    kind, message = signatures.kind_and_message(_text(data, "crash"), _text(data, "longrepr"), "")
    return records.Stopped(source=source, why=_text(data, "why"), kind=kind, message=message)


def _attested(source: str, data: dict[str, Any]) -> Record:
    project = data.get("project") or {}
    return records.Attested(
        source=source,
        worker=_text(data, "worker"),
        packages={_clean(key): _text(data["packages"], key) for key in data.get("packages", {})},
        origins={_clean(key): _text(data["origins"], key) for key in data.get("origins", {})},
        imported=tuple(_clean(name) for name in data.get("imported", ())),
        project_version=_text(project, "version"),
        project_origin=_text(project, "origin"),
        project_imported=project.get("imported") is True,
        seed=_text(data, "seed"),
        error=_text(data, "error"),
    )


def _finished(source: str, data: dict[str, Any]) -> Record:
    status = data["exitstatus"]
    return records.Finished(
        source=source, exitstatus=None if status is None else int(status), worker=_text(data, "worker")
    )


_MAKERS: Mapping[str, Callable[[str, dict[str, Any]], Record]] = {
    "session": _session,
    "collected": _collected,
    "same": _same,
    "deselected": _deselected,
    "left": _left,
    "start": _started,
    "tried": _tried,
    "test": _reported,
    "collect": _reported,
    "stop": _stopped,
    "attest": _attested,
    "finish": _finished,
}


def _id(data: Mapping[str, Any]) -> str:
    name = data["id"]
    if not isinstance(name, str) or len(name) > ID_LIMIT:
        raise TypeError
    return signatures.stable_id(_clean(name))


def _text(data: Mapping[str, Any], key: str) -> str:
    value = data.get(key)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise TypeError
    return _clean(value[:TEXT_LIMIT])


def _clean(text: str) -> str:
    """Escape lone surrogates, which stand for bytes that are no UTF-8: no report can encode them."""
    return text if text.isascii() else text.encode("utf-8", "backslashreplace").decode("utf-8")
