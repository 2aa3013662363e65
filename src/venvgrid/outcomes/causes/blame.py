"""The distributions that an exception names, or that its traceback passes: those to ask first. Pure.

Every traceback of a test passes pytest. So pytest and its parts count only where they raised, or where the exception
names them.
"""

from __future__ import annotations

import re
import sys
from dataclasses import field
from typing import TYPE_CHECKING

from venvgrid.model.names import normalise
from venvgrid.model.values import dataclass
from venvgrid.outcomes.causes import plugins, remedies, tracebacks

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

PYTHON = "python"  # the standard library
CARRIERS = frozenset({"pytest", "pluggy", "importlib"})  # they call what fails
_CODE = re.compile(r"(.*?)(?:/__init__)?(?:\.[\w-]+)*\.(?:py|so|pyd)$")
_STANDARD = sys.stdlib_module_names | remedies.REMOVED

_PATH = re.compile(r"(?:site|dist)-packages[/\\]+([\w.\-/\\]+)")
_QUOTED = re.compile(r"['\"`]([A-Za-z_][\w.\-]*)['\"`]")
_DOTTED = re.compile(r"(?<![\w./\\])([A-Za-z_]\w*(?:\.[A-Za-z_]\w*)+)")
_VERSIONED = re.compile(r"\b([A-Za-z][\w.\-]*?)[ <>=!~]+v?\d+(?:\.\d+)+")
_MODULE_OF = re.compile(r"(?=\b(?:from|module|named|package) u?['\"]?([A-Za-z_][\w.]*))")


@dataclass(frozen=True, slots=True, kw_only=True)
class Owners:
    """Which distribution (normalised name) owns a file or a module of an environment."""

    modules: Mapping[str, str] = field(default_factory=dict)  # "google/protobuf" → "protobuf"
    names: frozenset[str] = frozenset()

    @classmethod
    def of(cls, files: Mapping[str, Iterable[str]]) -> Owners:
        """Return the owners by the files of each distribution, relative to site-packages."""
        found: dict[str, set[str]] = {}
        for name, paths in files.items():
            for path in paths:
                match = None if path.startswith("..") or ".dist-info/" in path else _CODE.match(path)
                parts = match[1].split("/") if match else []
                for depth in range(1, len(parts) + 1):
                    found.setdefault("/".join(parts[:depth]), set()).add(name)
        single = {path: next(iter(owners)) for path, owners in found.items() if len(owners) == 1}
        return cls(modules=single, names=frozenset(files))

    def of_path(self, path: str) -> str:
        """Return the distribution that owns a path below site-packages, or ""."""
        parts = re.sub(r"(?:\.[\w-]+)*\.\w+$", "", path.replace("\\", "/")).split("/")
        for length in range(len(parts), 0, -1):
            if found := self.modules.get("/".join(parts[:length])):
                return found
        return ""

    def of_module(self, module: str) -> str:
        """Return the distribution that owns a dotted name, "python" for the standard library, or ""."""
        if found := self.of_path(module.replace(".", "/") + ".py"):
            return found
        return PYTHON if module.partition(".")[0] in _STANDARD - {"test", "this"} else ""


def blamed(message: str, longrepr: str, owners: Owners) -> tuple[str, ...]:
    """Return distributions, the likeliest first: those that the exception names, the one that raised, those passed."""
    frames = tracebacks.read(longrepr).frames
    passed = [(owners.of_path(frame.installed) if frame.installed else "") for frame in frames]
    raising = passed[-1:] if frames and frames[-1].installed else []
    others = [name for name in reversed(passed) if name not in CARRIERS]
    library = [PYTHON] if frames and frames[-1].is_library else []
    return tuple(dict.fromkeys(name for name in (*_named(message, owners), *raising, *others, *library) if name))


def _named(message: str, owners: Owners) -> Iterator[str]:
    """Yield the distributions that a message names, by a path, a module, or a name with a version."""
    for path in _PATH.findall(message):
        yield owners.of_path(path)
    plain = _PATH.sub("", message)
    dotted = [owners.of_module(name) for name in _DOTTED.findall(plain)]
    yield from map(owners.of_module, _MODULE_OF.findall(plain))
    yield from (name for name in dotted if name != PYTHON)
    for name in (*_QUOTED.findall(plain), *_VERSIONED.findall(plain)):
        if normalise(name) in owners.names:
            yield normalise(name)
        elif name.startswith("pytest_") and "pytest" in owners.names:  # a hook
            yield "pytest"
    for name in _QUOTED.findall(plain):
        if plugins.is_test_tool(owners.of_module(name)):
            yield owners.of_module(name)
    yield from dotted
