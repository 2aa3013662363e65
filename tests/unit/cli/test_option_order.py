"""Options stand anywhere among the values of a command."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from venvgrid.cli import parser
from venvgrid.cli.parser_parts import RefusedError, options_first

PARSER = parser.build()
SHA = "0123456789abcdef"
LINES = [
    (("gate",), ["plan.json", "a", "b/"], [("--commit", SHA)]),
    (("merge",), ["a", "b", "-"], [("-o", "merged"), ("--plan=plan.json",), ("--durations", "-1")]),
    (("run",), ["quick", "slow"], [("-qv",), ("-j4",), ("-k", "python>=3.9 and not six==1"), ("--fresh",)]),
    (("plan",), ["quick", "slow"], [("-qj", "4"), ("--no-skip-missing-interpreters",), ("--cost=macos=10",)]),
    (("list",), ["quick", "slow"], [("--failed",), ("-kpy3.12",)]),
    (("watch",), ["quick", "slow"], [("-q",), ("-j", "2")]),
    (("bisect",), ["six", "1.10", "1.16"], [("--json",), ("-c", "x.toml")]),
    (("ci", "github"), ["slow"], [("--check",), ("-o", "-"), ("--shards", "3")]),
]


@given(st.sampled_from(LINES), st.data())
def test_options_stand_anywhere(
    line: tuple[tuple[str, ...], list[str], list[tuple[str, ...]]], data: st.DataObject
) -> None:
    """Wherever they are, between the values too, the command is that of a line with its options last."""
    command, values, options = line
    items: list[tuple[str, ...]] = [*((value,) for value in values), *data.draw(st.permutations(options))]
    places = data.draw(st.permutations(range(len(items))))
    mixed = [items[place] for place in _keeping(list(places), len(values))]
    usual = [word for item in [*items[: len(values)], *options] for word in item]
    typed = [word for item in mixed for word in item]
    assert vars(PARSER.parse_args([*command, *usual])) == vars(PARSER.parse_args([*command, *typed]))


def _keeping(places: list[int], values: int) -> list[int]:
    """Return the places with those of the values in their order: the order of the options does not matter."""
    ordered = iter(range(values))
    return [next(ordered) if place < values else place for place in places]


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("gate plan.json --commit", "--commit: expected one argument"),
        ("gate plan.json --commit --check a", "--commit: expected one argument"),
        ("gate plan.json a --comit x b", "unrecognized arguments: --comit"),
        ("gate --commit abc1234", "the following arguments are required: PLAN"),
        ("merge a --plan p b", "the following arguments are required: -o/--output"),
        ("run a -jx b", "'x' is not a number"),
    ],
)
def test_mistakes_are_still_told(typed: str, said: str) -> None:
    """An option is never taken for the value of another one, nor an unknown one passed over."""
    with pytest.raises(RefusedError, match=said):
        PARSER.parse_args(typed.split())


def test_what_follows_two_dashes_stays() -> None:
    """It is no option, whatever it looks like."""
    assert options_first(["a", "-q", "--", "-q", "b"], {"-q": False}) == ["-q", "a", "--", "-q", "b"]
