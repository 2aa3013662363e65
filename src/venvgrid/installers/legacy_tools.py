"""What venvgrid needs for old Pythons, kept in a private folder of the user's cache.

virtualenv of today cannot query Python 2.7, and its start-up hook does not parse on 3.6 and 3.7. virtualenv 20.21.1 is
the last that makes environments for all of them, and it carries the last pips that run there.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from venvgrid.model import tool_support
from venvgrid.model.errors import InfrastructureError
from venvgrid.processes.runner import Command
from venvgrid.storage import locks

if TYPE_CHECKING:
    from collections.abc import Mapping
    from contextlib import AbstractContextManager

    from venvgrid.model.environment import Interpreter
    from venvgrid.processes.runner import Runner

OLD_VIRTUALENV = "20.21.1"
INSTALL_TIMEOUT = 300.0  # seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class Tools:
    """`folder` is in the user's cache; `uv` is its path or "" (then pip installs the tool)."""

    folder: Path
    environ: Mapping[str, str]
    run: Runner
    uv: str = ""

    def old_virtualenv(self) -> Path:
        """Give a folder to put on PYTHONPATH for `python -m virtualenv`; installed there at its first use.

        Raises:
            InfrastructureError: it cannot be had (no network, say).
        """
        target = self.folder / f"virtualenv-{OLD_VIRTUALENV}-py{sys.version_info[0]}{sys.version_info[1]}"
        if (target / "virtualenv").is_dir():
            return target
        self.folder.mkdir(parents=True, exist_ok=True)
        with _alone(target):
            if not (target / "virtualenv").is_dir():
                self._install_old_virtualenv(target)
        return target

    def pip(self, interpreter: Interpreter) -> Path:
        """Give a folder `pip-VERSION` that holds the newest pip at hand which runs on the interpreter.

        It is unpacked from its wheel: run from inside the archive, a pip cannot build from source, and is slower.

        Raises:
            InfrastructureError: the tool that carries it cannot be had.
        """
        wheel = self._pip_wheel(interpreter)
        target = self.folder / "-".join(wheel.name.split("-")[:2])
        if (target / "pip").is_dir():
            return target
        self.folder.mkdir(parents=True, exist_ok=True)
        with _alone(target):
            if not (target / "pip").is_dir():
                partial = Path(tempfile.mkdtemp(prefix=f"{target.name}.", dir=self.folder))
                try:
                    with zipfile.ZipFile(wheel) as archive:
                        archive.extractall(partial)
                    _move(partial, target)
                finally:
                    shutil.rmtree(partial, ignore_errors=True)
        return target

    def _pip_wheel(self, interpreter: Interpreter) -> Path:
        if interpreter.release >= tool_support.BUNDLED_PIP:
            from virtualenv.seed.wheels.embed import get_embed_wheel  # noqa: PLC0415  (takes 70 ms)

            wheel = get_embed_wheel("pip", ".".join(map(str, interpreter.release)))
            if wheel is not None:
                return Path(wheel.path)
        wheels = self.old_virtualenv() / "virtualenv" / "seed" / "wheels" / "embed"
        newest = {(2, 7): "20.3", (3, 6): "21.3"}.get(interpreter.release, "23")
        return next(wheels.glob(f"pip-{newest}*.whl"))

    def _install_old_virtualenv(self, target: Path) -> None:
        partial = Path(tempfile.mkdtemp(prefix=f"{target.name}.", dir=self.folder))
        try:
            requirement = f"virtualenv=={OLD_VIRTUALENV}"
            completed = self.run(
                Command(
                    argv=(*self._installer(), "--target", str(partial), requirement),
                    cwd=partial,
                    env=self.environ,
                    timeout=INSTALL_TIMEOUT,
                ),
            )
            if completed.exit_code != 0:
                why = (completed.error or completed.stderr or completed.stdout).strip().splitlines()
                message = (
                    f"Pythons below 3.8 need virtualenv {OLD_VIRTUALENV}, which cannot be put into {self.folder}: "
                    f"{why[-1] if why else 'no answer'}"
                )
                raise InfrastructureError(message)
            _move(partial, target)
        finally:
            shutil.rmtree(partial, ignore_errors=True)

    def _installer(self) -> tuple[str, ...]:
        if self.uv:
            return (self.uv, "pip", "install", "--quiet", "--python", sys.executable)
        from virtualenv.seed.wheels.embed import get_embed_wheel  # noqa: PLC0415

        wheel = get_embed_wheel("pip", f"{sys.version_info[0]}.{sys.version_info[1]}")
        if wheel is None:
            return (sys.executable, "-m", "pip", "install", "--quiet")
        return (sys.executable, str(Path(wheel.path) / "pip"), "install", "--quiet", "--disable-pip-version-check")


def _alone(target: Path) -> AbstractContextManager[None]:
    """Save the work of others that want the same now; the folder appears whole without it too."""
    return locks.held(Path(f"{target}.lock"), waiting=lambda: None, missing=lambda _: None)


def _move(partial: Path, target: Path) -> None:
    """Put a finished folder in its place; what a killed process left there is replaced."""
    shutil.rmtree(target, ignore_errors=True)
    partial.chmod(0o755)
    partial.rename(target)
