"""Resolving, installing and building with uv: used whenever it is there and knows the interpreter (3.6 or newer)."""

from __future__ import annotations

import shutil
import sys
import tempfile
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from venvgrid.installers import progress, resolver_errors
from venvgrid.installers.base import (
    BUILD_TIMEOUT,
    INSTALL_TIMEOUT,
    RESOLVE_TIMEOUT,
    InstallRequest,
    Resolved,
    ResolveFailed,
    ResolveRequest,
    ResolveResult,
    binary_options,
    requirement_lines,
    unfinished,
)
from venvgrid.model.environment import Distribution
from venvgrid.processes.runner import Command

if TYPE_CHECKING:
    from collections.abc import Mapping

    from venvgrid.model.environment import Interpreter
    from venvgrid.processes.runner import Completed, Runner

OLDEST_PYTHON = (3, 6)  # uv cannot query an older interpreter
OLDEST_UV = (0, 8)  # pylock.toml with upload times


def find() -> str | None:
    """Give the path of uv: the one installed beside venvgrid (the extra `uv`), else the one on PATH."""
    try:
        from uv import find_uv_bin  # noqa: PLC0415  (an optional dependency)

        return str(find_uv_bin())
    except (ImportError, FileNotFoundError):
        return shutil.which("uv")


@dataclass(frozen=True, slots=True, kw_only=True)
class Uv:
    """`binary` is uv itself, `environ` the variables it is started with, `run` the door to processes."""

    binary: str
    version: str
    environ: Mapping[str, str]
    run: Runner

    @property
    def name(self) -> str:
        """Give "uv 0.13.8"."""
        return f"uv {self.version}"

    def knows(self, interpreter: Interpreter) -> bool:
        """Whether uv can resolve for and install into environments of this interpreter."""
        return interpreter.release >= OLDEST_PYTHON

    def resolve(self, request: ResolveRequest) -> ResolveResult:
        """Resolve with `uv pip compile`; see `installers.Installer`."""
        with tempfile.TemporaryDirectory(prefix="venvgrid-resolve-") as folder:
            here = Path(folder)
            (here / "requirements.in").write_text("\n".join(request.requirements) + "\n", encoding="utf-8")
            (here / "constraints.txt").write_text("\n".join(request.constraints) + "\n", encoding="utf-8")
            completed = self._start(_compile_arguments(request), cwd=here, timeout=RESOLVE_TIMEOUT)
        if completed.exit_code == 0:
            return _resolved(completed.stdout)
        if why := unfinished(completed, "uv pip compile"):
            return ResolveFailed(reason=why)
        if why := resolver_errors.unanswered(completed.stderr):
            return ResolveFailed(reason=why)
        return resolver_errors.from_uv(request, completed.stderr)

    def install(self, request: InstallRequest) -> str:
        """Install with `uv pip install`; see `installers.Installer`.

        Files are copied, not linked: a test that writes into an installed file must not reach another environment.
        """
        lines = requirement_lines(request) + [wheel.as_uri() for wheel in request.wheels]
        with tempfile.TemporaryDirectory(prefix="venvgrid-install-") as folder:
            file = Path(folder, "requirements.txt")
            file.write_text("\n".join(lines) + "\n", encoding="utf-8")
            arguments = ["pip", "install", "--python", str(request.python), "--no-deps", "--link-mode", "copy"]
            arguments += binary_options(request)
            arguments += ["--reinstall"] if request.reinstall else []
            arguments += ["--offline"] if request.offline else []
            arguments += ["-r", str(file)] if lines else []
            arguments += ["--editable", str(request.editable)] if request.editable else []
            completed = self._start(arguments, cwd=Path(folder), timeout=INSTALL_TIMEOUT, supervised=True)
        return "" if completed.exit_code == 0 else _failure(completed, "uv pip install")

    def build_wheel(
        self, source: Path, target: Path, interpreter: Interpreter, *, via_sdist: bool, offline: bool
    ) -> str:
        """Build with `uv build`; see `installers.Installer`."""
        arguments = ["build", "--python", interpreter.executable, "--out-dir", str(target)]
        arguments += [] if via_sdist else ["--wheel"]
        arguments += ["--offline"] if offline else []
        arguments += [str(source)]
        completed = self._start(arguments, cwd=source, timeout=BUILD_TIMEOUT, supervised=True)
        return "" if completed.exit_code == 0 else _failure(completed, "uv build")

    def _start(self, arguments: list[str], *, cwd: Path, timeout: float, supervised: bool = False) -> Completed:
        command = Command(
            argv=(self.binary, "--no-progress", "--color", "never", *arguments),
            cwd=cwd,
            env=self.environ,
            timeout=timeout,
            supervised=supervised,
            listen=progress.sink(),
        )
        return self.run(command)


