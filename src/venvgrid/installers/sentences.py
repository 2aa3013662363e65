"""Parts of what resolvers say: sentences of uv's proof, the last error, one line of each. Pure."""

from __future__ import annotations

import re

MAX_REASON_LENGTH = 300  # characters of a reason


def without_hints(text: str) -> str:
    """Return what a resolver said without its advice at the end."""
    return re.split(r"\n\s*\n?hint:", text)[0]


def flat(text: str) -> str:
    """Return a proof as one line."""
    return re.sub(r"\s+", " ", re.sub(r"^\s*(?:error|cause):", " ", text, flags=re.MULTILINE)).strip()


def last_sentence(text: str) -> str:
    """Return the last step of a proof, without its conclusion."""
    last = re.split(r"(?:^|[.:] |\s)(?:And because|Because) ", text)[-1]
    return short(re.sub(r",? we can conclude that .*$", "", last).strip(" ."))


def first_sentence(text: str) -> str:
    """Return the first line of uv's proof: its premises."""
    first = re.split(r"\. And because ", re.split(r"(?:^|\s)Because ", text, maxsplit=1)[-1])[0]
    return short(re.sub(r",? we can conclude that .*$", "", first).strip(" ."))


def tail(text: str) -> str:
    """Return the last error of an output."""
    lines = [
        line.strip() for line in text.strip().splitlines() if line.strip() and not line.strip().startswith("hint:")
    ]
    errors = [line for line in lines if re.match(r"(?:error|ERROR)[:\s](?!\s*Exception:$)", line)] or lines
    return short(re.sub(r"^(?:error|ERROR):?\s*", "", errors[-1] if errors else "the resolver printed nothing"))


def short(text: str) -> str:
    """Return a text as one line, cut where it is too long for a reason."""
    flat = re.sub(r"\s+", " ", text)
    return flat if len(flat) <= MAX_REASON_LENGTH else flat[: MAX_REASON_LENGTH - 1] + "…"
