"""Redaction of secrets: what is secret, and how it is masked in logs, events and messages.

Secrets are the values of variables with telling names, and user names and passwords in URLs. Ids of cells, values of
axes and paths are not masked: they come from the configuration, and results are found by them.
"""

from __future__ import annotations

import functools
import re
from base64 import b64encode
from contextlib import closing
from dataclasses import fields, is_dataclass, replace
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import quote, unquote

from venvgrid.model.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Mapping

Value = TypeVar("Value")

# Fields of events and their values: text from programs or users, and values that hold such fields.
TEXT_FIELDS = frozenset(
    {"test", "message", "longrepr", "reason", "text", "kind", "signature", "notes", "command", "warnings"}
)
NESTED_FIELDS = frozenset({"result", "failures", "plan", "cells", "marks", "tests"})
MAX_HELD_BACK = 4096  # bytes of an unfinished line, which may hold the beginning of a URL
MIN_SECRET_LENGTH = 8  # characters: shorter values would be found everywhere

_SECRET_NAME = re.compile(
    r"TOKEN|SECRET|PASSWORD|PASSWD|PASSPHRASE|CREDENTIAL|API_?KEY|ACCESS_?KEY|PRIVATE_?KEY|_PASS$|_PWD$|_KEY$",
    re.IGNORECASE,
)
# Up to the last "@" before the host ends: user names may hold one. No scheme in the pattern: so it stays linear.
_USER_INFO = re.compile(r"(?<=://)[^\s/?#\"<>\\]+(?=@)")
_CREDENTIALS = re.compile(r"(\w+)://([^\s/?#\"<>\\]+)@")
# Secrets that no variable holds: keys by their form, and what is assigned to a telling name.
_KEYS = re.compile(
    r"-----BEGIN [A-Z ]{0,20}PRIVATE KEY|\b(?:gh[pousr]_|github_pat_|glpat-|pypi-Ag|xox[abpr]-|AKIA|sk-)[\w-]{12}"
    r"|(?:TOKEN|SECRET|PASSWORD|PASSWD|PASSPHRASE|CREDENTIAL|API_?KEY|ACCESS_?KEY|PRIVATE_?KEY)[\w-]{0,40}[\"']?"
    r"\s{0,9}[:=]\s{0,9}(?:[\"'][^\"'\n]{8}|[^\s\"'()\[\]{},]{8})",
    re.IGNORECASE,
)


def may_hold_secret(text: str) -> bool:
    """Return whether a text has the form of a key, assigns to a name like TOKEN, or has a URL with a password."""
    return _KEYS.search(text) is not None or redact(text) != text


def is_secret_name(name: str) -> bool:
    """Return whether a variable of this name is taken for a secret."""
    return _SECRET_NAME.search(name) is not None


def redact(text: str) -> str:
    """Return `text` with the user names and passwords of its URLs masked: `https://****@host`."""
    return _USER_INFO.sub("****", text) if "://" in text else text  # most texts are ids of tests


def secrets(env: Mapping[str, str]) -> dict[str, str]:
    """Return every secret text, the longest first, and the name of its variable.

    Secret are values of at least 8 characters of variables with telling names, each of their lines, and passwords in
    URLs in any variable; each also percent-encoded and in base64.
    """
    names: dict[str, str] = {}
    for name, value in sorted(env.items()):
        for secret in _secrets(name, value):
            names.setdefault(secret, name)
    return dict(sorted(names.items(), key=lambda item: -len(item[0])))


def _secrets(name: str, value: str) -> set[str]:
    plain = set()
    if _SECRET_NAME.search(name):
        plain |= {value, *(line.strip() for line in value.splitlines())}
    for scheme, user_info in _CREDENTIALS.findall(value):
        _, colon, password = user_info.partition(":")
        if colon or scheme.startswith("http"):  # else it is a mere user name, "ssh://maria@host"
            plain |= {user_info, password, unquote(password)}
    plain = {secret for secret in plain if len(secret) >= MIN_SECRET_LENGTH}
    encoded = {b64encode(secret.encode("utf-8", "replace")).decode().rstrip("=") for secret in plain}
    return plain | encoded | {quote(secret, safe="", errors="replace") for secret in plain}


