"""Reads a table of the configuration and notes every mistake with its key path, instead of stopping at the first."""

from __future__ import annotations

import json
import re
from dataclasses import field
from typing import TYPE_CHECKING, Any, TypeVar

from venvgrid.config.values import CONTROL, SHOWN, BadValueError, nearest, shown
from venvgrid.model.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    Value = TypeVar("Value")

MAX_MISTAKES = 200  # more are counted, not listed: the file is probably no configuration at all

# Keys of tox, nox and hatch, with dashes, and what they are here.
FOREIGN = {
    **dict.fromkeys(("deps", "dependencies", "extra-dependencies", "requirements"), "install.requires"),
    **dict.fromkeys(("setenv", "set-env", "env-vars", "environment"), "test.env"),
    **dict.fromkeys(("passenv",), "test.pass-env"),
    **dict.fromkeys(("changedir", "change-dir", "workdir"), "test.working-directory"),
    **dict.fromkeys(("commands", "scripts", "script"), "test.command"),
    **dict.fromkeys(("commands-pre", "pre-install-commands"), "test.before"),
    **dict.fromkeys(("envlist", "env-list", "envs", "matrix"), "axes"),
    **dict.fromkeys(("basepython", "base-python", "pythons", "python-versions"), "axes.python"),
    **dict.fromkeys(("skip-install",), 'project.install = "none"'),
    **dict.fromkeys(("usedevelop", "use-develop", "editable", "dev-mode"), 'project.install = "editable"'),
    **dict.fromkeys(("dependency-groups", "features"), "project.groups or project.extras"),
    **dict.fromkeys(("skip-missing-interpreters",), "plan.skip-missing-interpreters"),
}

# What no configuration holds, because it is of this machine; and where it is.
ELSEWHERE = {
    **dict.fromkeys(
        ("index-url", "extra-index-url", "index", "indexes", "index-server", "find-links"),
        "indexes are in the settings of pip or uv: PIP_INDEX_URL, pip.conf, uv.toml",
    ),
    **dict.fromkeys(("installer", "runner", "venv-backend"), "write VENVGRID_INSTALLER=uv or pip before the command"),
}

_BARE = re.compile(r"[A-Za-z0-9_-]{1,100}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Mistakes:
    """Collects the mistakes of one file."""

    file: str  # as messages name it
    found: list[str] = field(default_factory=list)

    def add(self, path: str, problem: str) -> None:
        """Note `problem` at the key path `path` ("" for the whole file)."""
        message = f"{self.file}: {path}: {problem}" if path else f"{self.file}: {problem}"
        # A key may hold any character, also line breaks and colour codes.
        self.found.append(CONTROL.sub(lambda match: repr(match[0])[1:-1], message))

    def listed(self) -> list[str]:
        """Return the first MAX_MISTAKES mistakes, and the number of the others."""
        rest = len(self.found) - MAX_MISTAKES
        return self.found if rest <= 0 else [*self.found[:MAX_MISTAKES], f"{self.file}: … and {rest:,} more mistakes"]


def joined(path: str, key: str) -> str:
    """Return the key path of `key` in the table at `path`, as in TOML."""
    part = key if _BARE.fullmatch(key) else json.dumps(key[:100], ensure_ascii=not key.isprintable())
    return f"{path}.{part}" if path else part


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """A table at the key path `path`. A value that is missing or wrong is replaced by its default."""

    values: Mapping[str, Any]
    path: str
    mistakes: Mistakes

    def wrong(self, key: str, problem: str) -> None:
        """Note a mistake at `key` of this table."""
        self.mistakes.add(joined(self.path, key), problem)

    def only(self, allowed: Sequence[str], word: str = "key", homes: Mapping[str, str] | None = None) -> None:
        """Note every key that is not in `allowed`; `homes` has the sections of the keys that belong elsewhere."""
        above = self.path if word == "section" else self.path.rpartition(".")[0]
        for key in self.values:
            if key in allowed:
                continue
            home = (homes or {}).get(key)
            foreign = FOREIGN.get(key.replace("_", "-").lower(), "")
            elsewhere = ELSEWHERE.get(key.replace("_", "-").lower(), "")
            if elsewhere:
                hint = f"; {elsewhere}"
            elif home:
                hint = f"; it belongs into [{joined(above, home)}]"
            else:
                hint = f"; here it is {above}{'.' if above else ''}{foreign}" if foreign else nearest(key, allowed)
            self.wrong(key, f"unknown {word}{hint} (allowed: {', '.join(allowed)})")

    def take(self, key: str, parse: Callable[[object], Value], default: Value) -> Value:
        """Return the parsed value of `key`."""
        if key not in self.values:
            return default
        try:
            return parse(self.values[key])
        except BadValueError as error:
            self.wrong(key, str(error))
            return default

    def take_all(
        self,
        key: str,
        parse: Callable[[object], Value],
        default: tuple[Value, ...] = (),
        split: Callable[[str], list[str]] = lambda text: [text],
    ) -> tuple[Value, ...]:
        """Return the parsed items of the list at `key`; note a mistake for each wrong item.

        A string is no list: the message has the list that was probably meant, as `split` makes it.
        """
        if key not in self.values:
            return default
        raw = self.values[key]
        if not isinstance(raw, list):
            is_short = isinstance(raw, str) and len(raw) <= SHOWN
            example = f": {json.dumps(split(raw), ensure_ascii=False)}" if is_short else ""
            self.wrong(key, f"expected a list of strings{example}, got {shown(raw)}")
            return default
        found = []
        for index, item in enumerate(raw):
            try:
                found.append(parse(item))
            except BadValueError as error:
                self.mistakes.add(f"{joined(self.path, key)}[{index}]", str(error))
        return tuple(found)

    def table(self, key: str) -> Table:
        """Return the table at `key`, or an empty one if it is missing."""
        path = joined(self.path, key)
        raw = self.values.get(key, {})
        if not isinstance(raw, dict):
            pairs = [item.partition("=") for item in raw if isinstance(item, str)] if isinstance(raw, list) else []
            is_env = pairs and all(_BARE.fullmatch(name) and equals for name, equals, _ in pairs)
            example = f": {{ {pairs[0][0]} = {json.dumps(pairs[0][2][:SHOWN])} }}" if is_env else f", [{path}]"
            self.mistakes.add(path, f"expected a table{example}, got {shown(raw)}")
            raw = {}
        return Table(values=raw, path=path, mistakes=self.mistakes)

    def tables(self, key: str) -> list[Table]:
        """Return the tables of the array of tables at `key`."""
        path = joined(self.path, key)
        raw = self.values.get(key, [])
        if not isinstance(raw, list) or not all(isinstance(item, dict) for item in raw):
            self.mistakes.add(path, f"expected one or more tables, got {shown(raw)}; write [[{path}]] before its keys")
            return []
        return [Table(values=item, path=f"{path}[{index}]", mistakes=self.mistakes) for index, item in enumerate(raw)]
