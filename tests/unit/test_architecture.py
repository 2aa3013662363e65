"""Doors of the architecture: which modules may use subprocess, threads, rich, virtualenv; print and eval.

The order of the packages is checked by import-linter (`lint-imports`, contracts in pyproject.toml).
"""

from __future__ import annotations

import ast
import functools
import importlib.util
from pathlib import Path

import pytest

PACKAGE = Path(importlib.util.find_spec("venvgrid").origin).parent  # type: ignore[union-attr, arg-type]
TESTS = Path(__file__).parents[1]
# Runs elsewhere: inside the environments, or as a script of its own.
NOT_IMPORTED = ("processes/guest/",)
THREADS = {"running/executors/", "processes/parallel.py", "processes/capture.py", "app/cluster/", "app/watching/"}
LOCKS = {*THREADS, "project/build_copy.py"}  # workers share one copy of the project


def modules() -> dict[str, Path]:
    found = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        name = path.relative_to(PACKAGE).as_posix()
        if not name.startswith(NOT_IMPORTED) and name != "__init__.py":
            found[name.removesuffix(".py").removesuffix("/__init__").replace("/", ".")] = path
    return found


@functools.cache
def nodes(path: Path) -> tuple[ast.AST, ...]:
    """Return the nodes of a module's syntax tree; each file is parsed once."""
    return tuple(ast.walk(ast.parse(path.read_text(encoding="utf-8"))))


@pytest.mark.parametrize(
    ("library", "allowed"),
    [
        ("subprocess", {"processes/runner.py"}),
        ("threading", LOCKS),
        ("concurrent.futures", THREADS),
        ("rich", {"reporters/", "cli/"}),
        ("virtualenv", {"environments/creator.py", "installers/legacy_tools.py"}),
    ],
)
def test_effects_stay_behind_their_doors(library: str, allowed: set[str]) -> None:
    """Processes, threads, colours and virtualenv are used where the architecture says, and only there."""
    users = set()
    for path in modules().values():
        for node in nodes(path):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) and node.level == 0 else []
            if any(name == library or name.startswith(f"{library}.") for name in names):
                users.add(path.relative_to(PACKAGE).as_posix())
    strangers = {user for user in users if not any(user == place or user.startswith(place) for place in allowed)}
    assert strangers == set()


def test_only_the_command_line_prints() -> None:
    """No module below the commands calls print."""
    printing = [
        name
        for name, path in modules().items()
        for node in nodes(path)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "print"
    ]
    assert printing == []


def test_every_test_states_its_claim() -> None:
    """Each test function of this suite has a docstring."""
    silent = [
        f"{path.name}: {node.name}"
        for path in sorted(TESTS.rglob("test_*.py"))
        for node in nodes(path)
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_") and not ast.get_docstring(node)
    ]
    assert silent == []


def test_nothing_is_evaluated() -> None:
    """No eval, no exec, no pickle, no shell: what others wrote is never code.

    But one: the methods of our own dataclasses, as the standard library compiles them, from the names of their fields.
    """
    wrong = []
    for name, path in modules().items():
        for node in nodes(path):
            called = node.func.id if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) else ""
            names = [item.name for item in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            given = node.keywords if isinstance(node, ast.Call) else []
            shell = [key for key in given if key.arg == "shell" and isinstance(key.value, ast.Constant)]
            if (
                (called in {"eval", "exec", "compile", "__import__"} and (name, called) != ("model.values", "exec"))
                or {"pickle", "marshal", "shelve"} & set(names)
                or shell
            ):
                wrong.append(f"{name}:{getattr(node, 'lineno', 0)}")
    assert wrong == []
