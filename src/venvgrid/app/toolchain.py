"""The installers of a run: uv where it is there and fits, else pip; and the tools that old Pythons need."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from venvgrid.installers import uv
from venvgrid.installers.legacy_tools import Tools
from venvgrid.installers.pip import Pip
from venvgrid.installers.uv import Uv
from venvgrid.model import UsageError
from venvgrid.model.values import dataclass
from venvgrid.processes import variables
from venvgrid.resolving import index_digest

if TYPE_CHECKING:
    from collections.abc import Mapping

    from venvgrid.installers.base import Installer
    from venvgrid.model import Interpreter
    from venvgrid.processes.command import Runner

# A git hook sets these for its own repository: git would look there, and not where a build runs.
OF_A_REPOSITORY = frozenset(
    f"GIT_{part}" for part in ("DIR", "WORK_TREE", "INDEX_FILE", "COMMON_DIR", "OBJECT_DIRECTORY", "PREFIX")
)
INSTALLER = "VENVGRID_INSTALLER"  # uv | pip: an installer that the user insists on


@dataclass(frozen=True, kw_only=True)
class Toolchain:
    """Installers and their environment variables; each is made when it is first needed."""

    user_environ: Mapping[str, str]
    cache: Path
    run: Runner

    @cached_property
    def environ(self) -> dict[str, str]:
        """The environment variables that uv and pip are started with."""
        passed = variables.tool_environment(self.user_environ)
        return {name: value for name, value in passed.items() if name not in OF_A_REPOSITORY}

    @cached_property
    def uv(self) -> Uv | None:
        """uv, or None if it is missing, too old, or not wanted."""
        wanted = self.user_environ.get(INSTALLER, "")
        if wanted not in {"", "uv", "pip"}:
            raise UsageError(f"{INSTALLER}={wanted!r}: write uv or pip")
        if wanted == "pip":
            return None
        binary = uv.find()
        version = uv.ask_version(binary, self.environ, self.run) if binary else ""
        if binary and uv.is_supported(version):
            is_pypi = index_digest.is_plain(self.user_environ, Path.home())
            return Uv(binary=binary, version=version, environ=self.environ, run=self.run, is_pypi=is_pypi)
        if wanted == "uv":
            message = f'{INSTALLER}=uv, but uv is {version or "not there"}; install it with: pip install "venvgrid[uv]"'
            raise UsageError(message)
        return None

    @property
    def uv_binary(self) -> str:
        """The path of uv, or ""."""
        return self.uv.binary if self.uv else ""

    @cached_property
    def legacy(self) -> Tools:
        """The tools for old Pythons."""
        return Tools(folder=self.cache / "tools", environ=self.environ, run=self.run, uv=self.uv_binary)

    @cached_property
    def pip(self) -> Pip:
        """pip, as virtualenv carries it."""
        return Pip(folder_for=self.legacy.pip, downloads=self.cache / "downloads", environ=self.environ, run=self.run)

    def installer_for(self, interpreter: Interpreter) -> Installer:
        """Return uv if it is there and knows the interpreter, else pip."""
        return self.uv if self.uv is not None and self.uv.knows(interpreter) else self.pip
