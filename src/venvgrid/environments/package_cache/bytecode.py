"""Bytecode shared between environments: the imports of a distribution are compiled once per interpreter.

Much of the first test run in a fresh scientific environment is compiling imports. venvgrid compiles the modules that
the tests of a cell imported again, in a process of its own, from the sources in the package cache, and stores the
result there. New environments start with it.

Trust: a cached package belongs to one interpreter and holds what the hashes of the lock and RECORD say. Every file of
it, compiled ones too, has its sha256. Nothing that a test process wrote is cached. Python accepts a compiled file only
if it holds the time and size of the source, so sources get one fixed time.
"""

from __future__ import annotations

import json
import os
import tempfile
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from venvgrid.environments.package_cache.facts import facts_of
from venvgrid.model import python_releases
from venvgrid.model.values import dataclass
from venvgrid.processes.command import Command
from venvgrid.processes.guests import COMPILER

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from venvgrid.environments.package_cache.cache import CachedPackage, PackageCache
    from venvgrid.model import Interpreter
    from venvgrid.processes.command import Runner

SOURCE_TIME = 1_577_836_800  # seconds: 2020-01-01; any fixed time will do, if it fits ZIP files and is in the past
TIMEOUT = 600.0  # seconds


def shares_bytecode(interpreter: Interpreter) -> bool:
    """Whether compiled files of this interpreter are shared."""
    is_new = interpreter.release >= python_releases.OLDEST_FOR_SHARED_BYTECODE
    return interpreter.implementation == "cpython" and is_new and bool(interpreter.cache_tag)


@dataclass(frozen=True, slots=True, kw_only=True)
class Bytecode:
    """Compiles imported modules. `run` starts processes; `environ` holds the environment variables of the compiler."""

    packages: PackageCache
    environ: Mapping[str, str]
    run: Runner

    def collect(self, keys: Iterable[str], imported: Iterable[str], interpreter: Interpreter) -> int:
        """Compile the imported modules of cached packages that have no bytecode yet; return their number.

        `imported` names compiled files of an environment, relative to its site-packages. Their content is not read.
        """
        if not shares_bytecode(interpreter):
            return 0
        wanted = frozenset(imported)
        # Another process may have added to a package since this one read it.
        current = [found for key in keys if (found := self.packages.reload(key)) is not None]
        new = {package.key: self._missing(package, wanted, interpreter.cache_tag) for package in current}
        if not any(new.values()):
            return 0
        with tempfile.TemporaryDirectory(prefix=".partial-", dir=current[0].path.parent) as folder:
            made = self._compile([item for files in new.values() for item in files], Path(folder), interpreter)
            return sum(self._add(package, new[package.key], made) for package in current if new[package.key])

    def _missing(self, package: CachedPackage, wanted: frozenset[str], tag: str) -> list[tuple[str, str]]:
        """Return (compiled file, source) of the imported modules without bytecode whose sources are unchanged."""
        found = []
        for path, facts in package.site.items():
            compiled = compiled_name(path, tag) if path.endswith(".py") else ""
            is_missing = compiled in wanted and compiled not in package.compiled
            if is_missing and package.site_files.is_unchanged(path, facts):
                found.append((str(package.path / "site" / compiled), str(package.path / "site" / path)))
        return found

    def _compile(self, files: list[tuple[str, str]], folder: Path, interpreter: Interpreter) -> dict[str, Path]:
        """Map compiled files to where they were made; a source that does not compile is left out."""
        targets = {compiled: folder / f"{number}.pyc" for number, (compiled, _) in enumerate(files)}
        wanted = [(source, str(targets[compiled])) for compiled, source in files]
        compile_files(wanted, folder, interpreter, environ=self.environ, run=self.run)
        return {compiled: target for compiled, target in targets.items() if target.is_file()}

    def _add(self, package: CachedPackage, files: list[tuple[str, str]], made: Mapping[str, Path]) -> int:
        added = {}
        prefix = len(str(package.path / "site")) + 1
        with suppress(OSError):
            for compiled, _ in files:
                if compiled in made:
                    os.makedirs(os.path.dirname(compiled), exist_ok=True)  # noqa: PTH103, PTH120
                    made[compiled].replace(compiled)
                    added[compiled[prefix:].replace(os.sep, "/")] = facts_of(compiled)
            for name in added:
                package.site_files.seal(name)
            self.packages.save(replace(package, compiled={**package.compiled, **added}))
        return len(added)


def compile_files(
    files: Sequence[tuple[str, ...]], folder: Path, interpreter: Interpreter, *, environ: Mapping[str, str], run: Runner
) -> None:
    """Compile each source to its target; a third word is the name that tracebacks show.

    `folder` is for temporary files. A source that does not compile is left out.
    """
    request = folder / "request.json"
    request.write_text(json.dumps({"time": SOURCE_TIME, "files": files}), encoding="utf-8")
    code = f"import sys; sys.stdin = open({str(request)!r}); exec(open({str(COMPILER)!r}).read())"
    argv = (interpreter.executable, "-I", "-S", "-c", code)
    run(Command(argv=argv, cwd=folder, env=environ, timeout=TIMEOUT))
    request.unlink()


def compiled_name(path: str, tag: str) -> str:
    """Return the path of a source's compiled file: numpy/__pycache__/version.cpython-312.pyc."""
    folder, _, name = path.rpartition("/")
    return f"{folder}/__pycache__/{name[:-3]}.{tag}.pyc".removeprefix("/")
