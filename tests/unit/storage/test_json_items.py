"""Reading a list in a JSON object item by item."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from venvgrid.storage import json_items

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
ERRORS = "expect|Expecting|lists|more after|Unterminated|Invalid"
OBJECTS = st.dictionaries(st.text() | st.just("cells"), VALUES, max_size=4)


def read(text: str) -> tuple[dict[str, Any], list[Any]]:
    """Return the other fields and the items of the list "cells", each parsed from its own text."""
    items: list[Any] = []

    def use(item: object, start: int, end: int) -> None:
        assert json.loads(text[start:end]) == item
        items.append(item)

    return json_items.read(text, "cells", use), items


@given(OBJECTS, st.lists(VALUES, max_size=4), st.sampled_from([None, 1, 3]), st.sampled_from(["first", "last"]))
def test_what_is_read_is_what_json_reads(
    fields: dict[str, Any], cells: list[Any], indent: int | None, place: str
) -> None:
    """Whatever else is in the object and however it is written; the text of an item is its own."""
    rest = {name: value for name, value in fields.items() if name != "cells"}
    data = {"cells": cells, **rest} if place == "first" else {**rest, "cells": cells}
    assert read(json.dumps(data, indent=indent)) == (rest, cells)


@given(OBJECTS, st.lists(VALUES, max_size=4), st.data())
def test_damaged_text_is_an_error(fields: dict[str, Any], cells: list[Any], data: st.DataObject) -> None:
    """A text that was cut is no object, wherever it was cut."""
    text = json.dumps({**fields, "cells": cells})
    with pytest.raises(ValueError, match=ERRORS):
        read(text[: data.draw(st.integers(0, len(text) - 1))])


@pytest.mark.parametrize(
    "text",
    [
        "[]",
        "{}",
        '{"cells": {}}',
        '{"cells": null}',
        '{"cells": [], "cells": []}',
        '{"cells": []} more',
        '{"cells": [1 2]}',
        '{"cells": [1,]}',
        '{"cells": [],}',
        '{"cells" []}',
        '{"a": 1 "cells": []}',
        '{1: [], "cells": []}',
        '{[]: [], "cells": []}',
    ],
)
def test_what_is_no_object_with_one_such_list_is_an_error(text: str) -> None:
    """Neither a list that is missing nor one that is there twice is an empty list."""
    with pytest.raises(ValueError, match=ERRORS):
        read(text)
