"""Traces the statements of a nox session, and records what it would install and run."""

from __future__ import annotations

import ast
from dataclasses import field
from typing import TYPE_CHECKING, Any

from venvgrid.migration.expressions import UNKNOWN, Scope, bound, value
from venvgrid.migration.readers.places import Placed, enter, installs_files
from venvgrid.migration.readers.substitution import UNAVAILABLE
from venvgrid.model.values import dataclass

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
    placed: list[Placed] = field(default_factory=list)
    folder: str = ""  # of the commands that come next
    env: dict[str, str] = field(default_factory=dict)


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
            if self.steps > MAX_STEPS:
                self.notes.lose(f"{self.name}: it has more than {MAX_STEPS:,} steps")
                return False
            if not self._one(statement, scope):
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
            case ast.Return() | ast.Raise():
                if isinstance(statement, ast.Return) and isinstance(statement.value, ast.Call):
                    self._effect(statement.value, scope)
                return False
            case _:
                return self._block(statement, scope)
        return True

    def _block(self, statement: ast.stmt, scope: Scope) -> bool:
        match statement:
            case ast.With(items=items, body=inner):
                folder = self.record.folder
                for item in items:
                    if isinstance(item.context_expr, ast.Call):
                        self._effect(item.context_expr, scope)
                goes_on = self.trace(inner, scope)
                self.record.folder = folder  # `with session.chdir(…)` goes back
                return goes_on
            case ast.Try(body=inner, orelse=others, finalbody=final):
                return self.trace([*inner, *others, *final], scope)
            case ast.FunctionDef():
                self.functions = {**self.functions, statement.name: statement}
            case _ if _installs_or_runs([statement]):
                first = ast.unparse(statement).splitlines()[0]
                self.notes.lose(f"{self.name}: `{first[:80]}` installs or runs something")
            case _:
                pass
        return True

    def _assign(self, statement: ast.stmt, scope: Scope) -> None:
        match statement:
            case ast.AugAssign(target=ast.Name(id=name), op=ast.Add(), value=added):
                scope.names[name] = value(ast.BinOp(left=ast.Name(id=name), op=ast.Add(), right=added), scope)
            case ast.Assign(targets=[ast.Subscript(value=ast.Attribute(attr="env") as owner, slice=index)], value=node):
                if value(owner.value, scope) is SESSION:
                    self._variables({value(index, scope): value(node, scope)}, ast.unparse(statement))
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
            note = self.notes.lose if _installs_or_runs([*statement.body, *statement.orelse]) else self.notes.add
            note(f"{self.name}: what it does `if {ast.unparse(statement.test)[:80]}`")
            known = False  # the condition is mostly a special case: take the else
        return self.trace(statement.body if known else statement.orelse, scope)

    def _for(self, statement: ast.For, scope: Scope) -> bool:
        items = value(statement.iter, scope)
        if not isinstance(items, list | tuple):
            if _installs_or_runs(statement.body):
                self.notes.lose(f"{self.name}: what it does for each of {ast.unparse(statement.iter)[:80]}")
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
        elif _is_env(function, scope):
            self._update_env(call, scope)
        elif isinstance(function, ast.Attribute) and function.attr in {"append", "extend", "update", "insert"}:
            _mutate(function, call, scope)
        elif any(value(item, scope) is SESSION for item in (*call.args, *(word.value for word in call.keywords))):
            self.notes.lose(f"{self.name}: what {ast.unparse(function)[:80]} does, which is not in the file")
        return True

    def _update_env(self, call: ast.Call, scope: Scope) -> None:
        """Record `session.env.update(…)`; any other call may change a variable too."""
        given = value(call.args[0], scope) if call.args else {}
        known = given if isinstance(given, dict) else {UNKNOWN: UNKNOWN}
        if ast.unparse(call.func).endswith(".update"):
            known = {**known, **{item.arg or UNKNOWN: value(item.value, scope) for item in call.keywords}}
            self._variables(known, ast.unparse(call))
        elif not ast.unparse(call.func).endswith((".get", ".copy")):
            self.notes.lose(f"{self.name}: `{ast.unparse(call)[:80]}`")

    def _variables(self, known: Mapping[Any, Any], shown: str) -> None:
        """Record variables that are set for all further commands."""
        for name, item in known.items():
            if isinstance(name, str) and isinstance(item, str | int):
                self.record.env[name] = str(item)
            elif item is not None and not str(name).startswith("COVERAGE"):
                self.notes.lose(f"{self.name}: the variable in `{shown[:80]}`")

    def _session_call(self, what: str, call: ast.Call, scope: Scope) -> bool:
        env = next((value(item.value, scope) for item in call.keywords if item.arg == "env"), None)
        if what == "conda_install":
            self.notes.lose(f"{self.name}: `{ast.unparse(call)[:80]}`")
        elif what in {"chdir", "cd"}:
            self.record.folder = enter(self.record.folder, "".join(self._words(call, scope)))
        elif what == "install":
            words = self._words(call, scope)
            if self.record.folder and installs_files(words):
                self.notes.lose(f"{self.name}: `{ast.unparse(call)[:80]}` in the folder {self.record.folder}")
            self.record.arguments += words
            self._installer_variables(env)
        elif what in RUNS:
            words = self._words(call, scope)
            if any(item.arg == "success_codes" for item in call.keywords):
                self.notes.add(
                    f"{self.name}: success_codes of `{' '.join(words)[:60]}` are left out: only 0 is a success"
                )
            self.record.placed.append(Placed(tuple(words), self.record.folder))
            if isinstance(env, dict):
                self._variables(env, ast.unparse(call))
            elif env is not None:
                self.notes.lose(f"{self.name}: the variables of `{ast.unparse(call)[:80]}`")
        return what not in {"skip", "error"}

    def _installer_variables(self, env: Any) -> None:
        if isinstance(env, dict):
            known = {str(name): str(item) for name, item in env.items()}
            self.record.env |= {name: item for name, item in known.items() if name.startswith(("UV_", "PIP_"))}

    def _words(self, call: ast.Call, scope: Scope) -> list[str]:
        """Return the words of a command; an unknown one holds UNAVAILABLE."""
        words: list[str] = []
        for node in call.args:
            given = value(node.value if isinstance(node, ast.Starred) else node, scope)
            for item in given if isinstance(given, list | tuple) else (given,):
                if isinstance(item, str):
                    words.append(item)
                elif isinstance(item, Groups):
                    self.record.groups += item.names
                elif isinstance(node, ast.JoinedStr):
                    words.append("".join(_part(part, scope) for part in node.values))
                elif item is not None:
                    words.append(f"{UNAVAILABLE}({ast.unparse(node)[:80]})")
        return words

    def _enter(self, function: ast.FunctionDef, call: ast.Call, scope: Scope) -> None:
        """Trace a function that is called with the session."""
        given = [value(item, scope) for item in call.args]
        if SESSION not in (*given, *(value(item.value, scope) for item in call.keywords)):
            return
        if self.depth >= MAX_CALL_DEPTH:
            self.notes.lose(f"{self.name}: what {function.name} does: its calls are nested too deeply")
            return
        names = [item.arg for item in function.args.args]
        defaults = zip(reversed(names), reversed(function.args.defaults), strict=False)
        keyword_only = zip([item.arg for item in function.args.kwonlyargs], function.args.kw_defaults, strict=True)
        inner = self.top.inner(**{name: value(node, self.top) for name, node in (*defaults, *keyword_only)})
        inner.names |= dict(zip(names, given, strict=False))
        inner.names |= {item.arg: value(item.value, scope) for item in call.keywords if item.arg}
        session = next((name for name, item in inner.names.items() if item is SESSION), "session")
        for key, item in scope.names.items():
            if key.endswith((".posargs", ".python", ".name", ".interactive")):
                inner.names[f"{session}.{key.rpartition('.')[2]}"] = item
        self.depth += 1
        self.trace(function.body, inner)
        self.depth -= 1


