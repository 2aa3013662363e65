"""Which distributions the tests of a project import. Files are parsed; nothing is run."""

from __future__ import annotations

import ast
import sys
import warnings
from contextlib import suppress
from typing import TYPE_CHECKING

from packaging.utils import canonicalize_name

from venvgrid.migration.declarations.modules import FIXTURES, MODULES

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Sequence
    from pathlib import Path

MAX_FILE_BYTES = 1_000_000  # bytes
MAX_OWN_FILES = 400  # modules of a project that are looked at


def imported(files: Iterable[Path], own: set[str], optional: Collection[str] = ()) -> set[str]:
    """Return the distributions of modules that tests import at their top, and of fixtures that they ask for.

    `optional` are distributions that the project knows: a module of such a name is one of theirs.
    """
    found: set[str] = set()
    defined: set[str] = set()
    asked: set[str] = set()
    for path in files:
        tree = _parsed(path)
        for name in _names(tree):
            top = name.partition(".")[0]
            if top not in own and top not in sys.stdlib_module_names:
                found |= {MODULES[key] for key in (name, top) if key in MODULES}
                found |= {top} if canonicalize_name(top) in optional else set()
        for inner in ast.walk(tree) if tree else ():
            if isinstance(inner, ast.FunctionDef | ast.AsyncFunctionDef):
                defined.add(inner.name)
                if inner.name.startswith("test"):
                    asked |= {item.arg for item in inner.args.args} - _parameters(inner)
    fixtures = {FIXTURES[name] for name in asked - defined if FIXTURES.get(name)}
    return found | fixtures


def of_project(tests: Iterable[Path], roots: Sequence[Path], optional: Collection[str]) -> set[str]:
    """Return the optional distributions without which modules of the project that tests import cannot be imported.

    `roots` are the folders of its packages.
    """
    found: set[str] = set()
    waiting = [path for test in tests for path in _modules(test, _names(_parsed(test)), roots)]
    seen: set[Path] = set()
    while waiting and len(seen) < MAX_OWN_FILES:
        path = waiting.pop()
        if path in seen:
            continue
        seen.add(path)
        names = list(_names(_parsed(path)))
        waiting += _modules(path, names, roots)
        for name in names:
            top = name.partition(".")[0]
            found |= {item for item in (top, MODULES.get(top, "")) if canonicalize_name(item) in optional}
    return found


def _names(tree: ast.Module | None) -> Iterator[str]:
    """Yield the modules that a module imports at its top, in no `try` or `if`; relative ones with their dots."""
    for node in tree.body if tree else ():
        if isinstance(node, ast.Import):
            yield from (item.name for item in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield f"{'.' * node.level}{node.module or ''}"


def _modules(path: Path, names: Iterable[str], roots: Sequence[Path]) -> Iterator[Path]:
    """Yield the files of modules of the project by the names with which the file `path` imports them."""
    for name in names:
        level = len(name) - len(name.lstrip("."))
        places = [path.parents[level - 1]] if 0 < level <= len(path.parents) else [] if level else roots
        for place in places:
            base = place.joinpath(*filter(None, name.lstrip(".").split(".")))
            yield from (file for file in (base.with_suffix(".py"), base / "__init__.py") if file.is_file())


def _parameters(function: ast.FunctionDef | ast.AsyncFunctionDef) -> set[str]:
    """Return the names that parametrize gives to a test."""
    calls = (mark for mark in function.decorator_list if isinstance(mark, ast.Call) and mark.args)
    first = (mark.args[0] for mark in calls)
    texts = (node.value for item in first for node in ast.walk(item) if isinstance(node, ast.Constant))
    return {name.strip() for text in texts if isinstance(text, str) for name in text.split(",")}


def _parsed(path: Path) -> ast.Module | None:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return ast.parse(text(path))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def text(path: Path) -> str:
    """Return the text of a file, or "" if it is missing, too large or none."""
    with suppress(OSError, ValueError):
        return path.read_text(encoding="utf-8-sig") if path.stat().st_size <= MAX_FILE_BYTES else ""
    return ""
