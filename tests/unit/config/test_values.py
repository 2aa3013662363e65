"""Values of the configuration that are read by themselves."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st
from packaging.requirements import Requirement

from venvgrid.config import values


@given(st.from_regex(re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?"), fullmatch=True))
def test_a_plain_name_is_a_requirement(name: str) -> None:
    """It is not parsed, because a parser says the same: it has no extras, no versions and no URL."""
    parsed = Requirement(name)
    assert (values.requirement(name), values.constraint(name)) == (name, name)
    assert (parsed.name, str(parsed.specifier), parsed.extras, parsed.url) == (name, "", set(), None)