def _installs_or_runs(body: Sequence[ast.stmt]) -> bool:
    """Whether statements install or run something."""
    nodes = (node for item in body for node in ast.walk(item) if isinstance(node, ast.Attribute))
    return any(node.attr in {"install", *RUNS} for node in nodes)


def _is_env(function: ast.expr, scope: Scope) -> bool:
    """Whether a function is a method of the session's variables."""
    owner = function.value if isinstance(function, ast.Attribute) else None
    return isinstance(owner, ast.Attribute) and owner.attr == "env" and value(owner.value, scope) is SESSION


def _part(part: ast.expr, scope: Scope) -> str:
    found = value(part, scope)
    return found if isinstance(found, str) else UNAVAILABLE


def _mutate(function: ast.Attribute, call: ast.Call, scope: Scope) -> None:
    """Trace `.append`, `.extend` and `.update` of a name."""
    if not isinstance(function.value, ast.Name) or len(call.args) != 1:
        return
    name = function.value.id
    known, item = scope.names.get(name), value(call.args[0], scope)
    if isinstance(known, list) and function.attr == "insert":
        scope.names[name] = UNKNOWN
    elif isinstance(known, list) and function.attr == "append":
        scope.names[name] = [*known, item]
    elif isinstance(known, list) and isinstance(item, list | tuple):
        scope.names[name] = [*known, *item]
    elif isinstance(known, dict) and isinstance(item, dict):
        scope.names[name] = {**known, **item}