@functools.cache
def _fields(kind: type) -> tuple[tuple[str, bool], ...]:
    """Return the fields of a type of values that may hold secrets, and whether they are texts; () of another type."""
    names = [field.name for field in fields(kind)] if is_dataclass(kind) else []
    return tuple((name, name in TEXT_FIELDS) for name in names if name in TEXT_FIELDS or name in NESTED_FIELDS)


@dataclass(frozen=True, slots=True)
class Redactor:
    """Masks secrets as `***NAME***`, the name being that of the variable, and user info of URLs."""

    secrets: Mapping[str, str]
    pattern: re.Pattern[str] | None

    @classmethod
    def from_environ(cls, environ: Mapping[str, str]) -> Redactor:
        """Make a redactor of the secrets in environment variables."""
        found = secrets(environ)
        return cls(found, re.compile("|".join(map(re.escape, found))) if found else None)

    def text(self, text: str) -> str:
        """Return a text without secrets."""
        if self.pattern is not None:
            text = self.pattern.sub(lambda found: f"***{self.secrets[found[0]]}***", text)
        return redact(text)

    def events(self, source: Generator[Value]) -> Iterator[Value]:
        """Yield events without secrets. Closing this generator closes the source."""
        with closing(source):
            for event in source:
                yield self.event(event)

    def event(self, event: Value) -> Value:
        """Return an event without secrets."""
        return self._cleaned(event)  # type: ignore[no-any-return]

    def _cleaned(self, value: Any) -> Any:
        changed: dict[str, Any] = {}
        for name, is_text in _fields(type(value)):  # type: ignore[arg-type]  # types are hashable
            if before := getattr(value, name):
                clean = self._cleaned_text if is_text else self._cleaned
                after = tuple(map(clean, before)) if isinstance(before, tuple) else clean(before)
                if after is not before and after != before:
                    changed[name] = after
        return replace(value, **changed) if changed else value

    def _cleaned_text(self, value: Any) -> Any:
        return self.text(value) if isinstance(value, str) else value

    def stream(self) -> RedactingStream:
        """Make a redacting stream, which cleans output in pieces."""
        return RedactingStream(self)


class RedactingStream:
    """Masks secrets in output that comes in pieces: a secret may be split over two of them.

    It holds back as many bytes as the longest secret has, and the end of a line that may be the beginning of a URL.
    """

    def __init__(self, redactor: Redactor) -> None:
        """Start with nothing held back."""
        names = {key.encode("utf-8", "surrogateescape"): name for key, name in redactor.secrets.items()}
        self._masks = {secret: f"***{name}***".encode() for secret, name in names.items()}
        self._pattern = re.compile(b"|".join(map(re.escape, names)))
        self._longest = max(map(len, names), default=1)
        self._held = b""

    def add(self, data: bytes) -> bytes:
        """Add the next bytes and return the clean ones that can go on."""
        whole = self._held + data
        cut = max(0, len(whole) - self._longest + 1)
        # The word after the last white space is unfinished: perhaps an address with a password.
        space = max(whole.rfind(character, 0, cut) for character in (b"\n", b" ", b"\t", b"\r")) + 1
        if len(whole) - space <= MAX_HELD_BACK:
            cut = space
        spans = [match.span() for match in self._pattern.finditer(whole)] if self._holds_secret(whole) else []
        cut = next((end for start, end in spans if start < cut < end), cut)
        self._held = whole[cut:]
        return self._clean(whole[:cut])

    def end(self) -> bytes:
        """Return the bytes that were held back, cleaned."""
        cleaned, self._held = self._clean(self._held), b""
        return cleaned

    def _holds_secret(self, data: bytes) -> bool:
        # A search for each text is much faster than the pattern, and mostly finds nothing.
        return any(secret in data for secret in self._masks)

    def _clean(self, data: bytes) -> bytes:
        if self._holds_secret(data):
            data = self._pattern.sub(lambda found: self._masks[found[0]], data)
        if b"://" in data and b"@" in data:
            data = redact(data.decode("utf-8", "surrogateescape")).encode("utf-8", "surrogateescape")
        return data
