"""Where environments live: made once for each lock entry, used only when whole, never repaired.

    .venvgrid/store/KEY/                    the environment itself; KEY is that of its lock entry
    .venvgrid/store/KEY/venvgrid.json       the marker, written last and durably: the key and a manifest of every file
    .venvgrid/envs/CELL                     a link to the environment of a cell

A virtual environment holds its own path, so it cannot be built beside and renamed: what is without a marker, or differs
from its manifest, is wiped and made anew. Only folders of the store with a name of ours are ever deleted.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
import time
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from venvgrid import journal, layout
from venvgrid.errors import InfrastructureError
from venvgrid.installers import InstallRequest
from venvgrid.manifest import MARKER, differences, identity, take
from venvgrid.model import InstallMode
from venvgrid.process import Command
from venvgrid.tools import OLDEST_FOR_VIRTUALENV

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from venvgrid.bytecode import Bytecode
    from venvgrid.installers import Installer
    from venvgrid.model import Config, Interpreter, LockEntry
    from venvgrid.process import Runner
    from venvgrid.tools import Tools
    from venvgrid.wheels import Wheel

FORMAT = "venvgrid-environment-1"
TRASH = "trash-"
KEY = re.compile(r"[0-9a-f]{16}")


class BuildError(Exception):
    """An environment could not be made; the message is for the cells that need it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Environment:
    """A whole environment. `detail` says what was done: "built", "project reinstalled" or "reused"."""

    key: str
    path: Path
    python: Path
    site: Path
    interpreter: Interpreter
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Store:
    """The environments of one folder of configuration. `root` is its `.venvgrid`; see `places` for `folder`."""

    root: Path
    folder: Path  # of the environments themselves
    config: Config
    installer_for: Callable[[Interpreter], Installer]
    tools: Tools
    run: Runner
    environ: Mapping[str, str]
    app_data: Path  # virtualenv's own cache
    probe: Path  # the file that is copied into every environment
    bytecode: Bytecode
    platform: str = os.name
    offline: bool = False

    def ensure(self, entry: LockEntry, wheel: Wheel | None, *, prompt: str, fresh: bool = False) -> Environment:
        """Give the whole environment of a lock entry with the project in it, built where it is not there.

        Raises:
            BuildError: it cannot be made.
        """
        path = self.folder / entry.key
        digest = wheel.digest if wheel else ""
        marker = None if fresh else read_marker(path)
        if marker and not self._is_whole(path, entry, marker):
            marker = None
        if marker and marker["project"] == digest:
            return self._environment(path, entry, "reused")
        try:
            if marker:
                self._unmark(path)
                self._install_project(path, entry, wheel, reinstall=True)
                return self._finish(path, entry, wheel, "project reinstalled")
            self.wipe(entry.key)
            self._create(path, entry.interpreter, prompt)
            self._install(path, entry, wheel)
            self.bytecode.give(layout.site_of(path, entry.interpreter, self.platform), entry)
            return self._finish(path, entry, wheel, "built")
        except OSError as error:
            message = f"{error.filename or path}: {error.strerror or error}"
            raise BuildError(message) from error
        except InfrastructureError as error:
            raise BuildError(str(error)) from error

    def link(self, cell: str, environment: Environment) -> Path:
        """Make `.venvgrid/envs/CELL` lead to an environment.

        Raises:
            BuildError: something that is not ours is in the way.
        """
        place = self.root / "envs" / cell
        if not layout.link(environment.path, place, self.platform):
            message = f"{place} is in the way: it is no link of venvgrid's; move it"
            raise BuildError(message)
        return place

    def changed_files(self, environment: Environment) -> tuple[str, ...]:
        """Name the files that are not as they were installed; compiled Python files do not count."""
        marker = read_marker(environment.path)
        return () if marker is None else differences(marker["manifest"], take(environment.path))

    def is_untouched(self, environment: Environment) -> bool:
        """Whether an environment is whole and as it was installed."""
        marker = read_marker(environment.path)
        return marker is not None and not differences(marker["manifest"], take(environment.path))

    def drop(self, environment: Environment) -> None:
        """Give up an environment: it is built anew before its next use."""
        self._unmark(environment.path)

    def wipe(self, key: str) -> None:
        """Delete one environment of the store."""
        if not KEY.fullmatch(key):
            message = f"not an environment's key: {key!r}"
            raise ValueError(message)
        path = self.folder / key
        if path.is_symlink():
            path.unlink()
        elif path.exists():
            self._unmark(path)
            # Out of the way first: what a killed run left behind may still be written to for a moment.
            trash = self.folder / f"{TRASH}{key}-{os.getpid()}-{time.monotonic_ns()}"
            path.rename(trash)
            shutil.rmtree(trash, ignore_errors=True)

    def sweep(self) -> None:
        """Delete what a killed run had begun to delete."""
        for trash in self.folder.glob(f"{TRASH}*"):
            if not trash.is_symlink():
                shutil.rmtree(trash, ignore_errors=True)

    def kept(self) -> tuple[str, ...]:
        """Name all environments of the store, whole or not."""
        with suppress(OSError):
            return tuple(sorted(path.name for path in self.folder.iterdir() if KEY.fullmatch(path.name)))
        return ()

    def linked(self) -> dict[str, str]:
        """Map the cells that have an environment to its key."""
        found = {}
        with suppress(OSError):
            for place in sorted((self.root / "envs").iterdir()):
                key = place.resolve().name
                if KEY.fullmatch(key) and place.name[:1] != ".":
                    found[place.name] = key
        return found

    def _is_whole(self, path: Path, entry: LockEntry, marker: dict[str, object]) -> bool:
        if marker["key"] != entry.key or marker["interpreter"] != identity(entry.interpreter.executable):
            return False
        recorded = marker["manifest"]
        return isinstance(recorded, dict) and not differences(recorded, take(path))

    def _create(self, path: Path, interpreter: Interpreter, prompt: str) -> None:
        if interpreter.release < OLDEST_FOR_VIRTUALENV:
            self._create_old(path, interpreter, prompt)
            return
        from virtualenv import session_via_cli  # noqa: PLC0415  (70 ms; not needed when everything is reused)

        arguments = [
            str(path),
            "--python",
            interpreter.executable,
            "--no-seed",
            "--no-periodic-update",
            "--no-vcs-ignore",
        ]
        arguments += ["--app-data", str(self.app_data), "--prompt", prompt]
        try:
            session_via_cli(arguments, setup_logging=False, env={}).run()
        except (RuntimeError, ValueError, SystemExit) as error:
            message = f"virtualenv cannot make an environment of {interpreter.executable}: {error}"
            raise BuildError(message) from error

    def _create_old(self, path: Path, interpreter: Interpreter, prompt: str) -> None:
        arguments = ("--python", interpreter.executable, "--no-seed", "--no-periodic-update", "--no-vcs-ignore")
        where = ("--app-data", str(self.app_data.with_name("virtualenv-old")), "--prompt", prompt)
        completed = self.run(
            Command(
                argv=(sys.executable, "-m", "virtualenv", "--quiet", *arguments, *where, str(path)),
                cwd=path.parent,
                env={**self.environ, "PYTHONPATH": str(self.tools.old_virtualenv())},
                timeout=CREATE_TIMEOUT,
            ),
        )
        if completed.exit_code != 0:
            output = (completed.error or completed.stderr or completed.stdout).strip()
            message = f"virtualenv cannot make an environment of {interpreter.executable}: {output[-500:]}"
            raise BuildError(message)

    def _install(self, path: Path, entry: LockEntry, wheel: Wheel | None) -> None:
        """Install everything in one go; an editable project comes last, for its build may need what is there."""
        self._request(
            entry,
            InstallRequest(
                python=layout.python_of(path, self.platform),
                interpreter=entry.interpreter,
                distributions=entry.distributions,
                wheels=(wheel.path,) if wheel else (),
            ),
        )
        if self.config.project.install is InstallMode.EDITABLE:
            self._install_project(path, entry, None, reinstall=False)

    def _install_project(self, path: Path, entry: LockEntry, wheel: Wheel | None, *, reinstall: bool) -> None:
        self._request(
            entry,
            InstallRequest(
                python=layout.python_of(path, self.platform),
                interpreter=entry.interpreter,
                wheels=(wheel.path,) if wheel else (),
                editable=self.config.project.path if wheel is None else None,
                reinstall=reinstall,
            ),
        )

    def _request(self, entry: LockEntry, request: InstallRequest) -> None:
        if not (request.distributions or request.wheels or request.editable):
            return
        install = self.config.install
        wanted = replace(
            request,
            only_binary=install.only_binary and request.editable is None,
            source_builds=install.source_builds,
            offline=self.offline,
        )
        problem = self.installer_for(entry.interpreter).install(wanted)
        if problem:
            raise BuildError(problem)

    def _finish(self, path: Path, entry: LockEntry, wheel: Wheel | None, detail: str) -> Environment:
        environment = self._environment(path, entry, detail)
        shutil.copyfile(self.probe, environment.site / self.probe.name)
        marker = {
            "format": FORMAT,
            "key": entry.key,
            "project": wheel.digest if wheel else "",
            "name": wheel.metadata.name if wheel else "",
            "wheel": str(wheel.path) if wheel else "",
            "editable": str(self.config.project.path) if self.config.project.install is InstallMode.EDITABLE else "",
            "python": entry.interpreter.version,
            "interpreter": identity(entry.interpreter.executable),
            "distributions": [
                [item.name, item.version, list(item.hashes), item.direct] for item in entry.distributions
            ],
            "manifest": take(path),
        }
        journal.write_atomic(path / MARKER, json.dumps(marker))
        return environment

    def _environment(self, path: Path, entry: LockEntry, detail: str) -> Environment:
        return Environment(
            key=entry.key,
            path=path,
            python=layout.python_of(path, self.platform),
            site=layout.site_of(path, entry.interpreter, self.platform),
            interpreter=entry.interpreter,
            detail=detail,
        )

    def _unmark(self, path: Path) -> None:
        with suppress(FileNotFoundError):
            (path / MARKER).unlink()


CREATE_TIMEOUT = 120.0  # seconds


def read_marker(path: Path) -> dict[str, object] | None:
    """Read the marker of an environment; None where it is missing, damaged, or of another format."""
    with suppress(OSError, ValueError, AttributeError):
        marker: dict[str, object] = json.loads((path / MARKER).read_text(encoding="utf-8"))
        if marker.get("format") == FORMAT:
            return marker
    return None
