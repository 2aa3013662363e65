"""What wakes watch: a change of the inputs of the verdicts, of the configuration, of the lock, of the interpreters.

The system only says which paths something happened to. Here it is found out whether anything changed that a result
depends on: what git ignores, what is ours, and files that were written with the same content change nothing.
"""

from __future__ import annotations

import os
import stat
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from venvgrid.interpreters.identity import identity
from venvgrid.model.values import dataclass
from venvgrid.project import inputs

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from venvgrid.project.inputs import Inputs


@dataclass(frozen=True, slots=True, kw_only=True)
class Watched:
    """The state of all that results depend on.

    `others` are files besides the inputs, with their contents. `interpreters` are executables with their identities,
    and `installations` the folders that hold installed interpreters, with the names in them.
    """

    inputs: Inputs
    others: Mapping[str, str]
    interpreters: Mapping[str, str]
    installations: Mapping[str, tuple[str, ...]]

    def folders(self) -> frozenset[str]:
        """Return the folders in which something may happen; each is watched without those below it."""
        root = str(self.inputs.path)
        found = {root, *self.installations}
        for name, stamp in self.inputs.stamps.items():
            path = os.path.join(root, name)  # noqa: PTH118  (thousands)
            if stat.S_ISDIR(stamp[0]):
                found.add(path.rstrip("/"))
            elif os.path.isabs(name):  # noqa: PTH117
                found.add(os.path.dirname(name))  # noqa: PTH120
        files = (*self.others, *self.interpreters)
        found |= {os.path.dirname(path) for file in files for path in (file, os.path.realpath(file))}  # noqa: PTH120
        return frozenset(path for path in found if os.path.isdir(path))  # noqa: PTH112

    def now(self, paths: Iterable[str]) -> tuple[Watched, tuple[str, ...]]:
        """Return the state after something happened to these paths, and the names of what changed."""
        names = {self._name(path) for path in paths}
        state, changed = self._of_others()
        if not names - self.inputs.contents.keys():
            contents = {name: inputs.content_of(os.path.join(self.inputs.path, name)) for name in names}  # noqa: PTH118
            different = {name: text for name, text in contents.items() if text != self.inputs.contents[name]}
            if all(different.values()):  # what is gone, or new, changes which files there are
                known = replace(self.inputs, contents={**self.inputs.contents, **different})
                return replace(state, inputs=known), _once(*sorted(different), *changed)
        taken = inputs.take(self.inputs.path, self.inputs.written)
        before, after = self.inputs.contents, taken.contents
        differing = sorted(name for name in before.keys() | after.keys() if before.get(name) != after.get(name))
        if taken.versions != self.inputs.versions:
            differing.append("the history of the project")
        return replace(state, inputs=taken), _once(*differing, *changed)

    @property
    def configuration(self) -> frozenset[str]:
        """The names of the files besides the inputs, as `now` tells them."""
        return frozenset(self._name(file) for file in self.others)

    def _name(self, path: str) -> str:
        root = f"{self.inputs.path}{os.sep}"
        return path.removeprefix(root).replace(os.sep, "/") if path.startswith(root) else path

    def _of_others(self) -> tuple[Watched, tuple[str, ...]]:
        others = {file: inputs.content_of(file) for file in self.others}
        interpreters = {file: repr(identity(file)) for file in self.interpreters}
        installations = {folder: _names(folder) for folder in self.installations}
        changed = [self._name(file) for file, text in others.items() if text != self.others[file]]
        changed += [name for name, text in interpreters.items() if text != self.interpreters[name]]
        changed += [name for name, entries in installations.items() if entries != self.installations[name]]
        found = replace(self, others=others, interpreters=interpreters, installations=installations)
        return found, tuple(sorted(changed))


def take(path: Path, written: str, others: Iterable[Path], executables: Iterable[str]) -> Watched:
    """Return the state of a project, of other files, and of interpreters; `written`: see `inputs.take`."""
    files, pythons = tuple(str(file) for file in others), tuple(executables)
    return Watched(
        inputs=inputs.take(path, written),
        others={file: inputs.content_of(file) for file in files},
        interpreters={file: repr(identity(file)) for file in pythons},
        installations={folder: _names(folder) for folder in _installations(pythons)},
    )


def _once(*names: str) -> tuple[str, ...]:
    """Return each name once: the configuration is a file of the project, too."""
    return tuple(dict.fromkeys(names))


def _installations(executables: Iterable[str]) -> set[str]:
    """Return the folders of tools that install interpreters as FOLDER/VERSION/bin/python."""
    found = set[str]()
    for executable in executables:
        parts = Path(executable).parts
        if len(parts) > 3 and any(sign.isdigit() for sign in parts[-3]):  # noqa: PLR2004
            found.add(str(Path(*parts[:-3])))
    return found


def _names(folder: str) -> tuple[str, ...]:
    try:
        return tuple(sorted(os.listdir(folder)))  # noqa: PTH208
    except OSError:
        return ()