def _resolved(text: str) -> ResolveResult:
    """Read what uv printed; an answer that is not all there is none."""
    try:
        return Resolved(distributions=read_pylock(text))
    except (tomllib.TOMLDecodeError, KeyError, TypeError) as error:
        return ResolveFailed(reason=f"uv pip compile printed no pylock.toml: {error!r}")


def read_pylock(text: str) -> tuple[Distribution, ...]:
    """Give the distributions of a pylock.toml, by name; wheels of our own (file URLs and paths) are left out.

    Raises:
        tomllib.TOMLDecodeError: it is not TOML.
        KeyError: it says no `lock-version`, as an empty text; or lacks what a package must have.
    """
    data = tomllib.loads(text)
    _ = data["lock-version"]
    packages = data.get("packages", [])
    return tuple(distribution for package in packages if (distribution := _distribution(package)) is not None)


def _distribution(package: dict[str, Any]) -> Distribution | None:
    if "archive" in package and "url" not in package["archive"]:
        return None
    if "archive" in package or "vcs" in package:
        where = package.get("archive") or package["vcs"]
        reference = f"@{where['commit-id']}" if "commit-id" in where else ""
        kind = f"{where['type']}+" if "type" in where else ""
        hashes = tuple(f"{name}:{value}" for name, value in where.get("hashes", {}).items())
        direct = f"{kind}{where['url']}{reference}"
        return Distribution(name=package["name"], version=package.get("version", ""), hashes=hashes, direct=direct)
    files = [*package.get("wheels", ()), *([package["sdist"]] if "sdist" in package else ())]
    if not files:
        _ = package["directory"]
        return None
    uploads = sorted(file["upload-time"].isoformat() for file in files if "upload-time" in file)
    return Distribution(
        name=package["name"],
        version=package["version"],
        hashes=tuple(
            sorted(f"sha256:{file['hashes']['sha256']}" for file in files if "sha256" in file.get("hashes", {}))
        ),
        uploaded=uploads[-1] if uploads else "",
    )


def _compile_arguments(request: ResolveRequest) -> list[str]:
    arguments = ["pip", "compile", "requirements.in", "--format", "pylock.toml", "--no-header", "--quiet"]
    arguments += ["--constraints", "constraints.txt"]
    if request.interpreter.executable:
        arguments += ["--python", request.interpreter.executable]
    else:  # a stand-in for one that is not there: uv takes the tags and markers of its version on this platform
        arguments += ["--python", sys.executable, "--python-version", request.interpreter.version]
    arguments += ["--resolution", request.resolution.value]
    arguments += binary_options(request)
    arguments += ["--exclude-newer", request.cutoff] if request.cutoff else []
    arguments += [] if request.dependencies else ["--no-deps"]
    arguments += ["--offline"] if request.offline else ["--refresh"] if request.refresh else []
    return arguments


def _failure(completed: Completed, what: str) -> str:
    if why := unfinished(completed, what):
        return why
    return completed.stderr.strip() or completed.stdout.strip() or f"{what} ended with status {completed.exit_code}"


def is_supported(version: str) -> bool:
    """Whether this uv (its version as text) can do what is asked of it here."""
    numbers = version.split(".")[:2]
    return all(part.isdigit() for part in numbers) and tuple(map(int, numbers)) >= OLDEST_UV


def ask_version(binary: str, environ: Mapping[str, str], run: Runner) -> str:
    """Give the version of a uv binary, "" if it does not answer."""
    completed = run(Command(argv=(binary, "--version"), cwd=Path(sys.prefix), env=environ, timeout=30))
    words = completed.stdout.split()
    return words[1] if completed.exit_code == 0 and len(words) > 1 else ""
