"""What the probe attests: versions, where code came from; and its stream while tests run."""
# ruff: noqa: SIM300 - expected == actual

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from probe_lab import OK, posix, write
from rig import LIMIT, wait_for

from venvgrid.outcomes.probe import STREAM_NAME, Stream
from venvgrid.outcomes.records import Started

if TYPE_CHECKING:
    from collections.abc import Callable

    from probe_lab import Cases

    from venvgrid.outcomes.records import Record

pytestmark = pytest.mark.e2e
pytest_plugins = ("probe_lab",)

FLAT = {
    "demo/__init__.py": "",
    "tests/__init__.py": "",
    "tests/test_demo.py": "import demo, attr\ndef test_a(): pass\n",
}


@pytest.mark.parametrize(
    ("options", "mode", "outcome", "origin"),
    [
        ((), "wheel", "mismatch", "checkout"),
        (("--import-mode=importlib",), "wheel", "passed", "environment"),
        (("-n2",), "wheel", "mismatch", "checkout"),
        ((), "editable", "passed", "checkout"),
        (("--import-mode=importlib",), "editable", "mismatch", "environment"),
    ],
)
def test_where_the_project_came_from_decides(
    case: Cases, options: tuple[str, ...], mode: str, outcome: str, origin: str
) -> None:
    """A flat layout whose tests are a package imports the checkout: right for editable, a mismatch for a wheel."""
    made = case(packages={"attrs": "22.1.0"}, project="demo-dist")
    checkout = os.path.realpath(made.tests)
    expected = {"wheel": made.lab.prefix, "editable": checkout}[mode]
    made = case(packages={"attrs": "22.1.0"}, project="demo-dist", project_origin=expected)
    script = str(Path(made.lab.python).with_name("pytest"))  # unlike `python -m pytest` it puts no folder on the path
    seen = made.run(FLAT, argv=(script, *options))
    place = {"checkout": Path(checkout), "environment": made.lab.site.resolve()}[origin]
    attested = seen.judgement.attested
    assert (outcome, str(place / "demo" / "__init__.py")) == (seen.brief[0], attested.project_origin), seen.output
    assert ({"attrs": "22.1.0"}, f"cpython {made.lab.version} {made.lab.python}") == (
        attested.packages,
        attested.python,
    )


@pytest.mark.parametrize(
    ("packages", "files", "reason"),
    [
        ({"attrs": "21.1"}, {"test_a.py": OK}, "attrs 22.1.0 was there, but the cell says attrs 21.1"),
        ({"attrs": ""}, {"test_a.py": OK}, "attrs 22.1.0 was there, but the cell says that attrs is absent"),
        ({"numpy": "1.0"}, {"test_a.py": OK}, "no numpy was there, but the cell says numpy 1.0"),
        (
            {"attrs": "22.1.0"},
            {"attr/__init__.py": "", "test_a.py": "import attr\n" + OK},
            "attrs was imported from {tests}/attr/__init__.py, not from the environment",
        ),
        (
            {"attrs": "22.1.0"},
            {"attrs-23.0.dist-info/METADATA": "Version: 23.0\n", "test_a.py": OK},
            "attrs 23.0 was there, but the cell says attrs 22.1.0",
        ),
    ],
    ids=["version", "absent", "missing", "shadowed", "shadowed metadata"],
)
def test_packages_that_are_not_what_the_cell_says(
    case: Cases, packages: dict[str, str], files: dict[str, str], reason: str
) -> None:
    """Their versions, their presence, and where they were imported from."""
    made = case(packages=packages)
    seen = made.run(files)
    assert ("mismatch", reason.format(tests=os.path.realpath(made.tests))) == seen.brief, seen.output


@posix
def test_the_stream_is_read_while_tests_run(case: Cases) -> None:
    """A test that runs is known before it ends, and its result before the next one ends."""
    made = case()
    waits = """
        import os, pytest
        @pytest.mark.parametrize("name", ["first", "second"])
        def test_waits(name):
            with open(os.path.join(os.environ["GATES"], name)):
                pass
    """
    write(made.tests, {"test_a.py": waits})
    for name in ("first", "second"):
        os.mkfifo(made.folder / name)  # opening it waits for the other side
    command = (made.lab.python, "-m", "pytest")
    env = made.variables({"GATES": str(made.folder)})
    stream = Stream(made.folder / "run" / STREAM_NAME)
    with subprocess.Popen(command, cwd=made.tests, env=env, stdout=subprocess.DEVNULL) as process:
        began = until(stream, lambda record: isinstance(record, Started))
        (made.folder / "first").write_text("", encoding="utf-8")
        then = until(stream, lambda record: isinstance(record, Started))
        (made.folder / "second").write_text("", encoding="utf-8")
        assert 0 == process.wait(timeout=LIMIT)
    assert "test_a.py::test_waits[first]" == began[-1].id  # type: ignore[union-attr]
    assert ["Reported", "Started"] == [type(record).__name__ for record in then]


def until(stream: Stream, condition: Callable[[Record], bool]) -> list[Record]:
    """Read a stream until a record fulfils the condition; it is the last of those that are given."""
    found: list[Record] = []

    def has_come() -> bool:
        found.extend(stream.read_new())
        return any(condition(record) for record in found)

    wait_for(has_come)
    return found
