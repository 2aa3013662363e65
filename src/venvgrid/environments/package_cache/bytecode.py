"""Compiled files, shared between environments: the imports of a distribution are compiled once an interpreter.

Much of the first test run in a fresh scientific environment is compiling what it imports. What the tests of a cell
imported is compiled again by venvgrid itself, in a process of its own and from the sources in the distribution's tree
(see `trees`), and kept there. New environments begin with copies of it.

What is trusted: a tree is one interpreter's and holds what the hashes of the lock and the RECORD say; every file of it,
compiled ones too, is known by its sha256. Nothing that a test process wrote is ever kept. Python takes a compiled file
only if time and size of the source are in it; so sources get one fixed time.
"""

from __future__ import annotations

import json
import os
import tempfile
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from venvgrid.environments.package_cache.links import facts_of
from venvgrid.model import tool_support
from venvgrid.processes.runner import Command

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from venvgrid.environments.package_cache.cache import CachedPackage, PackageCache
    from venvgrid.model.environment import Interpreter
    from venvgrid.processes.runner import Runner

SOURCE_TIME = 1_577_836_800  # seconds: 2020-01-01; any fixed time will do, if it fits ZIP files and is in the past
COMPILER = Path(__file__).parents[2] / "processes" / "guest" / "compile.py"
TIMEOUT = 600.0


def shares_bytecode(interpreter: Interpreter) -> bool:
    """Whether compiled files of this interpreter are shared."""
    is_new = interpreter.release >= tool_support.SHARED_BYTECODE
    return interpreter.implementation == "cpython" and is_new and bool(interpreter.cache_tag)


@dataclass(frozen=True, slots=True, kw_only=True)
class Bytecode:
    """Compiles what is imported; `run` is the door to processes, `environ` what the compiler is started with."""

    trees: PackageCache
    environ: Mapping[str, str]
    run: Runner

    def collect(self, trees: Iterable[CachedPackage], imported: Iterable[str], interpreter: Interpreter) -> int:
        """Compile and keep what was imported and is not kept yet; gives its number.

        `imported` names compiled files of an environment, relative to its site-packages. Only whether they are there
        is of interest, never what is in them.
        """
        if not shares_bytecode(interpreter):
            return 0
        wanted = frozenset(imported)
        # Another process may have added to a tree since this one read it.
        current = [found for tree in trees if (found := self.trees.reload(tree)) is not None]
        new = {tree.key: self._missing(tree, wanted, interpreter.cache_tag) for tree in current}
        if not any(new.values()):
            return 0
        with tempfile.TemporaryDirectory(prefix=".partial-", dir=current[0].path.parent) as folder:
            made = self._compile([item for files in new.values() for item in files], Path(folder), interpreter)
            return sum(self._add(tree, new[tree.key], made) for tree in current if new[tree.key])

    def _missing(self, tree: CachedPackage, wanted: frozenset[str], tag: str) -> list[tuple[str, str]]:
        """Give (compiled file, source) of what was imported of a tree and is not kept; sources are made sure of."""
        found = []
        for path, facts in tree.site.items():
            compiled = compiled_name(path, tag) if path.endswith(".py") else ""
            if compiled in wanted and compiled not in tree.compiled:
                source = str(tree.path / "site" / path)
                if tree.inner.is_unchanged(path, facts):
                    found.append((str(tree.path / "site" / compiled), source))
        return found

    def _compile(self, files: list[tuple[str, str]], folder: Path, interpreter: Interpreter) -> dict[str, Path]:
        """Map the compiled files that are to be made to where they were made; what does not compile is not there."""
        targets = {compiled: folder / f"{number}.pyc" for number, (compiled, _) in enumerate(files)}
        request = folder / "request.json"
        pairs = [[source, str(targets[compiled])] for compiled, source in files]
        request.write_text(json.dumps({"time": SOURCE_TIME, "files": pairs}), encoding="utf-8")
        code = f"import sys; sys.stdin = open({str(request)!r}); exec(open({str(COMPILER)!r}).read())"
        argv = (interpreter.executable, "-I", "-S", "-c", code)
        self.run(Command(argv=argv, cwd=folder, env=self.environ, timeout=TIMEOUT))
        return {compiled: target for compiled, target in targets.items() if target.is_file()}

    def _add(self, tree: CachedPackage, files: list[tuple[str, str]], made: Mapping[str, Path]) -> int:
        added = {}
        prefix = len(str(tree.path / "site")) + 1
        with suppress(OSError):
            for compiled, _ in files:
                if compiled in made:
                    os.makedirs(os.path.dirname(compiled), exist_ok=True)  # noqa: PTH103, PTH120
                    made[compiled].replace(compiled)
                    added[compiled[prefix:].replace(os.sep, "/")] = facts_of(compiled)
            for name in added:
                tree.inner.seal(name)
            self.trees.save(replace(tree, compiled={**tree.compiled, **added}))
        return len(added)


def compiled_name(path: str, tag: str) -> str:
    """Give where Python keeps the compiled form of a source: numpy/__pycache__/version.cpython-312.pyc."""
    folder, _, name = path.rpartition("/")
    return f"{folder}/__pycache__/{name[:-3]}.{tag}.pyc".removeprefix("/")
