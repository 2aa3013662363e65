"""The language of -k: what it selects, and what it says of a bad expression."""
# ruff: noqa: SIM300 - expected == actual; helpers are named by what they give

from __future__ import annotations

import re
from types import MappingProxyType

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from venvgrid.model import Cell, Outcome, UsageError
from venvgrid.planning import selection

AXES = ("python", "matplotlib", "env.X")


def cell(python: str, matplotlib: str = "3.5", x: str = "Agg") -> Cell:
    values = {"python": python, "matplotlib": matplotlib, "env.X": x}
    return Cell(id=f"py{python}-matplotlib{matplotlib}-X.{x}".replace("pypypy", "pypy"), axes=MappingProxyType(values))


CELLS = (
    cell("3.8", "2.2"),
    cell("3.9", "2.2.5"),
    cell("3.9.18", "3.10", "a b"),
    cell("3.13t", "latest"),
    cell("pypy3.10", "absent", ""),
    cell("/opt/python", ">=1,<2", "Qt5Agg"),
)


def selected(text: str) -> list[str]:
    chosen = selection.compile(text, AXES)
    return [cell.axes["python"] for cell in CELLS if chosen(cell)]


def chosen_ids(text: str, *ids: str) -> list[str]:
    """Return those of the ids that an expression selects."""
    chosen = selection.compile(text, AXES, ids=ids)
    return [name for name in ids if chosen(Cell(id=name, axes=MappingProxyType({})))]


ALL = ["3.8", "3.9", "3.9.18", "3.13t", "pypy3.10", "/opt/python"]


@pytest.mark.parametrize(
    ("text", "pythons"),
    [
        ("python==3.9", ["3.9", "3.9.18"]),
        ("python==3", ["3.8", "3.9", "3.9.18"]),
        ("python==3.9.*", ["3.9", "3.9.18"]),
        ("python==3.13", []),
        ("python==3.13t", ["3.13t"]),
        ("python==pypy3.10", ["pypy3.10"]),
        ("python==/opt/python", ["/opt/python"]),
        ("python!=3.9", ["3.8", "3.13t", "pypy3.10", "/opt/python"]),
        ("python>=3.9", ["3.9", "3.9.18", "3.13t", "pypy3.10"]),
        ("python > 3.9", ["3.9.18", "3.13t", "pypy3.10"]),
        ("python<3.10", ["3.8", "3.9", "3.9.18"]),
        ("python<=3.9", ["3.8", "3.9"]),
        ("not python>=3.9", ["3.8", "/opt/python"]),
        ("matplotlib==2.2", ["3.8", "3.9"]),
        ("matplotlib==3.1", []),
        ("Matplotlib==latest", ["3.13t"]),
        ("matplotlib>=2.2", ["3.8", "3.9", "3.9.18"]),
        ('matplotlib==">=1,<2"', ["/opt/python"]),
        ("env.X==Agg", ["3.8", "3.9", "3.13t"]),
        ("env.X==*Agg", ["3.8", "3.9", "3.13t", "/opt/python"]),
        ("env.X=='a b'", ["3.9.18"]),
        ('env.X==""', ["pypy3.10"]),
        ("py3.8-matplotlib2.2-X.Agg", ["3.8"]),
        ("py3.8", ["3.8"]),
        ("py3", ["3.8", "3.9", "3.9.18", "3.13t"]),
        ("matplotlib2.2", ["3.8", "3.9"]),
        ("matplotlib2", ["3.8", "3.9"]),
        ("not py3.9", ["3.8", "3.13t", "pypy3.10", "/opt/python"]),
        ("py3.9*", ["3.9", "3.9.18"]),
        ("py3.[89]-*", ["3.8", "3.9"]),
        ("py3.8-* or python==3.13t", ["3.8", "3.13t"]),
        ("python>=3.9 and not matplotlib==2.2", ["3.9.18", "3.13t", "pypy3.10"]),
        ("python==3.8 or python==3.9 and matplotlib==3.10", ["3.8", "3.9.18"]),
        ("(python==3.8 or python==3.9) and matplotlib==3.10", ["3.9.18"]),
        ("NOT NOT python==3.8", ["3.8"]),
        ("*", ALL),
    ],
)
def test_what_is_selected(text: str, pythons: list[str]) -> None:
    """Comparisons, ids with globs, and their combinations select these cells of ALL."""
    assert pythons == selected(text)


