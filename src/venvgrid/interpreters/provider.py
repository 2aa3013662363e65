"""Provides an interpreter for each value of the python axis: found on this machine, or downloaded."""

from __future__ import annotations

import re
import sys
import sysconfig
from typing import TYPE_CHECKING

from venvgrid.interpreters import candidates, discovery, selection
from venvgrid.interpreters import download as downloads
from venvgrid.model import Interpreter, python_releases
from venvgrid.model.values import dataclass
from venvgrid.processes import parallel

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from venvgrid.processes.command import Runner


@dataclass(frozen=True, slots=True, kw_only=True)
class InterpreterProvider:
    """Finds, selects and downloads interpreters for one configuration.

    `cache` is the folder of the interpreter cache, `root` that of the configuration, `uv` the path of uv or "".
    """

    environ: Mapping[str, str]
    run: Runner
    cache: Path
    root: Path
    uv: str = ""
    offline: bool = False

    def found(self) -> discovery.Found:
        """Return the interpreters of the machine; several are queried at a time."""
        together = parallel.map_parallel
        return discovery.discover(run=self.run, cache=self.cache, environ=self.environ, map_parallel=together)

    def choose(self, values: Iterable[str]) -> dict[str, Interpreter | str]:
        """Return the interpreter of each value, or the reason why there is none."""
        answers = selection.resolve_specs(values, self.found(), ask=self._ask, root=self.root, has_uv=bool(self.uv))
        return {
            value: answer.reason if isinstance(answer, selection.Missing) else answer
            for value, answer in answers.items()
        }

    def surrogate(self, value: str) -> Interpreter | None:
        """Return a stand-in for a missing CPython 3.6 or newer, which uv can resolve for, or None for other values.

        Its `executable` is "". It shows which cells are impossible, so that no Python is downloaded for them.
        """
        match = re.fullmatch(r"3\.(\d+)", value)
        if not self.uv or match is None or (3, int(match[1])) < python_releases.OLDEST_FOR_UV:
            return None
        return Interpreter(
            executable="",
            version=value,
            implementation="cpython",
            free_threaded=False,
            debug=False,
            bits=64,
            platform=sysconfig.get_platform(),
            cache_tag="",
            markers={"python_version": value, "python_full_version": f"{value}.0", "sys_platform": sys.platform},
            source="",
        )

    def can_download(self) -> bool:
        """Return whether uv is available and nothing forbids downloads of interpreters."""
        return bool(self.uv) and not downloads.switched_off(self.environ, offline=self.offline)

    def download(self, value: str, missing: str) -> Interpreter | str:
        """Return an interpreter that uv installed, or the reason `missing` with the last line of uv's error."""
        answer = downloads.install(
            value,
            uv=self.uv,
            run=self.run,
            environ=self.environ,
            cwd=self.root,
            cache=self.cache,
            offline=self.offline,
        )
        if not isinstance(answer, selection.Missing):
            return answer
        if answer.reason.startswith("uv has no "):
            return missing
        last = [part.strip() for part in answer.reason.split(": ") if part.strip(" :")][-1]
        return f"{missing}; uv could not download it: {last[:150]}"

    def _ask(self, path: Path) -> Interpreter | candidates.Rejected:
        return discovery.find_one(path, run=self.run, cache=self.cache, environ=self.environ)
