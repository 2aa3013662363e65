"""Takes secrets out of what is written and shown: logs as they come, events before anyone sees them.

What counts as secret is said in `variables`. Names of cells, values of axes and paths stay as they are: they are what
results are found by, and come from the configuration.
"""

from __future__ import annotations

import re
from contextlib import closing
from dataclasses import dataclass, fields, is_dataclass, replace
from typing import TYPE_CHECKING, Any, TypeVar

from venvgrid.processes import variables

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator, Mapping

Value = TypeVar("Value")

# Fields of events and their values that hold what programs said or users typed.
SPOKEN = frozenset(
    {"test", "message", "longrepr", "reason", "text", "kind", "signature", "notes", "command", "warnings"}
)
INNER = frozenset({"result", "failures", "plan", "cells", "tests"})
KEPT_BACK = 4096  # bytes of a line without an end, of which the beginning of a URL could be


@dataclass(frozen=True, slots=True)
class Redactor:
    """Takes secrets out of texts; `secrets` maps each to the variable that it comes from, the longest first."""

    secrets: Mapping[str, str]
    text: Callable[[str], str]

    @classmethod
    def from_environ(cls, environ: Mapping[str, str]) -> Redactor:
        """Make one for the variables of this process."""
        return cls(variables.secrets(environ), variables.redactor(environ))

    def events(self, source: Generator[Value]) -> Iterator[Value]:
        """Give events without secrets, for as long as someone looks on: closing this closes the source."""
        with closing(source):
            for event in source:
                yield self.event(event)

    def event(self, event: Value) -> Value:
        """Give an event without secrets."""
        return self._cleaned(event)  # type: ignore[no-any-return]

    def _cleaned(self, value: Any) -> Any:
        if not is_dataclass(value) or isinstance(value, type):
            return value
        changed: dict[str, Any] = {}
        for field in fields(value):
            before = getattr(value, field.name)
            after = before
            if field.name in SPOKEN and before:
                after = self._spoken(before)
            elif field.name in INNER and before:
                after = tuple(map(self._cleaned, before)) if isinstance(before, tuple) else self._cleaned(before)
            if after is not before and after != before:
                changed[field.name] = after
        return replace(value, **changed) if changed else value

    def _spoken(self, value: Any) -> Any:
        if isinstance(value, str):
            return self.text(value)
        return tuple(self.text(item) for item in value) if isinstance(value, tuple) else value

    def stream(self) -> RedactingStream:
        """Give what cleans output as it comes."""
        return RedactingStream(self)


class RedactingStream:
    """Cleans output that comes in pieces: a secret may be split over two of them.

    So many bytes are kept back as the longest secret has, and the end of a line that may be the beginning of a URL.
    """

    def __init__(self, redactor: Redactor) -> None:
        """Begin with nothing kept back."""
        names = {key.encode("utf-8", "surrogateescape"): name for key, name in redactor.secrets.items()}
        self._masks = {secret: f"***{name}***".encode() for secret, name in names.items()}
        self._pattern = re.compile(b"|".join(map(re.escape, names))) if names else None
        self._longest = max(map(len, names), default=1)
        self._kept = b""

    def add(self, data: bytes) -> bytes:
        """Take the next bytes and give those that can go on."""
        whole = self._kept + data
        cut = max(0, len(whole) - self._longest + 1)
        # What follows the last white space is a word that goes on, perhaps an address with a password.
        space = max(whole.rfind(character, 0, cut) for character in (b"\n", b" ", b"\t", b"\r")) + 1
        if len(whole) - space <= KEPT_BACK:
            cut = space
        spans = [match.span() for match in self._matches(whole)]
        cut = next((end for start, end in spans if start < cut < end), cut)
        self._kept = whole[cut:]
        return self._clean(whole[:cut])

    def end(self) -> bytes:
        """Give what was kept back."""
        cleaned, self._kept = self._clean(self._kept), b""
        return cleaned

    def _matches(self, data: bytes) -> Iterator[re.Match[bytes]]:
        # Looking for each text is much faster than the pattern, and mostly finds nothing.
        if self._pattern is not None and any(secret in data for secret in self._masks):
            yield from self._pattern.finditer(data)

    def _clean(self, data: bytes) -> bytes:
        if self._pattern is not None and any(secret in data for secret in self._masks):
            data = self._pattern.sub(lambda found: self._masks[found[0]], data)
        if b"://" in data and b"@" in data:
            text = data.decode("utf-8", "surrogateescape")
            data = variables.redact(text).encode("utf-8", "surrogateescape")
        return data
