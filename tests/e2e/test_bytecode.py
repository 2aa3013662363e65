"""Shared bytecode: what is kept, for whom it is good, and that damage and tests cannot get into it."""

from __future__ import annotations

import base64
import hashlib
import importlib.util
import py_compile
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from venvgrid import command, process, testing
from venvgrid.bytecode import SOURCE_TIME, Bytecode
from venvgrid.model import Interpreter, LockEntry

pytestmark = pytest.mark.e2e

TAG = sys.implementation.cache_tag
HERE = replace(
    testing.interpreter(".".join(map(str, sys.version_info[:3]))),
    executable=sys.executable,
    cache_tag=TAG,
)
DEMO = testing.distribution("demo", "1.0")


def entry(interpreter: Interpreter = HERE) -> LockEntry:
    return LockEntry(key="0" * 16, interpreter=interpreter, distributions=(DEMO,))


def install(site: Path, **modules: str) -> Path:
    """Write a distribution "demo" with these modules and its RECORD, as an installer does."""
    (site / "demo-1.0.dist-info").mkdir(parents=True)
    (site / "demo").mkdir()
    rows = []
    for name, text in modules.items():
        path = site / "demo" / f"{name}.py"
        path.write_text(text, encoding="utf-8")
        digest = base64.urlsafe_b64encode(hashlib.sha256(path.read_bytes()).digest()).decode().rstrip("=")
        rows.append(f"demo/{name}.py,sha256={digest},{path.stat().st_size}")
    (site / "demo-1.0.dist-info" / "RECORD").write_text("\n".join(rows), encoding="utf-8")
    return site


def compiled(site: Path, name: str) -> Path:
    return Path(importlib.util.cache_from_source(str(site / "demo" / f"{name}.py")))


def imported(site: Path, name: str) -> None:
    """Do what an import does: leave a compiled file beside the source."""
    py_compile.compile(str(site / "demo" / f"{name}.py"), doraise=True)


@pytest.fixture
def shared(tmp_path: Path) -> Bytecode:
    """Give packs in an empty cache; compiling starts the interpreter that runs the tests."""
    return Bytecode(folder=tmp_path / "packs", environ={}, run=process.run)


def test_what_was_imported_once_is_there_in_the_next_environment(shared: Bytecode, tmp_path: Path) -> None:
    """Only imported modules are kept, and Python takes the copy as its own: time and size of the source are in it."""
    first = install(tmp_path / "one", a="A = 1\n", b="B = 2\n")
    assert shared.give(first, entry()) == 0
    imported(first, "a")
    assert shared.collect(first, entry()) == 1
    second = install(tmp_path / "two", a="A = 1\n", b="B = 2\n")
    assert shared.give(second, entry()) == 1
    header = compiled(second, "a").read_bytes()[:16]
    assert int.from_bytes(header[8:12], "little") == SOURCE_TIME == int((second / "demo/a.py").stat().st_mtime)
    assert int.from_bytes(header[12:16], "little") == (second / "demo/a.py").stat().st_size
    assert header[:4] == importlib.util.MAGIC_NUMBER
    assert not compiled(second, "b").exists()


def test_nothing_is_compiled_twice(shared: Bytecode, tmp_path: Path) -> None:
    """A second environment with the same imports gives nothing new; another import is added to what is there."""
    first = install(tmp_path / "one", a="A = 1\n", b="B = 2\n")
    imported(first, "a")
    assert (shared.collect(first, entry()), shared.collect(first, entry())) == (1, 0)
    imported(first, "b")
    assert shared.collect(first, entry()) == 1
    assert shared.give(install(tmp_path / "two", a="A = 1\n", b="B = 2\n"), entry()) == 2


def test_what_a_test_wrote_is_never_kept(shared: Bytecode, tmp_path: Path) -> None:
    """A forged compiled file in an environment reaches no other: what is kept is compiled again from the source."""
    first = install(tmp_path / "one", a="A = 1\n")
    compiled(first, "a").parent.mkdir()
    compiled(first, "a").write_bytes(b"forged")
    assert shared.collect(first, entry()) == 1
    second = install(tmp_path / "two", a="A = 1\n")
    shared.give(second, entry())
    assert b"forged" not in compiled(second, "a").read_bytes()


@pytest.mark.parametrize("damage", [b"", b"no archive", None])
def test_a_damaged_pack_is_dropped(shared: Bytecode, tmp_path: Path, damage: bytes | None) -> None:
    """A pack that was cut off, or has a wrong byte inside, gives nothing and is deleted."""
    first = install(tmp_path / "one", a="A = 'a text that can be found again'\n")
    imported(first, "a")
    shared.collect(first, entry())
    (pack,) = shared.folder.rglob("*.zip")
    content = pack.read_bytes()
    flipped = content.replace(b"a text that can be found", b"A text that can be found")
    assert flipped != content
    pack.write_bytes(flipped if damage is None else damage)
    second = install(tmp_path / "two", a="A = 'a text that can be found again'\n")
    assert shared.give(second, entry()) == 0
    assert not pack.exists()


def test_another_source_another_interpreter_and_another_file_get_nothing(shared: Bytecode, tmp_path: Path) -> None:
    """Kept by the source's sha256, the interpreter's build and the distribution's hashes: any other is a stranger."""
    first = install(tmp_path / "one", a="A = 1\n")
    imported(first, "a")
    shared.collect(first, entry())
    assert shared.give(install(tmp_path / "source", a="A = 2\n"), entry()) == 0
    assert shared.give(install(tmp_path / "python", a="A = 1\n"), entry(replace(HERE, version="3.99.0"))) == 0
    other = replace(entry(), distributions=(replace(DEMO, hashes=("sha256:0",)),))
    assert shared.give(install(tmp_path / "file", a="A = 1\n"), other) == 0


def test_a_source_that_does_not_compile_is_passed_over(shared: Bytecode, tmp_path: Path) -> None:
    """A template with the name of a module costs nothing but itself."""
    first = install(tmp_path / "one", a="A = 1\n", template="{{ no python }}:\n")
    imported(first, "a")
    compiled(first, "template").write_bytes(b"x")
    assert shared.collect(first, entry()) == 1


def test_old_pythons_and_other_implementations_are_left_alone(tmp_path: Path) -> None:
    """Below 3.8, and for PyPy, nothing is started, kept or given."""

    def never(asked: command.Command) -> command.Completed:
        pytest.fail(f"started {asked.argv}")

    shared = Bytecode(folder=tmp_path / "packs", environ={}, run=never)
    for other in (testing.interpreter("3.7.1"), testing.interpreter("3.10.1", "pypy")):
        site = install(tmp_path / other.version, a="A = 1\n")
        compiled(site, "a").parent.mkdir()
        compiled(site, "a").touch()
        assert shared.collect(site, entry(other)) == 0
        assert shared.give(site, entry(other)) == 0


def test_a_record_cannot_lead_outside(shared: Bytecode, tmp_path: Path) -> None:
    """Paths that leave site-packages are passed over: nothing outside is touched."""
    site = install(tmp_path / "env" / "site", a="A = 1\n")
    outside = tmp_path / "env" / "outside.py"
    outside.write_text("O = 1\n", encoding="utf-8")
    with (site / "demo-1.0.dist-info" / "RECORD").open("a", encoding="utf-8") as record:
        record.write(f"\n../outside.py,sha256=x,6\n{outside},sha256=x,6\n")
    before = outside.stat().st_mtime_ns
    shared.give(site, entry())
    assert outside.stat().st_mtime_ns == before
