"""Output of `venvgrid python`: the interpreters found, and the places that were searched."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from venvgrid.interpreters.specs import TITLES, version_of
from venvgrid.model.serialization import to_plain

if TYPE_CHECKING:
    from venvgrid.interpreters.discovery import Found, Place
    from venvgrid.model import Interpreter

FORMAT = "venvgrid-python-1"


def python_json(found: Found) -> dict[str, Any]:
    """Return the result of discovery as plain data. Later versions only add keys."""
    return {
        "format": FORMAT,
        "interpreters": to_plain(_in_order(found)),
        "places": [
            {
                "source": place.source,
                "folder": place.folder,
                "there": place.exists,
                "found": place.found,
                "versions": list(place.versions),
                "again": place.duplicates,
                "passed_over": to_plain(place.rejected),
            }
            for place in found.places
        ],
    }


def python_lines(found: Found) -> list[str]:
    """Return the result of discovery as text: interpreters, then places with the files that were passed over."""
    rows = [(item.version, _title(item), item.source, item.executable) for item in _in_order(found)]
    widths = [max((len(row[column]) for row in rows), default=0) for column in range(3)]
    lines = [
        "  ".join([*(cell.ljust(width) for cell, width in zip(row[:3], widths, strict=True)), row[3]]) for row in rows
    ]
    if not rows:
        lines.append("No Python was found.")
    lines += ["", "Looked in:"]
    for place in found.places:
        if place.exists:
            lines.append(f"  {place.source}: {place.folder} ({_counted(place)})")
            lines += [f"    passed over {item.path}: {item.reason}" for item in place.rejected]
    absent = [place.folder for place in found.places if not place.exists]
    if absent:
        lines += ["Not there:", *(f"  {folder}" for folder in dict.fromkeys(absent))]
    return lines


def _in_order(found: Found) -> list[Interpreter]:
    # A stable sort: equals stay in the order of their sources.
    order = {name: number for number, name in enumerate(TITLES)}
    return sorted(found.interpreters, key=lambda item: (order.get(item.implementation, len(order)), version_of(item)))


def _title(interpreter: Interpreter) -> str:
    traits = [
        name for name, is_on in (("free-threaded", interpreter.free_threaded), ("debug", interpreter.debug)) if is_on
    ]
    if interpreter.bits != 64:  # noqa: PLR2004  (the usual case)
        traits.append(f"{interpreter.bits}-bit")
    return " ".join([TITLES.get(interpreter.implementation, interpreter.implementation), *traits])


def _counted(place: Place) -> str:
    parts = [f"{place.found} found" if place.found else "nothing found" if not place.duplicates else "nothing new"]
    if place.duplicates:
        parts.append(f"{place.duplicates} already known")
    return ", ".join(parts)
