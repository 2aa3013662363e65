"""Shared bytecode: what is kept, for whom it is good, and that damage and tests cannot get into it."""

from __future__ import annotations

import base64
import hashlib
import importlib.util
import py_compile
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from venvgrid import testing
from venvgrid.environments.package_cache import ingest, populate
from venvgrid.environments.package_cache.bytecode import SOURCE_TIME, Bytecode
from venvgrid.environments.package_cache.cache import PackageCache
from venvgrid.environments.package_cache.links import DamagedError
from venvgrid.environments.package_cache.populate import Populated
from venvgrid.processes import command, runner

if TYPE_CHECKING:
    from venvgrid.model import Interpreter

pytestmark = pytest.mark.e2e

TAG = sys.implementation.cache_tag
HERE = replace(
    testing.interpreter(".".join(map(str, sys.version_info[:3]))),
    executable=sys.executable,
    cache_tag=TAG,
)
DEMO = testing.distribution("demo", "1.0")


@dataclass
class Shared:
    """The packages and the compiler, as a store uses them."""

    packages: PackageCache
    bytecode: Bytecode

    def keep(self, env: Path, interpreter: Interpreter = HERE) -> None:
        ingest.add_installed(self.packages, env, env / "site", env / "bin/python", interpreter, (DEMO,))

    def give(self, env: Path, interpreter: Interpreter = HERE) -> int:
        """Fill a new environment from the cache; return the number of compiled files."""
        (env / "site").mkdir(parents=True)
        package = self.packages.find(interpreter, DEMO)
        if package is None:
            return 0
        populated = Populated()
        populate.populate(self.packages, package, env, env / "site", populated, may_link=True)
        return len(populated.compiled)

    def collect(self, env: Path, interpreter: Interpreter = HERE) -> int:
        package = self.packages.find(interpreter, DEMO)
        site = env / "site"
        imported = [path.relative_to(site).as_posix() for path in site.rglob("*.pyc")]
        return self.bytecode.collect([package.key] if package else [], imported, interpreter)


def install(env: Path, **modules: str) -> Path:
    """Write a distribution "demo" with these modules and its RECORD, as an installer does."""
    site = env / "site"
    (site / "demo-1.0.dist-info").mkdir(parents=True)
    (site / "demo").mkdir()
    rows = ["demo-1.0.dist-info/RECORD,,"]
    for name, text in modules.items():
        path = site / "demo" / f"{name}.py"
        path.write_text(text, encoding="utf-8")
        digest = base64.urlsafe_b64encode(hashlib.sha256(path.read_bytes()).digest()).decode().rstrip("=")
        rows.append(f"demo/{name}.py,sha256={digest},{path.stat().st_size}")
    (site / "demo-1.0.dist-info" / "RECORD").write_text("\n".join(rows), encoding="utf-8")
    return env


def compiled(env: Path, name: str) -> Path:
    return Path(importlib.util.cache_from_source(str(env / "site" / "demo" / f"{name}.py")))


def imported(env: Path, name: str) -> None:
    """Do what an import does: leave a compiled file beside the source."""
    py_compile.compile(str(env / "site" / "demo" / f"{name}.py"), doraise=True)


@pytest.fixture
def shared(tmp_path: Path) -> Shared:
    """Return an empty cache, which compiles with the interpreter that runs the tests."""
    packages = PackageCache(folder=tmp_path / "trees")
    return Shared(packages, Bytecode(packages=packages, environ={}, run=runner.run))


def test_what_was_imported_once_is_there_in_the_next_environment(shared: Shared, tmp_path: Path) -> None:
    """Only imported modules are kept, and Python takes the file as its own: time and size of the source are in it."""
    first, second = install(tmp_path / "one", a="A = 1\n", b="B = 2\n"), tmp_path / "two"
    shared.keep(first)
    imported(first, "a")
    assert shared.collect(first) == 1
    assert shared.give(second) == 1
    header = compiled(second, "a").read_bytes()[:16]
    assert int.from_bytes(header[8:12], "little") == SOURCE_TIME == int((second / "site/demo/a.py").stat().st_mtime)
    assert int.from_bytes(header[12:16], "little") == (second / "site/demo/a.py").stat().st_size
    assert header[:4] == importlib.util.MAGIC_NUMBER
    assert not compiled(second, "b").exists()


def test_python_uses_what_it_was_given(shared: Shared, tmp_path: Path) -> None:
    """An import in the second environment leaves the compiled file as it is, and names the environment's own source."""
    first, second = install(tmp_path / "one", a="A = 1\ndef f(): pass\n"), tmp_path / "two"
    shared.keep(first)
    imported(first, "a")
    shared.collect(first)
    shared.give(second)
    before = compiled(second, "a").stat()
    code = "import sys; sys.path.insert(0, sys.argv[1]); import demo.a; print(demo.a.f.__code__.co_filename)"
    argv = (sys.executable, "-I", "-S", "-c", code, str(second / "site"))
    done = runner.run(command.Command(argv=argv, cwd=tmp_path, env={}))
    assert done.stdout.strip() == str(second / "site/demo/a.py")
    assert (before.st_ino, before.st_mtime_ns) == (
        compiled(second, "a").stat().st_ino,
        compiled(second, "a").stat().st_mtime_ns,
    )


