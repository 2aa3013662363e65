"""What is written as TOML is read back as it was."""

from __future__ import annotations

import tomllib

from hypothesis import given
from hypothesis import strategies as st

from venvgrid.config import toml_writer

TEXT = st.text(st.characters(codec="utf-8"), max_size=30)


@given(TEXT, st.lists(TEXT), st.dictionaries(TEXT, TEXT))
def test_what_is_written_is_read_back(title: str, values: list[str], entries: dict[str, str]) -> None:
    """Strings, keys, arrays and tables survive, whatever characters they hold."""
    written = {toml_writer.key(name): toml_writer.text(value) for name, value in entries.items()}
    keys = {"inline": toml_writer.inline(written), "short": toml_writer.strings(values)}
    keys["long"] = toml_writer.block(map(toml_writer.text, values))
    found = tomllib.loads("\n".join(toml_writer.table(toml_writer.key(title), keys)))
    assert found == {title: {"inline": entries, "short": values, "long": values}}


def test_a_key_is_quoted_only_if_needed() -> None:
    """Letters, digits, "_" and "-" stand bare."""
    assert toml_writer.key("as-of_2") == "as-of_2"
    assert toml_writer.key("zope.interface") == '"zope.interface"'
