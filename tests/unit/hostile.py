"""Texts that code under test may print, to break what shows them."""

from __future__ import annotations

from hypothesis import strategies as st

NASTY = (
    "\x1b]0;title\x07",
    "\x1b[2J\x1b[H",
    "\x1b[31mred\x1b[0m",
    "\x9b2J",
    "\x1bP+q\x1b\\",
    "::set-env name=A::b",
    "  ::error::forged",
    "\n::add-mask::x",
    "\r::stop-commands::x",
    "##[group]forged",
    "##vso[task.setvariable variable=a]b",
    "12 cells: 12 passed in 0.1 s",
    "]]>",
    "&#27;",
    "<script>alert(1)</script>",
    '" onload="x',
    "</pre></details><img src=x onerror=alert(1)>",
    "a|b\\|c",
    "`code` ``two`` ```three",
    "*bold* _em_ [link](javascript:alert(1)) ![i](x) @user #12 https://example.org www.example.org :smile: $x$",
    "\udcff\ud800",
    "\u202eright to left\u2066",
    "\x00\x08\x0b\x0c\x7f\x85\u2028\u2029\ufeff\ufffe\uffff",
    "日本語 🎉 é e\u0301",
    "- item\n1. item\n# head\n> quote\n    code\n---\n===",
    "[/bold] [red]markup[/red]",
)

_characters = st.characters(exclude_categories=())  # with lone surrogates
texts = st.lists(st.sampled_from(NASTY) | st.text(_characters, max_size=20), max_size=4).map("".join)
