"""Variants of nox's sessions, from the syntax tree of noxfile.py. The file is never executed.

`nox_sessions` traces each session, for each Python and each combination of parameters. Installations and commands with
unknown values are noted.
"""

from __future__ import annotations

import ast
import itertools
import os
import re
import sys
import warnings
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from venvgrid.config import config_file
from venvgrid.migration.declared import allowed_minors
from venvgrid.migration.expressions import UNKNOWN, Scope, bound, value
from venvgrid.migration.model import Notes, ParsedSource, Variant
from venvgrid.migration.readers import commands, env_names, requirements
from venvgrid.migration.readers.nox_sessions import SESSION, Groups, SessionTracer
from venvgrid.migration.readers.places import Placed, folder_of_tests
from venvgrid.migration.readers.substitution import reported, words
from venvgrid.model import ConfigError, UsageError, python_releases
from venvgrid.model.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

MAX_VARIANTS = 2_000  # variants of a file


@dataclass(frozen=True, slots=True, kw_only=True)
class NoxSession:
    """A decorated function. `pythons` is None if they are unknown."""

    name: str
    function: ast.FunctionDef
    pythons: tuple[str, ...] | None
    parameters: tuple[tuple[tuple[str, ...], tuple[Any, ...]], ...] = ()  # names, and their values