def test_nothing_is_compiled_twice(shared: Shared, tmp_path: Path) -> None:
    """A second environment with the same imports gives nothing new; another import is added to what is there."""
    first = install(tmp_path / "one", a="A = 1\n", b="B = 2\n")
    shared.keep(first)
    imported(first, "a")
    assert (shared.collect(first), shared.collect(first)) == (1, 0)
    imported(first, "b")
    assert shared.collect(first) == 1
    assert shared.give(tmp_path / "two") == 2


def test_two_processes_add_to_one_tree(shared: Shared, tmp_path: Path) -> None:
    """What another run compiled meanwhile is not lost when this one adds to it."""
    first = install(tmp_path / "one", a="A = 1\n", b="B = 2\n")
    shared.keep(first)
    packages = PackageCache(folder=shared.packages.folder)
    other = Shared(packages, Bytecode(packages=packages, environ={}, run=runner.run))
    other.packages.find(HERE, DEMO)
    imported(first, "a")
    shared.collect(first)
    compiled(first, "a").unlink()
    imported(first, "b")
    assert other.collect(first) == 1
    assert other.give(tmp_path / "two") == 2


def test_what_a_test_wrote_is_never_kept(shared: Shared, tmp_path: Path) -> None:
    """A forged compiled file or source in an environment reaches no other: the package's own source is compiled."""
    first, second = install(tmp_path / "one", a="A = 1\n"), tmp_path / "two"
    shared.keep(first)
    compiled(first, "a").parent.mkdir()
    compiled(first, "a").write_bytes(b"forged")
    (first / "site/demo/a.py").unlink()
    (first / "site/demo/a.py").write_bytes(b"A = 666\n")
    assert shared.collect(first) == 1
    shared.give(second)
    assert b"forged" not in compiled(second, "a").read_bytes()
    assert (second / "site/demo/a.py").read_bytes() == b"A = 1\n"


def test_a_source_that_was_written_into_is_not_compiled(shared: Shared, tmp_path: Path) -> None:
    """Written through a link: the package's own source is no longer what RECORD says, so nothing is kept of it."""
    first = install(tmp_path / "one", a="A = 1\n")
    shared.keep(first)
    imported(first, "a")
    (first / "site/demo/a.py").write_bytes(b"A = 9\n")
    assert shared.collect(first) == 0


@pytest.mark.parametrize("damage", [b"", b"no code", None])
def test_a_damaged_compiled_file_is_dropped(shared: Shared, tmp_path: Path, damage: bytes | None) -> None:
    """Cut off, or with a wrong byte inside: the whole package is deleted, and nothing of it is used."""
    first = install(tmp_path / "one", a="A = 'a text that can be found again'\n")
    shared.keep(first)
    imported(first, "a")
    shared.collect(first)
    (kept,) = shared.packages.folder.rglob("*.pyc")
    content = kept.read_bytes()
    flipped = content.replace(b"a text that can be found", b"A text that can be found")
    assert flipped != content
    kept.write_bytes(flipped if damage is None else damage)
    with pytest.raises(DamagedError):
        shared.give(tmp_path / "two")
    assert not kept.exists()
    assert shared.give(tmp_path / "three") == 0


def test_a_source_that_does_not_compile_is_passed_over(shared: Shared, tmp_path: Path) -> None:
    """A template with the name of a module costs nothing but itself."""
    first = install(tmp_path / "one", a="A = 1\n", template="{{ no python }}:\n")
    shared.keep(first)
    imported(first, "a")
    compiled(first, "template").write_bytes(b"x")
    assert shared.collect(first) == 1


def test_old_pythons_and_other_implementations_are_left_alone(tmp_path: Path) -> None:
    """Below 3.8, and for PyPy, files are shared, but nothing is started, compiled or populated compiled."""

    def never(asked: command.Command) -> command.Completed:
        pytest.fail(f"started {asked.argv}")

    packages = PackageCache(folder=tmp_path / "trees")
    shared = Shared(packages, Bytecode(packages=packages, environ={}, run=never))
    for other in (testing.interpreter("3.7.1"), testing.interpreter("3.10.1", "pypy")):
        env = install(tmp_path / other.version, a="A = 1\n")
        shared.keep(env, other)
        compiled(env, "a").parent.mkdir()
        compiled(env, "a").touch()
        assert shared.collect(env, other) == 0
        assert shared.give(tmp_path / f"{other.version}-two", other) == 0
        assert (tmp_path / f"{other.version}-two" / "site/demo/a.py").exists()
