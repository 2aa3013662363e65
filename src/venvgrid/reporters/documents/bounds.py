"""The bounds of dependencies: as one screen of text, and as "venvgrid-bounds-1"."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from venvgrid.analysis.search.bounds import Standing
from venvgrid.model.version import __version__
from venvgrid.reporters import text

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from venvgrid.analysis.search.bounds import Bound, Bounds, Evidence

FORMAT = "venvgrid-bounds-1"
WORDS = {
    Standing.PROVEN: "✓",
    Standing.TOO_LOW: "✗ too low",
    Standing.RAISED: "✗ never reached",
    Standing.IMPOSSIBLE: "✗ does not resolve",
    Standing.UNKNOWN: "? cannot tell",
}
HERE = {Standing.RAISED: "raised by the resolver"}  # on one Python that is no mistake: another may reach the bound
NONE = "–"  # noqa: RUF001  (a dash, as in the grid)


def bounds_json(found: Bounds) -> dict[str, Any]:
    """Return bounds as plain data. Its JSON Schema is model/schemas/bounds.schema.json."""
    return {
        "format": FORMAT,
        "venvgrid": __version__,
        "project": found.project,
        "verdict": _overall(found),
        "bounds": [
            {
                "name": item.name,
                "python": item.python,
                "declared": item.declared,
                "resolvable": item.resolvable,
                "proven": item.proven,
                "verdict": item.standing.value,
                "note": item.note,
                "evidence": [_plain(one) for one in item.evidence],
            }
            for dependency in found.dependencies
            for item in dependency.bounds
        ],
        "dependencies": [
            {
                "name": item.name,
                "requirements": list(item.lines),
                "verdict": item.standing.value,
                "floor": item.floor,
                "write": item.to_write,
                "fixed": item.fixed,
            }
            for item in found.dependencies
        ],
        "joint": [{"python": item.python, "evidence": _plain(item.evidence)} for item in found.joints],
        "pairs": [asdict(item) | {"evidence": _plain(item.evidence)} for item in found.pairs],
        "caps": [asdict(item) | {"evidence": _plain(item.evidence)} for item in found.caps],
        "problems": dict(found.problems),
        "notes": list(found.notes),
        "resolves": found.resolves,
        "builds": found.builds,
        "tests": found.tests,
    }


def _overall(found: Bounds) -> str:
    return "wrong" if found.standing is Standing.TOO_LOW else found.standing.value


def _plain(item: Evidence) -> dict[str, Any]:
    return {
        "python": item.python,
        "outcome": item.outcome,
        "versions": dict(item.versions),
        "tests": item.tests,
        "reason": item.reason,
    }


def lines(found: Bounds) -> Iterator[str]:
    """Yield the bounds as text: the table, what is wrong with the evidence, and what was proven together."""
    rows = [("dependency", "Python", "declared", "resolvable", "proven", "")]
    for dependency in found.dependencies:
        for pythons, item in _alike(dependency.bounds):
            words = WORDS[item.standing] if dependency.standing is item.standing else HERE.get(item.standing, "")
            shown = (item.declared or "any", item.resolvable or NONE, item.proven or NONE)
            rows.append((item.name, pythons, *shown, words or WORDS[item.standing]))
        if dependency.fixed:
            rows.append((dependency.name, "", ", ".join(dependency.lines), NONE, NONE, dependency.fixed))
    if len(rows) == 1:
        yield "The project declares no dependencies: there are no bounds to prove."
    else:
        yield from _columns(rows)
    parts = [*_wrong(found), *_caps(found), *_pairs(found), *_joints(found)]
    yield from (["", *(text.line(part, indented=True) for part in parts)] if parts else ())
    yield from (text.line(f"? Python {python}: {why}") for python, why in found.problems.items())
    yield from (text.line(f"note: {note}") for note in found.notes)
    yield ""
    counts = ((found.resolves, "resolve"), (found.builds, "build"), (found.tests, "test run"))
    yield ", ".join(_counted(number, what) for number, what in counts)


def _wrong(found: Bounds) -> Iterator[str]:
    """Yield what is wrong with each dependency, or uncertain, and what to write."""
    for dependency in found.dependencies:
        for pythons, item in _alike([one for one in dependency.bounds if one.standing is dependency.standing]):
            where = f"on Python {pythons}"
            worse = item.evidence[1] if len(item.evidence) > 1 else None
            named = f"{item.name} {item.declared}".strip() if item.declared else f"{item.name} without a lower bound"
            if item.standing is Standing.TOO_LOW and worse is not None:
                below = worse.versions.get(item.name, "")
                pair = next((one for one in found.pairs if (one.raised, one.python) == (item.name, item.python)), None)
                beside = f" beside {pair.partner} {worse.versions.get(pair.partner, '')}" if pair else ""
                yield f"✗ {named} allows {below}, which fails{beside} {where}: {worse.reason or worse.outcome}"
            elif item.standing is Standing.RAISED:
                why = f": {worse.reason}" if worse and worse.reason else ""
                taken = item.resolvable or item.proven
                yield f"✗ {named} is never reached: the resolver takes {taken} {where}{why}"
            elif item.standing is Standing.UNKNOWN and item.note:
                yield f"? {named} {where}: {item.note}"
        if dependency.to_write:
            yield f"  prove it with the lower bound {dependency.name}>={dependency.to_write}"


def _caps(found: Bounds) -> Iterator[str]:
    for item in found.caps:
        yield f"✗ {item.name} {item.bad} breaks the tests on Python {item.python}: {item.evidence.reason}"
        advice = f"{item.name}<{item.bad}" if item.is_direct else f"{item.name}<{item.bad} (no dependency of its own)"
        yield f"  {item.good} passes; until it is mended, consider the upper bound {advice}"


def _pairs(found: Bounds) -> Iterator[str]:
    for item in found.pairs:
        others = f" (with {', '.join(item.others)} at their lowest, too)" if item.others else ""
        low = item.evidence.versions.get(item.partner, "")
        yield (
            f"! {item.raised} {item.before} and {item.partner} {low} pass alone, but not together{others}, "
            f"on Python {item.python}: {item.evidence.reason or item.evidence.outcome}"
        )
        yield f"  with {item.raised} {item.after} they pass"


def _joints(found: Bounds) -> Iterator[str]:
    for item in found.joints:
        versions = ", ".join(f"{name} {version}" for name, version in item.evidence.versions.items())
        tests = _counted(item.evidence.tests, "test")
        yield f"✓ Python {item.evidence.python}: {tests} passed with all at once: {versions or 'no dependencies'}"


def _alike(bounds: Iterable[Bound]) -> Iterator[tuple[str, Bound]]:
    """Yield bounds that say the same of several Pythons once, with the Pythons."""
    groups: dict[tuple[str, ...], list[Bound]] = {}
    for item in bounds:
        below = tuple(item.evidence[1].versions.items()) if len(item.evidence) > 1 else ()
        key = (item.declared, item.resolvable, item.proven, item.standing.value, f"{below}", item.note)
        groups.setdefault(key, []).append(item)
    for some in groups.values():
        yield ", ".join(item.python for item in some), some[0]


def _columns(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    safe = [[text.line(cell) for cell in row] for row in rows]
    widths = [max(len(row[column]) for row in safe) for column in range(len(safe[0]))]
    for row in safe:
        yield "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()


def _counted(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"