@pytest.mark.parametrize(
    ("text", "problem", "column"),
    [
        ("", "expected an axis, a cell's id, 'not' or '('", 1),
        ("pythn>=3", "no axis 'pythn'; did you mean 'python'? (axes: python, matplotlib, env.X)", 1),
        ("python==3 and Y==1", "no axis 'Y' (axes: python, matplotlib, env.X)", 15),
        ("python", "'python' is an axis: compare it, such as python==VALUE", 1),
        ("python>=", "expected a value after '>='", 9),
        ("python>=and", "expected a value after '>=', got 'and'", 9),
        ("python>=abc", "'abc' is no version; '>=' needs one", 9),
        ("python=3", "unexpected '=' (write '==')", 7),
        ("python~=3", "unexpected '~=' (write '>=' and '<')", 7),
        ("python===3", "unexpected '===' (write '==')", 7),
        ("a && b", "unexpected '&&' (write 'and')", 3),
        ("a&&b", "unexpected '&&' (write 'and')", 2),
        ("a || b", "unexpected '||' (write 'or')", 3),
        ("!a", "unexpected '!' (write 'not')", 1),
        ("(a or b", "a '(' that is never closed", 1),
        ("a)", "a ')' without its '('", 2),
        ("a b", "expected 'and' or 'or' before 'b'", 3),
        ("a and", "expected an axis, a cell's id, 'not' or '('", 6),
        ("'abc", 'unexpected "\'" (a quote or bracket that is never closed)', 1),
        ("py3.9:numpy", "'py3.9:numpy' is no cell's id, glob or comparison such as python>=3.9", 1),
        ("3<python<4", "no axis '3' (axes: python, matplotlib, env.X)", 1),
        ("python>3<4", "expected 'and' or 'or' before '<'", 9),
        ("()", "expected an axis, a cell's id, 'not' or '(', got ')'", 2),
    ],
)
def test_bad_expressions_are_located(text: str, problem: str, column: int) -> None:
    """The message says what is wrong and shows where."""
    with pytest.raises(UsageError) as caught:
        selection.compile(text, AXES)
    first, echo, marker = str(caught.value).split("\n")
    expected = (f"-k: {problem}, at character {column}:", f"  {text}", " " * (column + 1) + "^")
    assert expected == (first, echo, marker)


def test_an_endless_expression_is_refused() -> None:
    """Depth and length have limits, so that no expression breaks the parser."""
    with pytest.raises(UsageError, match="more than 50 levels"):
        selection.compile("(" * 51 + "a" + ")" * 51, AXES)
    with pytest.raises(UsageError, match="more than 50 levels"):
        selection.compile("not " * 51 + "a", AXES)
    with pytest.raises(UsageError, match="4,001 characters; at most 4,000 are possible"):
        selection.compile("a" * 4001, AXES)
    assert [] == selected(" or ".join(["a"] * 500))


PIECES = [
    *AXES,
    "and",
    "or",
    "not",
    "(",
    ")",
    "==",
    "!=",
    ">=",
    "<",
    "=",
    "3.9",
    "abc",
    "*",
    "'a b'",
    "[",
    "~",
    " ",
    "é",
    "py3.9-*",
]


@settings(deadline=None)
@given(st.lists(st.one_of(st.sampled_from(PIECES), st.text(max_size=3)), max_size=12).map("".join))
def test_any_text_is_an_expression_or_a_usage_error(text: str) -> None:
    """No text makes a traceback, neither when it is read nor when it is asked."""
    try:
        chosen = selection.compile(text, AXES)
    except UsageError as error:
        message = str(error)
    else:
        assert {True, False} >= {chosen(cell) for cell in CELLS}
        return
    assert message.startswith("-k: ")


COMPARISONS = st.sampled_from(["python>=3.9", "matplotlib==2.2", "env.X!=Agg", "py3.9*", "python<3.9"])


