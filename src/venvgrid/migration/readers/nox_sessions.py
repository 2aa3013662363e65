"""Follows the statements of a nox session as far as they are known, and takes down what it would install and run."""

from __future__ import annotations

import ast
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from venvgrid.migration.readers.nox_expressions import UNKNOWN, Scope, bound, value

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from venvgrid.migration.model import Lost

MAX_STEPS = 5_000  # statements of a session
MAX_ROUNDS = 100  # of a loop
MAX_CALL_DEPTH = 4  # functions within functions
RUNS = frozenset({"run", "run_always", "run_install"})


class TheSession:
    """Stands for the session that nox gives to the function."""


SESSION = TheSession()


@dataclass(frozen=True, slots=True)
class Groups:
    """Stands for the requirements of dependency groups."""

    names: tuple[str, ...]


@dataclass(slots=True, kw_only=True)
class Seen:
    """What one run of a session would install and run."""

    arguments: list[str] = field(default_factory=list)
    groups: list[str] = field(default_factory=list)
    argvs: list[tuple[str, ...]] = field(default_factory=list)
    env: dict[str, str] = field(default_factory=dict)
    needs_conda: bool = False


@dataclass(slots=True, kw_only=True)
class Follower:
    """Follows one run of the session `name`; `functions` are those of the file, `top` what it knows outside of them."""

    name: str
    functions: Mapping[str, ast.FunctionDef]
    top: Scope
    lost: Lost
    seen: Seen = field(default_factory=Seen)
    steps: int = 0
    depth: int = 0

    def follow(self, body: Sequence[ast.stmt], scope: Scope) -> bool:
        """Follow statements; false when the function has come to its end."""
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
                return self.follow(inner, scope)
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
                if isinstance(node, ast.Call):  # the output of what is run
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
            self.lost.add(f"{self.name}: what it does `if {ast.unparse(statement.test)[:80]}`")
            # What is asked for is mostly a special case; the else is what it does otherwise.
            return self.follow(statement.orelse, scope)
        return self.follow(statement.body if known else statement.orelse, scope)

    def _for(self, statement: ast.For, scope: Scope) -> bool:
        items = value(statement.iter, scope)
        if not isinstance(items, list | tuple):
            if _acts(statement.body):
                self.lost.add(f"{self.name}: what it does for each of {ast.unparse(statement.iter)[:80]}")
            return True
        for item in items[:MAX_ROUNDS]:
            scope.names |= bound(statement.target, item) or {}
            if not self.follow(statement.body, scope):
                return False
        return True

    def _effect(self, call: ast.Call, scope: Scope) -> bool:
        """Take what a call installs or runs; follow a function of the file that is given the session."""
        function = call.func
        if isinstance(function, ast.Name) and function.id in self.functions:
            self._enter(self.functions[function.id], call, scope)
        elif isinstance(function, ast.Attribute) and value(function.value, scope) is SESSION:
            return self._by_session(function.attr, call, scope)
        elif isinstance(function, ast.Attribute) and function.attr in {"append", "extend", "update"}:
            _changed(function, call, scope)
        return True

    def _by_session(self, what: str, call: ast.Call, scope: Scope) -> bool:
        if what == "conda_install":
            self.seen.needs_conda = True
        elif what == "install":
            self.seen.arguments += self._words(what, call, scope)
        elif what in RUNS:
            self.seen.argvs.append(tuple(self._words(what, call, scope)))
            env = next((value(item.value, scope) for item in call.keywords if item.arg == "env"), None)
            if isinstance(env, dict):
                known = {str(key): str(item) for key, item in env.items() if isinstance(item, str | int)}
                self.seen.env |= known
        elif what in {"chdir", "cd"}:
            self.lost.add(f"{self.name}: it changes its folder")
        return what not in {"skip", "error"}

    def _words(self, what: str, call: ast.Call, scope: Scope) -> list[str]:
        words: list[str] = []
        for node in call.args:
            for item in _flat(value(node.value if isinstance(node, ast.Starred) else node, scope)):
                if isinstance(item, str):
                    words.append(item)
                elif isinstance(item, Groups):
                    self.seen.groups += item.names
                else:
                    self.lost.add(f"{self.name}: {what} {ast.unparse(node)[:80]}")
        return words

    def _enter(self, function: ast.FunctionDef, call: ast.Call, scope: Scope) -> None:
        """Follow a function that is called with the session."""
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
        self.follow(function.body, inner)
        self.depth -= 1


def _acts(body: Sequence[ast.stmt]) -> bool:
    """Whether something is installed or run there."""
    nodes = (node for item in body for node in ast.walk(item) if isinstance(node, ast.Attribute))
    return any(node.attr in {"install", *RUNS} for node in nodes)


def _flat(found: Any) -> Iterator[Any]:
    if isinstance(found, list | tuple):
        yield from found
    else:
        yield found


def _changed(function: ast.Attribute, call: ast.Call, scope: Scope) -> None:
    """Follow `.append`, `.extend` and `.update` of a name."""
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
