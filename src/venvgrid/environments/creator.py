"""Creates empty virtual environments with virtualenv: in this process, or by an older one for old Pythons."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from venvgrid.model import python_releases
from venvgrid.model.values import dataclass
from venvgrid.processes.command import Command

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from venvgrid.installers.legacy_tools import Tools
    from venvgrid.model import Interpreter
    from venvgrid.processes.command import Runner

TIMEOUT = 120.0  # seconds


class SkeletonError(Exception):
    """virtualenv cannot create an environment; the message says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Creator:
    """Creates environments in which nothing is installed. `app_data` is the cache of virtualenv."""

    tools: Tools
    run: Runner
    environ: Mapping[str, str]
    app_data: Path

    def make(self, path: Path, interpreter: Interpreter, prompt: str) -> None:
        """Create an environment at `path`.

        Raises:
            SkeletonError: it cannot be created.
        """
        if interpreter.release < python_releases.OLDEST_FOR_VIRTUALENV:
            self._make_old(path, interpreter, prompt)
            return
        from virtualenv import session_via_cli  # noqa: PLC0415  (70 ms; not needed when everything is reused)

        arguments = [str(path), *_options(interpreter), "--app-data", str(self.app_data), "--prompt", prompt]
        try:
            session_via_cli(arguments, setup_logging=False, env={}).run()
        except (RuntimeError, ValueError, SystemExit) as error:
            raise SkeletonError(
                f"virtualenv cannot create an environment of {interpreter.executable}: {error}"
            ) from error

    def _make_old(self, path: Path, interpreter: Interpreter, prompt: str) -> None:
        where = ("--app-data", str(self.app_data.with_name("virtualenv-old")), "--prompt", prompt)
        argv = (sys.executable, "-m", "virtualenv", "--quiet", *_options(interpreter), *where, str(path))
        environ = {**self.environ, "PYTHONPATH": str(self.tools.old_virtualenv())}
        completed = self.run(Command(argv=argv, cwd=path.parent, env=environ, timeout=TIMEOUT))
        if completed.exit_code != 0:
            output = (completed.error or completed.stderr or completed.stdout).strip()
            raise SkeletonError(f"virtualenv cannot create an environment of {interpreter.executable}: {output[-500:]}")


def _options(interpreter: Interpreter) -> tuple[str, ...]:
    return ("--python", interpreter.executable, "--no-seed", "--no-periodic-update", "--no-vcs-ignore")