@settings(deadline=None)
@given(COMPARISONS, COMPARISONS)
def test_the_laws_of_and_or_not(left: str, right: str) -> None:
    """`not`, `and` and `or` are those of logic, with the usual precedence."""
    assert selected(f"not ({left} and {right})") == selected(f"not {left} or not {right}")
    assert selected(f"{left} or {right}") == [name for name in ALL if name in selected(left) or name in selected(right)]
    assert selected(f"{left} and {right}") == [name for name in selected(left) if name in selected(right)]


def marked() -> list[Cell]:
    names = {"a": ("nightly",), "b": ("slow", "nightly"), "c": ()}
    return [Cell(id=name, axes=MappingProxyType({"python": "3.12"}), labels=labels) for name, labels in names.items()]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("outcome==failed", "a"),
        ("outcome!=failed", "b c"),
        ("outcome==red", "a"),
        ("outcome==green", "b"),
        ("outcome==none", "c"),
        ("outcome!=none and not outcome==passed", "a"),
        ("label==nightly", "a b"),
        ("label!=slow", "a c"),
        ("nightly and not slow", "a"),
        ("slow or c", "b c"),
    ],
)
def test_outcomes_and_labels_select(text: str, expected: str) -> None:
    """The outcome is that of the last run; a word alone is an id or a label."""
    outcomes = {"a": Outcome.FAILED, "b": Outcome.PASSED}
    chosen = selection.compile(text, ("python",), outcomes)
    assert expected.split() == [cell.id for cell in marked() if chosen(cell)]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("outcome>=failed", "'outcome' is compared by '==' or '!='"),
        ("outcome==fialed", "no outcome 'fialed'; did you mean 'failed'?"),
        ("label==", "expected a value after '=='"),
    ],
)
def test_bad_questions_about_outcomes_are_located(text: str, problem: str) -> None:
    """As every other mistake of the language."""
    with pytest.raises(UsageError, match=re.escape(problem)):
        selection.compile(text, ("python",))


def test_an_axis_of_the_name_goes_before_the_meaning() -> None:
    """A distribution may be named "label"."""
    cells = [Cell(id=value, axes=MappingProxyType({"label": value})) for value in ("1.0", "2.0")]
    chosen = selection.compile("label>=2", ("label",))
    assert ["2.0"] == [cell.id for cell in cells if chosen(cell)]


def test_a_part_of_an_id() -> None:
    """A part stands between dashes, and a version may go on; nothing else that begins or ends so is meant."""
    ids = ("py3.1-six1.16", "py3.13-six1.16", "py3.13.1-six1.1", "py3.13t-six1.16", "lowest-py3.13-mysix1.16")
    assert ["py3.13-six1.16", "py3.13.1-six1.1", "lowest-py3.13-mysix1.16"] == chosen_ids("py3.13", *ids)
    assert ["py3.1-six1.16", "py3.13-six1.16", "py3.13t-six1.16"] == chosen_ids("six1.16", *ids)
    assert ["py3.1-six1.16"] == chosen_ids("py3.1", *ids)
    assert ["lowest-py3.13-mysix1.16"] == chosen_ids("lowest", *ids)
    assert ["py3.13-six1.16"] == chosen_ids("py3.13 and six1.16 and not lowest", *ids)[:1]
    assert [] == chosen_ids("py", *ids)


def test_an_id_is_that_cell_alone() -> None:
    """What a report says to type selects one cell, also where the id is the beginning of others."""
    assert ["py3.13"] == chosen_ids("py3.13", "py3.13", "py3.13.1", "py3.13-x")


@given(st.lists(st.from_regex(r"[a-z]{1,3}[0-9](\.[0-9]){0,2}", fullmatch=True), min_size=1, max_size=4))
def test_each_part_of_an_id_selects_it(parts: list[str]) -> None:
    """For all ids: each of its parts, each run of its parts, and each part's beginning up to a dot match it."""
    identifier = "-".join(parts)
    for start in range(len(parts)):
        assert selection.is_part(identifier, "-".join(parts[start:]))
        assert selection.is_part(identifier, parts[start])
        assert selection.is_part(identifier, parts[start].split(".")[0])
