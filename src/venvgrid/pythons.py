"""Which interpreter each value of the python axis gets on this machine: found, else downloaded, else the reason."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from venvgrid import engine, interpreters

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from venvgrid.model import Interpreter
    from venvgrid.process import Runner


@dataclass(frozen=True, slots=True, kw_only=True)
class Pythons:
    """`cache` is the folder of what was learned of interpreters, `uv` its path or "", `root` the configuration's."""

    environ: Mapping[str, str]
    run: Runner
    cache: Path
    root: Path
    uv: str = ""
    offline: bool = False

    def found(self) -> interpreters.Found:
        """Look for the interpreters of the machine, several at a time."""
        return interpreters.discover(
            run=self.run,
            cache=self.cache,
            environ=self.environ,
            home=Path.home(),
            platform=sys.platform,
            map_parallel=engine.map_parallel,
        )

    def choose(self, values: Iterable[str], *, download: bool) -> dict[str, Interpreter | str]:
        """Map each value to its interpreter, or to the reason that there is none."""
        answers = interpreters.resolve_specs(values, self.found(), ask=self._ask, root=self.root, has_uv=bool(self.uv))
        chosen: dict[str, Interpreter | str] = {}
        for value, answer in answers.items():
            if isinstance(answer, interpreters.Missing):
                chosen[value] = self._downloaded(value, answer) if download and self.uv else answer.reason
            else:
                chosen[value] = answer
        return chosen

    def _ask(self, path: Path) -> Interpreter | interpreters.PassedOver:
        return interpreters.find_one(path, run=self.run, cache=self.cache, environ=self.environ)

    def _downloaded(self, value: str, missing: interpreters.Missing) -> Interpreter | str:
        if interpreters.switched_off(self.environ, offline=self.offline):
            return missing.reason
        got = interpreters.install(
            value,
            uv=self.uv,
            run=self.run,
            environ=self.environ,
            cwd=self.root,
            cache=self.cache,
            offline=self.offline,
        )
        return f"{missing.reason} ({got.reason})" if isinstance(got, interpreters.Missing) else got
