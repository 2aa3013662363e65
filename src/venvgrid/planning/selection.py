"""The expressions of `-k`, which select cells: `python>=3.9 and not matplotlib==2.2`, or `py3.9-*`.

    expression  = conjunction ("or" conjunction)*
    conjunction = term ("and" term)*
    term        = "not" term | "(" expression ")" | AXIS OPERATOR VALUE | OUTCOME | LABEL | ID-OR-GLOB
    OUTCOME     = "outcome" ("==" | "!=") ("failed" | … | "green" | "red" | "none")
    LABEL       = "label" ("==" | "!=") WORD, or the word alone
    ID-OR-GLOB  = an id, a glob over ids, or a part of ids
    OPERATOR    = "==" | "!=" | "<" | "<=" | ">" | ">="

`==` is true for the value as written, for a version that begins with it (3.9.18 for 3.9), and for a glob. The others
compare versions as PEP 440 does, and are false for a value that is no version. The outcome is that of the last run, or
"none" for a cell that was not in it. A word without a glob is the cell with this id; if there is none, it is a part of
ids: "py3.13" and "numpy2" match py3.13-numpy2.0 and py3.13.1-numpy2.3, but not py3.13t. An axis named "outcome" or
"label" takes precedence.
"""

from __future__ import annotations

import re
from fnmatch import fnmatchcase
from types import MappingProxyType
from typing import TYPE_CHECKING, NoReturn

from venvgrid.config import axis_values as axis_names
from venvgrid.config.values import nearest
from venvgrid.model import Outcome, UsageError
from venvgrid.model.values import dataclass
from venvgrid.planning.matching import satisfies, version

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from venvgrid.model import Cell

    Predicate = Callable[[Cell], bool]

OUTCOME, LABEL, NONE = "outcome", "label", "none"
NO_OUTCOMES: Mapping[str, Outcome] = MappingProxyType({})
MAX_LENGTH = 4_000  # characters
MAX_DEPTH = 50  # of nested parentheses and "not": the parser is recursive

_TOKEN = re.compile(
    r"""(?P<space>\s+)
    |(?P<other>===|~=|&&|\|\|)
    |(?P<operator>==|!=|<=|>=|<|>)
    |(?P<bracket>[()])
    |(?P<quoted>"[^"]*"|'[^']*')
    |(?P<word>(?:\[[^\]\s]*\]|(?!~=|&&|\|\|)[^\s()<>=!"'\[])+)""",
    re.VERBOSE,
)
_GROUPS = {
    "green": frozenset(item for item in Outcome if item.is_green),
    "red": frozenset(item for item in Outcome if item.is_red),
}
_KEYWORDS = frozenset({"and", "or", "not"})
_HINTS = {
    "=": "write '=='",
    "===": "write '=='",
    "~=": "write '>=' and '<'",
    "&&": "write 'and'",
    "||": "write 'or'",
    "!": "write 'not'",
}
_ID_OR_GLOB = re.compile(r"[A-Za-z0-9._*?!\[\]-]+")
_GLOB = re.compile(r"[*?\[]")


def compile(  # noqa: A001 - called as selection.compile, like re.compile
    text: str, axes: Iterable[str], outcomes: Mapping[str, Outcome] = NO_OUTCOMES, ids: Iterable[str] = ()
) -> Predicate:
    """Compile an expression into a predicate of cells.

    `axes` are the names of all axes, `outcomes` those of cells in the last run, by id; `ids` those of all cells.

    Raises:
        UsageError: `text` is invalid; the message shows the position, and the nearest name for an unknown axis.
    """
    if len(text) > MAX_LENGTH:
        raise UsageError(f"-k: the expression has {len(text):,} characters; at most {MAX_LENGTH:,} are possible")
    names = {axis_names.key(name): name for name in axes}
    parser = _Parser(text=text, tokens=_tokens(text), axes=names, outcomes=outcomes, ids=frozenset(ids))
    predicate = parser.expression(0)
    if parser.token.kind != "end":
        if parser.token.text == ")":
            _fail(text, parser.token.at, "a ')' without its '('")
        _fail(text, parser.token.at, f"expected 'and' or 'or' before {parser.token.text!r}")
    return predicate


@dataclass(frozen=True, slots=True, kw_only=True)
class _Token:
    kind: str  # "word", "quoted", "operator", "bracket", "keyword", "end"
    text: str
    at: int


def _tokens(text: str) -> list[_Token]:
    found: list[_Token] = []
    position = 0
    while position < len(text):
        if (match := _TOKEN.match(text, position)) is None:
            character = text[position]
            hint = _HINTS.get(character, "a quote or bracket that is never closed" if character in "'\"[" else "")
            _fail(text, position, f"unexpected {character!r}" + (f" ({hint})" if hint else ""))
        kind, word = str(match.lastgroup), match[0]
        if word in _HINTS:
            _fail(text, position, f"unexpected {word!r} ({_HINTS[word]})")
        if kind == "word" and word.lower() in _KEYWORDS:
            kind, word = "keyword", word.lower()
        if kind == "quoted":
            word = word[1:-1]
        if kind != "space":
            found.append(_Token(kind=kind, text=word, at=position))
        position = match.end()
    return [*found, _Token(kind="end", text="", at=position)]


def _fail(text: str, at: int, problem: str) -> NoReturn:
    raise UsageError(f"-k: {problem}, at character {at + 1}:\n  {text}\n  {' ' * at}^")


