"""Traces the statements of a nox session, and records what it would install and run."""

from __future__ import annotations

import ast
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from venvgrid.migration.readers.nox_expressions import UNKNOWN, Scope, bound, value

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from venvgrid.migration.model import Notes

MAX_STEPS = 5_000  # statements of a session
MAX_ITERATIONS = 100  # of a loop
MAX_CALL_DEPTH = 4  # functions within functions
RUNS = frozenset({"run", "run_always", "run_install"})
SESSION = object()  # represents the session that nox passes to the function


@dataclass(frozen=True, slots=True)
class Groups:
    """Represents the requirements of dependency groups."""

    names: tuple[str, ...]


@dataclass(slots=True, kw_only=True)
class SessionRecord:
    """What a session would install and run."""

    arguments: list[str] = field(default_factory=list)
    groups: list[str] = field(default_factory=list)
    argvs: list[tuple[str, ...]] = field(default_factory=list)
    env: dict[str, str] = field(default_factory=dict)
    needs_conda: bool = False


@dataclass(slots=True, kw_only=True)
class SessionTracer:
    """Traces one run of the session `name`; `functions` are those of the file, `top` is its module scope."""

    name: str
    functions: Mapping[str, ast.FunctionDef]
    top: Scope
    notes: Notes
    record: SessionRecord = field(default_factory=SessionRecord)
    steps: int = 0
    depth: int = 0

    def trace(self, body: Sequence[ast.stmt], scope: Scope) -> bool:
        """Trace statements; return False if the function has ended."""
        for statement in body:
            self.steps += 1
            if self.steps > MAX_STEPS or not self._one(statement, scope):
                return False
        return True

    def _one(self, statement: ast.stmt, scope: Scope) -> bool:
        match statement:
            case ast.Expr(value=ast.Call() as call):
                return self._effect(call, scope)
            case ast.Assign() | ast.AnnAssign() | ast.AugAssign():
                self._assign(statement, scope)
            case ast.If():
                return self._if(statement, scope)
            case ast.For():
                return self._for(statement, scope)
            case ast.With(body=inner) | ast.Try(body=inner):
                return self.trace(inner, scope)
            case ast.Return() | ast.Raise():
                return False
            case _:
                pass
        return True

    def _assign(self, statement: ast.stmt, scope: Scope) -> None:
        match statement:
            case ast.AugAssign(target=ast.Name(id=name), op=ast.Add(), value=added):
                scope.names[name] = value(ast.BinOp(left=ast.Name(id=name), op=ast.Add(), right=added), scope)
            case ast.Assign(targets=[ast.Subscript(value=ast.Name(id=owner), slice=index)], value=node):
                key, known = value(index, scope), scope.names.get(owner)
                if isinstance(known, dict) and isinstance(key, str):
                    scope.names[owner] = {**known, key: value(node, scope)}
            case ast.Assign(targets=targets, value=node):
                if isinstance(node, ast.Call):  # the output of a command
                    self._effect(node, scope)
                for target in targets:
                    scope.names |= bound(target, value(node, scope)) or {}
            case ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as given):
                scope.names[name] = value(given, scope)
            case _:
                pass

    def _if(self, statement: ast.If, scope: Scope) -> bool:
        known = value(statement.test, scope)
        if known is UNKNOWN:
            self.notes.add(f"{self.name}: what it does `if {ast.unparse(statement.test)[:80]}`")
            known = False  # the condition is mostly a special case: take the else
        return self.trace(statement.body if known else statement.orelse, scope)

    def _for(self, statement: ast.For, scope: Scope) -> bool:
        items = value(statement.iter, scope)
        if not isinstance(items, list | tuple):
            if _installs_or_runs(statement.body):
                self.notes.add(f"{self.name}: what it does for each of {ast.unparse(statement.iter)[:80]}")
            return True
        for item in items[:MAX_ITERATIONS]:
            scope.names |= bound(statement.target, item) or {}
            if not self.trace(statement.body, scope):
                return False
        return True

    def _effect(self, call: ast.Call, scope: Scope) -> bool:
        """Record the effect of a call; trace a function of the file that gets the session."""
        function = call.func
        if isinstance(function, ast.Name) and function.id in self.functions:
            self._enter(self.functions[function.id], call, scope)
        elif isinstance(function, ast.Attribute) and value(function.value, scope) is SESSION:
            return self._session_call(function.attr, call, scope)
        elif isinstance(function, ast.Attribute) and function.attr in {"append", "extend", "update"}:
            _mutate(function, call, scope)
        return True

    def _session_call(self, what: str, call: ast.Call, scope: Scope) -> bool:
        if what == "conda_install":
            self.record.needs_conda = True
        elif what == "install":
            self.record.arguments += self._words(what, call, scope)
        elif what in RUNS:
            self.record.argvs.append(tuple(self._words(what, call, scope)))
            env = next((value(item.value, scope) for item in call.keywords if item.arg == "env"), None)
            if isinstance(env, dict):
                self.record.env |= {str(key): str(item) for key, item in env.items() if isinstance(item, str | int)}
        elif what in {"chdir", "cd"}:
            self.notes.add(f"{self.name}: it changes its folder")
        return what not in {"skip", "error"}

    def _words(self, what: str, call: ast.Call, scope: Scope) -> list[str]:
        words: list[str] = []
        for node in call.args:
            given = value(node.value if isinstance(node, ast.Starred) else node, scope)
            for item in given if isinstance(given, list | tuple) else (given,):
                if isinstance(item, str):
                    words.append(item)
                elif isinstance(item, Groups):
                    self.record.groups += item.names
                else:
                    self.notes.add(f"{self.name}: {what} {ast.unparse(node)[:80]}")
        return words

    def _enter(self, function: ast.FunctionDef, call: ast.Call, scope: Scope) -> None:
        """Trace a function that is called with the session."""
        given = [value(item, scope) for item in call.args]
        if SESSION not in given or self.depth >= MAX_CALL_DEPTH:
            return
        names = [item.arg for item in function.args.args]
        defaults = zip(reversed(names), reversed(function.args.defaults), strict=False)
        keyword_only = zip([item.arg for item in function.args.kwonlyargs], function.args.kw_defaults, strict=True)
        inner = self.top.inner(**{name: value(node, self.top) for name, node in (*defaults, *keyword_only)})
        inner.names |= dict(zip(names, given, strict=False))
        inner.names |= {item.arg: value(item.value, scope) for item in call.keywords if item.arg}
        place = given.index(SESSION)
        session = names[place] if place < len(names) else "session"
        for key, item in scope.names.items():
            if key.endswith((".posargs", ".python")):
                inner.names[f"{session}.{key.rpartition('.')[2]}"] = item
        self.depth += 1
        self.trace(function.body, inner)
        self.depth -= 1


def _installs_or_runs(body: Sequence[ast.stmt]) -> bool:
    """Whether statements install or run something."""
    nodes = (node for item in body for node in ast.walk(item) if isinstance(node, ast.Attribute))
    return any(node.attr in {"install", *RUNS} for node in nodes)


def _mutate(function: ast.Attribute, call: ast.Call, scope: Scope) -> None:
    """Trace `.append`, `.extend` and `.update` of a name."""
    if not isinstance(function.value, ast.Name) or len(call.args) != 1:
        return
    name = function.value.id
    known, item = scope.names.get(name), value(call.args[0], scope)
    if isinstance(known, list) and function.attr == "append":
        scope.names[name] = [*known, item]
    elif isinstance(known, list) and isinstance(item, list | tuple):
        scope.names[name] = [*known, *item]
    elif isinstance(known, dict) and isinstance(item, dict):
        scope.names[name] = {**known, **item}
