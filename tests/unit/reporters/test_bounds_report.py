"""Bounds as text and as JSON."""

from __future__ import annotations

import json
from dataclasses import replace
from importlib import resources

import jsonschema  # type: ignore[import-untyped] # it has no types

from venvgrid.analysis.search.bounds import Bound, Bounds, Cap, DependencyBounds, Evidence, Joint, Pair, Standing
from venvgrid.reporters.documents import bounds as report

GREEN = Evidence(python="3.9.18", outcome="passed", versions={"a": "1.2", "b": "2.0"}, tests=12)
RED = Evidence(python="3.9.18", outcome="failed", versions={"a": "1.1", "b": "2.4"}, tests=12, reason="test_x: OSError")
NO_WHEEL = Evidence(python="3.9.18", outcome="impossible", versions={"b": "1.0"}, reason="b 1.0 has no wheel")
A = Bound(
    name="a",
    python="3.9",
    declared=">=1.0",
    standing=Standing.TOO_LOW,
    resolvable="1.0",
    proven="1.2",
    evidence=(GREEN, RED),
    fails_below=True,
)
B = Bound(
    name="b",
    python="3.9",
    declared=">=0.1",
    standing=Standing.RAISED,
    resolvable="2.0",
    proven="2.0",
    evidence=(GREEN, NO_WHEEL),
)
FOUND = Bounds(
    project="demo",
    pythons=("3.9", "3.10"),
    dependencies=(
        DependencyBounds(name="a", lines=("a>=1.0",), bounds=(A, replace(A, python="3.10"))),
        DependencyBounds(name="b", lines=("b>=0.1",), bounds=(B,)),
        DependencyBounds(name="c", lines=("c==1.0",), fixed="it is pinned (==1.0)"),
    ),
    joints=(Joint(python="3.9", evidence=GREEN),),
    pairs=(Pair(python="3.9", raised="b", partner="a", before="1.9", after="2.0", evidence=RED, others=("c",)),),
    caps=(Cap(name="b", python="3.9", good="2.4", bad="3.0", evidence=RED),),
    problems={"3.8": "there is no Python 3.8"},
    notes=("Python 2.7 is left out: the project requires >=3.8",),
    resolves=9,
    builds=1,
    tests=2,
)


def test_the_table_says_what_is_wrong_and_what_to_write() -> None:
    """One row for Pythons that say the same; each wrong bound has its evidence and its way out."""
    assert "\n".join(report.lines(FOUND)) == (
        "dependency  Python     declared  resolvable  proven\n"
        "a           3.9, 3.10  >=1.0     1.0         1.2     ✗ too low\n"
        "b           3.9        >=0.1     2.0         2.0     ✗ never reached\n"
        "c                      c==1.0    –           –       it is pinned (==1.0)\n"  # noqa: RUF001
        "\n"
        "✗ a >=1.0 allows 1.1, which fails on Python 3.9, 3.10: test_x: OSError\n"
        "  prove it with the lower bound a>=1.2\n"
        "✗ b >=0.1 is never reached: the resolver takes 2.0 on Python 3.9: b 1.0 has no wheel\n"
        "  prove it with the lower bound b>=2.0\n"
        "✗ b 3.0 breaks the tests on Python 3.9: test_x: OSError\n"
        "  2.4 passes; until it is mended, consider the upper bound b<3.0\n"
        "! b 1.9 and a 1.1 pass alone, but not together (with c at their lowest, too), "
        "on Python 3.9: test_x: OSError\n"
        "  with b 2.0 they pass\n"
        "✓ Python 3.9.18: 12 tests passed with all at once: a 1.2, b 2.0\n"
        "? Python 3.8: there is no Python 3.8\n"
        "note: Python 2.7 is left out: the project requires >=3.8\n"
        "\n"
        "9 resolves, 1 build, 2 test runs"
    )


def test_a_bound_that_another_python_reaches_is_not_wrong() -> None:
    """Where only one Python has no wheel of the lowest release, the row says so, and nothing is to be done."""
    proven = replace(B, python="3.8", standing=Standing.PROVEN, resolvable="0.1", proven="0.1", evidence=(GREEN,))
    found = replace(
        FOUND,
        dependencies=(DependencyBounds(name="b", lines=("b>=0.1",), bounds=(proven, B)),),
        pairs=(),
        caps=(),
        problems={},
        notes=(),
    )
    shown = list(report.lines(found))
    assert shown[1:4] == [
        "b           3.8     >=0.1     0.1         0.1     ✓",
        "b           3.9     >=0.1     2.0         2.0     raised by the resolver",
        "",
    ]
    assert not any("✗" in line for line in shown)


def test_a_project_without_dependencies_is_told_so() -> None:
    """There is nothing to prove."""
    empty = Bounds(project="demo", pythons=("3.9",), dependencies=())
    assert next(report.lines(empty)) == "The project declares no dependencies: there are no bounds to prove."


def test_text_of_the_tests_cannot_forge_lines() -> None:
    """A reason with line ends and escape sequences stays on its line."""
    forged = replace(RED, reason="\n✓ all is well\x1b[2J")
    a = DependencyBounds(name="a", lines=("a",), bounds=(replace(A, evidence=(GREEN, forged)),))
    shown = list(report.lines(replace(FOUND, dependencies=(a,), pairs=(), caps=())))
    assert not any(line.startswith("✓ all") or "\x1b" in line for line in shown)


def test_the_json_fits_its_schema() -> None:
    """`bounds --json` has what the design promises, and the schema has every verdict."""
    data = json.loads(json.dumps(report.bounds_json(FOUND)))
    schema = json.loads(
        resources.files("venvgrid").joinpath("model/schemas/bounds.schema.json").read_text(encoding="utf-8")
    )
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.Draft202012Validator(schema).validate(data)
    assert data["format"] == "venvgrid-bounds-1"
    assert data["verdict"] == "wrong"
    row = data["bounds"][0]
    assert {key: row[key] for key in ("name", "python", "declared", "resolvable", "proven")} == {
        "name": "a",
        "python": "3.9",
        "declared": ">=1.0",
        "resolvable": "1.0",
        "proven": "1.2",
    }
    assert [item["outcome"] for item in row["evidence"]] == ["passed", "failed"]
    assert [item["write"] for item in data["dependencies"]] == ["1.2", "2.0", ""]
    assert set(schema["$defs"]["verdict"]["enum"]) == {item.value for item in Standing}
    for part, keys in (("bounds", row), ("pairs", data["pairs"][0]), ("caps", data["caps"][0])):
        assert set(schema["properties"][part]["items"]["properties"]) == set(keys)