@dataclass(slots=True, kw_only=True)
class _Parser:
    """A recursive descent parser; `position` is that of the next token."""

    text: str
    tokens: list[_Token]
    axes: Mapping[str, str]
    outcomes: Mapping[str, Outcome]
    ids: frozenset[str]
    position: int = 0

    @property
    def token(self) -> _Token:
        return self.tokens[self.position]

    def expression(self, depth: int) -> Predicate:
        terms = [self.conjunction(depth)]
        while self.accept("keyword", "or"):
            terms.append(self.conjunction(depth))
        return terms[0] if len(terms) == 1 else lambda cell: any(term(cell) for term in terms)

    def conjunction(self, depth: int) -> Predicate:
        terms = [self.term(depth)]
        while self.accept("keyword", "and"):
            terms.append(self.term(depth))
        return terms[0] if len(terms) == 1 else lambda cell: all(term(cell) for term in terms)

    def term(self, depth: int) -> Predicate:
        start = self.token.at
        if depth > MAX_DEPTH:
            _fail(self.text, start, f"more than {MAX_DEPTH} levels of parentheses and 'not'")
        if self.accept("keyword", "not"):
            inner = self.term(depth + 1)
            return lambda cell: not inner(cell)
        if self.accept("bracket", "("):
            inner = self.expression(depth + 1)
            if not self.accept("bracket", ")"):
                _fail(self.text, start, "a '(' that is never closed")
            return inner
        return self.comparison()

    def comparison(self) -> Predicate:
        token = self.word("an axis, a cell's id, 'not' or '('")
        operator = self.token
        if operator.kind != "operator":
            if axis_names.key(token.text) in self.axes:
                _fail(self.text, token.at, f"{token.text!r} is an axis: compare it, such as {token.text}==VALUE")
            if not _ID_OR_GLOB.fullmatch(token.text):
                _fail(self.text, token.at, f"{token.text!r} is no cell's id, glob or comparison such as python>=3.9")
            return self.word_of_cell(token.text)
        name = self.axes.get(axis_names.key(token.text))
        if name is None and token.text not in {OUTCOME, LABEL}:
            known = list(self.axes.values())
            _fail(self.text, token.at, f"no axis {token.text!r}{nearest(token.text, known)} (axes: {', '.join(known)})")
        self.position += 1
        value = self.word(f"a value after {operator.text!r}")
        if name is None:
            return self.outcome_or_label(token, operator, value)
        return self.axis_value(name, operator, value)

    def word_of_cell(self, word: str) -> Predicate:
        """Return the predicate of an id, of a glob or part of ids, or of a label."""
        if word in self.ids or _GLOB.search(word):
            return lambda cell: fnmatchcase(cell.id, word) or word in cell.labels
        return lambda cell: is_part(cell.id, word) or word in cell.labels

    def outcome_or_label(self, name: _Token, operator: _Token, value: _Token) -> Predicate:
        """Parse a comparison of the last outcome, or of labels."""
        if operator.text not in {"==", "!="}:
            _fail(self.text, operator.at, f"{name.text!r} is compared by '==' or '!='")
        wanted, is_equal = value.text, operator.text == "=="
        if name.text == LABEL:
            return lambda cell: (wanted in cell.labels) is is_equal
        outcomes = self.outcomes
        if wanted == NONE:
            return lambda cell: (cell.id not in outcomes) is is_equal
        meant = _GROUPS.get(wanted) or frozenset(item for item in Outcome if item.value == wanted)
        if not meant:
            known = [*(item.value for item in Outcome), *_GROUPS, NONE]
            _fail(self.text, value.at, f"no outcome {wanted!r}{nearest(wanted, known)} (outcomes: {', '.join(known)})")
        return lambda cell: (outcomes.get(cell.id) in meant) is is_equal

    def axis_value(self, name: str, operator: _Token, value: _Token) -> Predicate:
        wanted = value.text
        if operator.text in {"==", "!="}:
            is_equal = operator.text == "=="
            return lambda cell: is_value(cell.axes.get(name, ""), wanted) is is_equal
        if version(wanted) is None:
            _fail(self.text, value.at, f"{wanted!r} is no version; {operator.text!r} needs one")
        specifier = f"{operator.text}{version(wanted)}"
        return lambda cell: satisfies(cell.axes.get(name, ""), specifier)

    def accept(self, kind: str, text: str) -> bool:
        if (self.token.kind, self.token.text) != (kind, text):
            return False
        self.position += 1
        return True

    def word(self, expected: str) -> _Token:
        token = self.token
        if token.kind not in {"word", "quoted"}:
            got = "" if token.kind == "end" else f", got {token.text!r}"
            _fail(self.text, token.at, f"expected {expected}{got}")
        self.position += 1
        return token


def is_part(identifier: str, word: str) -> bool:
    """Whether `word` stands between dashes of an id; versions may go on: "numpy2" is a part of "py3.9-numpy2.0"."""
    return re.search(rf"(?:^|-){re.escape(word)}(?:$|-|\.(?=\d))", identifier) is not None


def is_value(value: str, wanted: str) -> bool:
    """Whether the `value` of an axis equals the `wanted` one, is a version that begins with it, or matches its glob.

    "3.13" matches neither "3.13t" nor "pypy3.13": these are other Pythons.
    """
    if value == wanted:
        return True
    wanted = wanted.removesuffix(".*") if version(wanted.removesuffix(".*")) else wanted
    if version(wanted) is not None and version(value) is not None:
        prefix, threads = (wanted[:-1], "t") if wanted.endswith("t") else (wanted, "")
        return value == wanted or (value.startswith(f"{prefix}.") and value.endswith("t") is bool(threads))
    return bool(_GLOB.search(wanted)) and fnmatchcase(value, wanted)
