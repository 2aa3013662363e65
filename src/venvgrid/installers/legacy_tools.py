"""Tools for old Pythons, in a folder of the user's cache.

Current virtualenv cannot query Python 2.7, and its start-up hook does not parse on 3.6 and 3.7. virtualenv 20.21.1 is
the last that creates environments for all of them. It bundles the last pips that run there.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from venvgrid.model import InfrastructureError, python_releases
from venvgrid.model.values import dataclass
from venvgrid.processes.command import Command
from venvgrid.storage import locks

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from venvgrid.model import Interpreter
    from venvgrid.processes.command import Runner

OLD_VIRTUALENV = "20.21.1"
INSTALL_TIMEOUT = 300.0  # seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class Tools:
    """Installs the tools. `folder` is in the user's cache; `uv` is its path, or "" to install with pip."""

    folder: Path
    environ: Mapping[str, str]
    run: Runner
    uv: str = ""

    def old_virtualenv(self) -> Path:
        """Return a folder for PYTHONPATH with `python -m virtualenv`; the first call installs it.

        Raises:
            InfrastructureError: it cannot be installed, for example without a network.
        """
        name = f"virtualenv-{OLD_VIRTUALENV}-py{sys.version_info[0]}{sys.version_info[1]}"
        return self._made(name, "virtualenv", self._install_old_virtualenv)

    def pip(self, interpreter: Interpreter) -> Path:
        """Return a folder `pip-VERSION` with the newest bundled pip that runs on the interpreter.

        It is unpacked from its wheel: from inside the archive, pip is slower and cannot build from source.

        Raises:
            InfrastructureError: the virtualenv that bundles it cannot be installed.
        """
        wheel = self._pip_wheel(interpreter)

        def unpack(partial: Path) -> None:
            import zipfile  # noqa: PLC0415  (once a machine)

            with zipfile.ZipFile(wheel) as archive:
                archive.extractall(partial)

        return self._made("-".join(wheel.name.split("-")[:2]), "pip", unpack)

    def _made(self, name: str, package: str, fill: Callable[[Path], None]) -> Path:
        """Return a folder with a package; if it is missing, `fill` puts the package into a new one."""
        target = self.folder / name
        if (target / package).is_dir():
            return target
        self.folder.mkdir(parents=True, exist_ok=True)
        # The lock saves other processes the work; the folder appears whole without it too.
        with locks.held(Path(f"{target}.lock"), waiting=lambda: None, missing=lambda _: None):
            if not (target / package).is_dir():
                partial = Path(tempfile.mkdtemp(prefix=f"{name}.", dir=self.folder))
                try:
                    fill(partial)
                    shutil.rmtree(target, ignore_errors=True)  # the remains of a killed process
                    partial.chmod(0o755)
                    partial.rename(target)
                finally:
                    shutil.rmtree(partial, ignore_errors=True)
        return target

    def _pip_wheel(self, interpreter: Interpreter) -> Path:
        if interpreter.release >= python_releases.OLDEST_FOR_BUNDLED_PIP:
            from virtualenv.seed.wheels.embed import get_embed_wheel  # noqa: PLC0415  (takes 70 ms)

            wheel = get_embed_wheel("pip", ".".join(map(str, interpreter.release)))
            if wheel is not None:
                return Path(wheel.path)
        wheels = self.old_virtualenv() / "virtualenv" / "seed" / "wheels" / "embed"
        newest = {(2, 7): "20.3", (3, 6): "21.3"}.get(interpreter.release, "23")
        return next(wheels.glob(f"pip-{newest}*.whl"))

    def _install_old_virtualenv(self, partial: Path) -> None:
        argv = (*self._installer(), "--target", str(partial), f"virtualenv=={OLD_VIRTUALENV}")
        completed = self.run(Command(argv=argv, cwd=partial, env=self.environ, timeout=INSTALL_TIMEOUT))
        if completed.exit_code != 0:
            why = (completed.error or completed.stderr or completed.stdout).strip().splitlines()
            raise InfrastructureError(
                f"Pythons below 3.8 need virtualenv {OLD_VIRTUALENV}, which cannot be put into {self.folder}: "
                f"{why[-1] if why else 'no answer'}"
            )

    def _installer(self) -> tuple[str, ...]:
        if self.uv:
            return (self.uv, "pip", "install", "--quiet", "--python", sys.executable)
        from virtualenv.seed.wheels.embed import get_embed_wheel  # noqa: PLC0415

        wheel = get_embed_wheel("pip", f"{sys.version_info[0]}.{sys.version_info[1]}")
        if wheel is None:
            return (sys.executable, "-m", "pip", "install", "--quiet")
        return (sys.executable, str(Path(wheel.path) / "pip"), "install", "--quiet", "--disable-pip-version-check")