def read(text: str, folder: Path, source: str) -> ParsedSource:
    """Read the text of a noxfile.

    Raises:
        UsageError: it is no valid Python, or has no sessions.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # for invalid escapes, for example
            tree = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise UsageError(f"{source}: no Python that can be read: {error}") from error
    reader = _Reader(tree, folder)
    sessions = list(reader.sessions())
    if not sessions:
        raise UsageError(f"{source}: it has no function with @nox.session")
    variants: list[Variant] = []
    skipped = []
    lock = "nox_poetry installs what poetry.lock holds; venvgrid resolves anew: `venvgrid lock` makes a lock"
    for session in sessions:
        found = list(itertools.islice(reader.variants(session), MAX_VARIANTS))
        skipped += [] if found else [session.name]
        shared = reader.notes.get(session.name, Notes())
        variants += [
            replace(item, notes=(*shared.lines, *item.notes), missing=(*shared.lost, *item.missing)) for item in found
        ]
    notes = (lock,) if re.search(r"^(?:from|import) nox_poetry\b", text, re.MULTILINE) else ()
    return ParsedSource(source=source, variants=tuple(variants), skipped=tuple(skipped), notes=notes)


class _Reader:
    """Reads one file; `notes` are by the name of the session."""

    def __init__(self, tree: ast.Module, folder: Path) -> None:
        self.folder = folder
        self.notes: dict[str, Notes] = {}
        self.functions = {item.name: item for item in tree.body if isinstance(item, ast.FunctionDef)}
        self.top = Scope(call=self._call)
        self.top.names |= {"__file__": "./noxfile.py", "sys.platform": sys.platform, "os.name": os.name}
        self.backend = ""  # of all sessions that name none
        for statement in tree.body:
            if isinstance(statement, ast.Assign | ast.AnnAssign):
                targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
                for target in targets:
                    if ast.unparse(target) == "nox.options.default_venv_backend":
                        self.backend = str(value(statement.value, self.top))
                    self.top.names |= bound(target, value(statement.value, self.top)) or {}

    def sessions(self) -> Iterator[NoxSession]:
        """Yield all sessions."""
        for function in self.functions.values():
            marks = [mark for mark in function.decorator_list if _is_session(mark)]
            if not marks:
                continue
            options = {item.arg: item.value for mark in marks if isinstance(mark, ast.Call) for item in mark.keywords}
            first = next((mark.args[0] for mark in marks if isinstance(mark, ast.Call) and mark.args), None)
            given = options.get("python", options.get("py", first))
            name = value(options.get("name"), self.top)
            backend = value(options.get("venv_backend"), self.top) if "venv_backend" in options else self.backend
            if value(given, self.top) is False:
                own = name if isinstance(name, str) else function.name
                self.notes.setdefault(own, Notes()).lose(f"{own}: python=False (it runs in the environment of nox)")
            if isinstance(backend, str) and backend.rpartition("|")[2] in {"conda", "mamba", "micromamba", "none"}:
                own = name if isinstance(name, str) else function.name
                self.notes.setdefault(own, Notes()).lose(f"{own}: venv_backend={backend!r}")
            if "system-site-packages" in str(value(options.get("venv_params"), self.top)):
                own = name if isinstance(name, str) else function.name
                self.notes.setdefault(own, Notes()).lose(f"{own}: venv_params with --system-site-packages")
            yield NoxSession(
                name=name if isinstance(name, str) else function.name,
                function=function,
                pythons=self._pythons(given),
                parameters=tuple(self._parameters(function)),
            )

    def _pythons(self, given: ast.expr | None) -> tuple[str, ...] | None:
        known = None if given is None else value(given, self.top)
        if known is None or known is False:
            return ("",)
        known = (known,) if isinstance(known, str) else known
        if not isinstance(known, list | tuple) or not known or not all(isinstance(item, str) for item in known):
            return None
        return tuple(known)

    def _parameters(self, function: ast.FunctionDef) -> Iterator[tuple[tuple[str, ...], tuple[Any, ...]]]:
        for mark in reversed(function.decorator_list):
            if isinstance(mark, ast.Call) and ast.unparse(mark.func).endswith("parametrize") and len(mark.args) > 1:
                names = value(mark.args[0], self.top)
                found = value(mark.args[1], self.top)
                listed = names.split(",") if isinstance(names, str) else names
                if isinstance(listed, list | tuple) and isinstance(found, list | tuple):
                    yield tuple(str(name).strip() for name in listed), tuple(found)
                else:
                    self.notes.setdefault(function.name, Notes()).lose(f"{function.name}: {ast.unparse(mark)[:100]}")

    def variants(self, session: NoxSession) -> Iterator[Variant]:
        """Yield the variants of a session: one for each Python and combination of parameters."""
        notes = self.notes.setdefault(session.name, Notes())
        known = session.pythons
        if known is None:
            notes.add(f"{session.name}: its Pythons are computed; those that pyproject.toml declares are used")
            known = tuple(self._declared()) or ("",)
        combinations = itertools.product(*(values for _, values in session.parameters))
        for python, combination in itertools.product(known, list(itertools.islice(combinations, MAX_VARIANTS))):
            chosen: dict[str, Any] = {}
            for (names, _), item in zip(session.parameters, combination, strict=True):
                several = item if len(names) > 1 and isinstance(item, list | tuple) else (item,)
                chosen |= dict(zip(names, several, strict=False))
            minor = env_names.of_version(python)
            why = env_names.unsupported(minor) or (f"no version in {python!r}" if python and not minor else "")
            if why:
                notes.add(f"{session.name}-{python}: {why}")
                continue
            yield from self._variant(session, minor, python, chosen)

    def _declared(self) -> list[str]:
        with suppress(ConfigError):
            return allowed_minors(config_file.read_pyproject(self.folder).get("project", {}).get("requires-python"))
        return []

    def _variant(self, session: NoxSession, minor: str, python: str, chosen: Mapping[str, Any]) -> Iterator[Variant]:
        given, notes, where = session.function.args.args, Notes(), session.name
        argument = given[0].arg if given else "session"
        scope = self.top.inner(**chosen)
        scope.names |= {f"{argument}.posargs": [], f"{argument}.python": python or UNKNOWN, argument: SESSION}
        scope.names |= {f"{argument}.name": f"{session.name}-{python}".rstrip("-"), f"{argument}.interactive": False}
        tracer = SessionTracer(name=where, functions=self.functions, top=self.top, notes=notes)
        tracer.trace(session.function.body, scope)
        record = tracer.record
        placed = [Placed(words(item.argv), item.folder) for item in record.placed]
        steps = commands.sort([item.argv for item in placed], self.folder, notes, where)
        folder = folder_of_tests(placed, self.folder, notes, where)
        if not steps.tests and notes.lost and "pytest" in str(placed):
            yield Variant(name=where, python=minor, command=("pytest",), missing=tuple(notes.lost), grid=where)
        if not steps.tests or commands.kind(steps.tests[0].command) in commands.NOT_TESTS:
            return
        env, more = requirements.variables(record.env, self.folder, notes, where)
        arguments = [*record.arguments, *more, *steps.arguments]
        installs = requirements.parse_arguments(arguments, self.folder, notes, where)
        said = {name: str(item) for name, item in chosen.items() if isinstance(item, str | int)}
        label = "-".join(said.values())
        axes = {
            f"env.{name.upper()}": item
            for name, item in said.items()
            if len(item) > 1 and not any(item in word for word in arguments)
        }
        for number, tested in enumerate(steps.tests, 1):
            used = {name: item for name, item in axes.items() if any(item in word for word in tested.command)}
            yield Variant(
                name=f"{session.name}-{python}({label})" if label else f"{session.name}-{python}".rstrip("-"),
                label=label,
                python=minor,
                requires=tuple(installs.requires),
                constraints=tuple(installs.constraints),
                named=tuple(installs.named),
                extras=tuple(dict.fromkeys(installs.extras)),
                groups=tuple(dict.fromkeys((*installs.groups, *record.groups))),
                install=installs.project.replace("wheel", "") if installs.project else "none",
                resolution=installs.resolution,
                pre_releases=installs.pre_releases,
                before=tested.before,
                command=reported(tuple(_parametrised(word, used) for word in tested.command), python),
                working_directory=folder,
                env={**env, **tested.variables},
                axes=used,
                missing=tuple(notes.lost),
                notes=tuple(notes.lines),
                grid=session.name if number == 1 else f"{session.name}-{number}",
            )

    def _call(self, name: str, arguments: list[Any], options: dict[str, Any]) -> Any:
        """Evaluate a call of nox's own helpers, or return UNKNOWN."""
        match name.rpartition(".")[2], arguments:
            case "param", [first]:
                return first
            case "param", [_, *_]:
                return tuple(arguments)
            case "load_toml", []:
                return self._toml("pyproject.toml")
            case "load_toml", [str() as file]:
                return self._toml(file)
            case "python_versions", [dict() as project]:
                return _python_versions(project, options.get("max_version"))
            case "dependency_groups", [_, *names]:
                return [Groups(tuple(map(str, names)))]
            case "Path" | "PurePath", [str() as path]:
                return path
            # What this machine and an empty environment say: nox would read the same here.
            case (("get" | "getenv"), [str(), *default]) if name in {"os.environ.get", "os.getenv", "environ.get"}:
                return default[0] if default else None
            case _:
                return UNKNOWN

    def _toml(self, name: str) -> Any:
        """Read a TOML file beside the noxfile, or return UNKNOWN."""
        with suppress(ConfigError):
            if "/" not in name and "\\" not in name:
                return config_file.read_toml(self.folder / name)
        return UNKNOWN


def _is_session(mark: ast.expr) -> bool:
    function = mark.func if isinstance(mark, ast.Call) else mark
    return ast.unparse(function).rpartition(".")[2] in {"session", "nox_session"}


def _parametrised(word: str, axes: Mapping[str, str]) -> str:
    """Replace the value of a parameter by the placeholder of its axis."""
    for name, item in axes.items():
        if item in word:
            word = word.replace(item, f"{{axis:{name}}}", 1)
    return word


def _python_versions(project: Mapping[str, Any], newest: Any) -> list[str]:
    """Return the result of nox.project.python_versions: from classifiers, or requires-python up to a version."""
    table = project.get("project", {})
    if isinstance(newest, str):
        minors = allowed_minors(table.get("requires-python"))
        return minors[: minors.index(newest) + 1] if newest in minors else minors
    return python_releases.classified(table.get("classifiers", []))
