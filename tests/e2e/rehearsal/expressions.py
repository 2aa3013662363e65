"""The expressions of GitHub's workflows, as far as our pipelines use them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from rehearsal.machine import WrongPipelineError

if TYPE_CHECKING:
    from collections.abc import Mapping

TOKEN = re.compile(r"\s*(?:'(?P<text>[^']*)'|(?P<word>[\w.*-]+(?:\(\))?)|(?P<mark>==|!=|&&|\|\||[!()]))")
STATUS = ("always()", "success()", "failure()", "cancelled()")


def fill(text: str, contexts: Mapping[str, Any]) -> str:
    """Replace each `${{ … }}` in a text; what a context does not have is empty."""
    return re.sub(r"\$\{\{(.*?)\}\}", lambda found: shown(evaluate(found[1], contexts)), text, flags=re.DOTALL)


def shown(value: Any) -> str:
    """Return a value as a text of a workflow."""
    return "" if value is None else str(value).lower() if isinstance(value, bool) else str(value)


def condition(text: str | None, contexts: Mapping[str, Any]) -> bool:
    """Return whether a job or step runs: without a function of status, only if all before it has succeeded."""
    raw = (text or "success()").strip().removeprefix("${{").removesuffix("}}")
    if not any(name in raw for name in STATUS):
        raw = f"success() && ({raw})"
    return bool(evaluate(raw, contexts))


def evaluate(text: str, contexts: Mapping[str, Any]) -> Any:
    """Return the value of an expression."""
    tokens, at = [], 0
    while text[at:].strip():
        found = TOKEN.match(text, at)
        if not found:
            raise WrongPipelineError(f"cannot read the expression {text!r}")
        kind = found.lastgroup
        tokens.append((kind, found[kind or ""]))
        at = found.end()
    value, rest = _either(tokens, contexts)
    if rest:
        raise WrongPipelineError(f"cannot read the end of {text!r}")
    return value


Tokens = list[tuple[str | None, str]]


def _either(tokens: Tokens, contexts: Mapping[str, Any]) -> tuple[Any, Tokens]:
    value, rest = _both(tokens, contexts)
    while rest and rest[0] == ("mark", "||"):
        other, rest = _both(rest[1:], contexts)
        value = value or other
    return value, rest


def _both(tokens: Tokens, contexts: Mapping[str, Any]) -> tuple[Any, Tokens]:
    value, rest = _compared(tokens, contexts)
    while rest and rest[0] == ("mark", "&&"):
        other, rest = _compared(rest[1:], contexts)
        value = value and other
    return value, rest


def _compared(tokens: Tokens, contexts: Mapping[str, Any]) -> tuple[Any, Tokens]:
    value, rest = _term(tokens, contexts)
    if rest and rest[0] in {("mark", "=="), ("mark", "!=")}:
        other, after = _term(rest[1:], contexts)
        return (shown(value) == shown(other)) is (rest[0][1] == "=="), after
    return value, rest


def _term(tokens: Tokens, contexts: Mapping[str, Any]) -> tuple[Any, Tokens]:
    if not tokens:
        raise WrongPipelineError("an expression ends too soon")
    (kind, text), rest = tokens[0], tokens[1:]
    if (kind, text) == ("mark", "!"):
        value, rest = _term(rest, contexts)
        return not value, rest
    if (kind, text) == ("mark", "("):
        value, rest = _either(rest, contexts)
        return value, rest[1:]
    if kind == "text":
        return text, rest
    if text.endswith("()"):
        return contexts["status"][text], rest
    value = contexts
    for part in text.split("."):
        if part not in contexts and value is contexts:
            raise WrongPipelineError(f"there is no context {part!r} here")
        value = value.get(part) if isinstance(value, dict) else None
    return value, rest
