"""The installer uv: used whenever it is found and supports the interpreter (3.6 or newer)."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
import tomllib
from contextlib import suppress
from dataclasses import field
from pathlib import Path
from typing import TYPE_CHECKING

from venvgrid.config.platforms import PLATFORMS
from venvgrid.installers import progress
from venvgrid.installers.base import (
    BUILD_TIMEOUT,
    INSTALL_TIMEOUT,
    LOCAL,
    RESOLVE_TIMEOUT,
    InstallRequest,
    Resolved,
    ResolveFailed,
    ResolveRequest,
    ResolveResult,
    binary_options,
    direct_url,
    failure,
    requirement_files,
    requirement_lines,
    unfinished,
    without_dates,
    wrong_hash,
)
from venvgrid.model import Distribution, python_releases
from venvgrid.model.values import dataclass
from venvgrid.processes.command import Command
from venvgrid.processes.parallel import Vanguard

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from packaging.pylock import Package

    from venvgrid.model import Interpreter
    from venvgrid.processes.command import Completed, Runner

OLDEST_UV = (0, 8)  # pylock.toml with upload times
PATIENCE = 2.0  # seconds that resolves wait for the first one of a run, which asks the index for the pages of all
# What PyPI itself says: a page holds for ten minutes, a file for ever. Proxies before it may leave this out, and then
# each resolve and each installation asks for every page again.
PYPI = """\
[[index]]
name = "pypi"
url = "https://pypi.org/simple"
default = true
cache-control = { api = "max-age=600", files = "max-age=365000000, immutable" }
"""


def find() -> str | None:
    """Return the path of uv, or None: the one installed beside venvgrid (the extra `uv`), else the one on PATH."""
    try:
        from uv import find_uv_bin  # noqa: PLC0415  (an optional dependency)

        return str(find_uv_bin())
    except (ImportError, FileNotFoundError):
        return shutil.which("uv")


@dataclass(frozen=True, slots=True, kw_only=True)
class Uv:
    """`binary` is the path of uv, `environ` its environment variables, `run` starts it.

    `is_pypi`: no setting names another index than PyPI.
    """

    binary: str
    version: str
    environ: Mapping[str, str]
    run: Runner
    is_pypi: bool = False
    vanguard: Vanguard = field(default_factory=lambda: Vanguard(PATIENCE), compare=False)

    @property
    def name(self) -> str:
        """Return name and version: "uv 0.13.8"."""
        return f"uv {self.version}"

    def knows(self, interpreter: Interpreter) -> bool:
        """Return whether uv can resolve for and install into environments of this interpreter."""
        return interpreter.release >= python_releases.OLDEST_FOR_UV

    def resolve(self, request: ResolveRequest) -> ResolveResult:
        """Resolve with `uv pip compile`; see `installers.Installer`."""
        return self._resolve(request) if request.offline else self.vanguard.call(self._resolve, request)

    def _resolve(self, request: ResolveRequest) -> ResolveResult:
        with requirement_files(request) as here:
            self._configure(here)
            overrides = [f'{name} ; python_version < "0"\n' for name in request.without]
            (here / "overrides.txt").write_text("".join(overrides), encoding="utf-8")
            output = _write_preferences(here, request.prefer) if request.prefer else None
            completed = self._start(_compile_arguments(request, output), cwd=here, timeout=RESOLVE_TIMEOUT)
            text = output.read_text(encoding="utf-8") if output else completed.stdout
        if completed.exit_code == 0:
            return _resolved(text, here, request.cutoff, request.requirements)
        if why := unfinished(completed, "uv pip compile"):
            return ResolveFailed(reason=why)
        from venvgrid.installers import resolver_errors  # noqa: PLC0415  (its patterns take 3 ms)

        if why := resolver_errors.refused_index(completed.stderr):
            return ResolveFailed(reason=why)
        return resolver_errors.from_uv(request, completed.stderr)

    def install(self, request: InstallRequest) -> str:
        """Install with `uv pip install`; see `installers.Installer`.

        Files are copied, not linked: a test that writes into an installed file must not change another environment.
        """
        lines = requirement_lines(request) + [wheel.as_uri() for wheel in request.wheels]
        with tempfile.TemporaryDirectory(prefix="venvgrid-install-") as folder:
            self._configure(Path(folder))
            file = Path(folder, "requirements.txt")
            file.write_text("\n".join(lines) + "\n", encoding="utf-8")
            arguments = ["pip", "install", "--python", str(request.python), "--no-deps", "--link-mode", "copy"]
            arguments += binary_options(request)
            arguments += ["--reinstall"] if request.reinstall else []
            arguments += ["--offline"] if request.offline else []
            arguments += ["-r", str(file)] if lines else []
            arguments += ["--editable", str(request.editable)] if request.editable else []
            completed = self._start(arguments, cwd=Path(folder), timeout=INSTALL_TIMEOUT, supervised=True)
        return failure(completed, "uv pip install")

    def build_wheel(
        self, source: Path, target: Path, interpreter: Interpreter, *, via_sdist: bool, offline: bool
    ) -> str:
        """Build with `uv build`; see `installers.Installer`."""
        arguments = ["build", "--python", interpreter.executable, "--out-dir", str(target)]
        arguments += [] if via_sdist else ["--wheel"]
        arguments += ["--offline"] if offline else []
        arguments += [part for name in _local_names(source) for part in ("--refresh-package", name)]
        arguments += [str(source)]
        completed = self._start(arguments, cwd=source, timeout=BUILD_TIMEOUT, supervised=True)
        return failure(completed, "uv build")

    def _configure(self, folder: Path) -> None:
        """Write the settings of a command that is started in `folder`."""
        if self.is_pypi:
            (folder / "uv.toml").write_text(PYPI, encoding="utf-8")

    def _start(self, arguments: list[str], *, cwd: Path, timeout: float, supervised: bool = False) -> Completed:
        argv = (self.binary, "--no-progress", "--color", "never", *arguments)
        listen = progress.sink()
        return self.run(
            Command(argv=argv, cwd=cwd, env=self.environ, timeout=timeout, supervised=supervised, listen=listen)
        )


def _local_names(source: Path) -> list[str]:
    """Return what a build requires from folders of this machine: uv keeps what it once built of them."""
    with suppress(OSError, ValueError, AttributeError):
        data = tomllib.loads((source / "pyproject.toml").read_text(encoding="utf-8"))
        lines = [line for line in data.get("build-system", {}).get("requires", ()) if isinstance(line, str)]
        return [match["name"] for match in map(LOCAL.match, lines) if match]
    return []


def _write_preferences(folder: Path, prefer: Iterable[Distribution]) -> Path:
    """Write the file in which uv finds the versions to keep, and which it replaces by its answer."""
    packages = (f'[[packages]]\nname = "{item.name}"\nversion = "{item.version}"\n' for item in prefer)
    file = folder / "pylock.toml"
    file.write_text("\n".join(['lock-version = "1.0"\ncreated-by = "venvgrid"\n', *packages]), encoding="utf-8")
    return file


def _resolved(text: str, folder: Path, cutoff: str = "", requirements: Iterable[str] = ()) -> ResolveResult:
    """Return the distributions of uv's output; anything but a valid pylock.toml is a failure.

    uv does not compare the hash of a direct reference.
    """
    from packaging.pylock import PylockValidationError  # noqa: PLC0415  (needed only after a resolve)

    try:
        found = read_pylock(text, folder)
        # Of an index, uv takes no file without a date; to a place of find-links it applies no cut-off date.
        dateless = [item for item in found if cutoff and not (item.direct or item.uploaded)]
        if wrong := wrong_hash(requirements, found):
            return ResolveFailed(reason=wrong)
        return Resolved(distributions=found, notes=without_dates(dateless))
    except (ValueError, PylockValidationError) as error:
        return ResolveFailed(reason=f"uv pip compile printed no valid pylock.toml: {error}")


def read_pylock(text: str, folder: Path) -> tuple[Distribution, ...]:
    """Return the distributions of a pylock.toml, by name; its paths are relative to a folder.

    Raises:
        ValueError: it is not TOML.
        PylockValidationError: it breaks the standard, or an index's package has no version.
    """
    from packaging.pylock import Pylock  # noqa: PLC0415

    # uv 0.8 leaves out an empty list of packages; below 0.13 it writes empty tables where an index has no hashes.
    data = tomllib.loads(text.replace("hashes = {}", 'hashes = { none = "" }'))
    lock = Pylock.from_dict({"packages": [], **data})
    return tuple(_distribution(package, folder) for package in lock.packages)


def _distribution(package: Package, folder: Path) -> Distribution:
    from packaging.pylock import PylockValidationError  # noqa: PLC0415

    archive, vcs, version = package.archive, package.vcs, str(package.version or "")
    if vcs:
        place = vcs.url or _uri(folder, str(vcs.path))
        direct = direct_url(f"{vcs.type}+{place}@{vcs.commit_id}", vcs.subdirectory)
        return Distribution(name=package.name, version=version, direct=direct)
    if archive:
        hashes = tuple(f"{name}:{value}" for name, value in archive.hashes.items() if value and name != "none")
        direct = direct_url(archive.url or _uri(folder, str(archive.path)), archive.subdirectory)
        return Distribution(name=package.name, version=version, hashes=hashes, direct=direct)
    if package.directory:
        return Distribution(name=package.name, version=version, direct=_uri(folder, package.directory.path))
    if not version:
        raise PylockValidationError(f"{package.name} has no version")
    files = [*(package.wheels or ()), *([package.sdist] if package.sdist else ())]
    return Distribution(
        name=package.name,
        version=version,
        hashes=tuple(sorted(f"sha256:{file.hashes['sha256']}" for file in files if "sha256" in file.hashes)),
        uploaded=max((file.upload_time.isoformat() for file in files if file.upload_time), default=""),
    )


def _uri(folder: Path, path: str) -> str:
    return Path(os.path.normpath(folder / path)).as_uri()


def _compile_arguments(request: ResolveRequest, output: Path | None = None) -> list[str]:
    arguments = ["pip", "compile", "requirements.txt", "--format", "pylock.toml", "--no-header", "--quiet"]
    arguments += ["--constraints", "constraints.txt"]
    arguments += ["--output-file", output.name] if output else []
    arguments += ["--overrides", "overrides.txt"] if request.without else []
    if request.interpreter.executable:
        arguments += ["--python", request.interpreter.executable]
    else:  # a surrogate: uv takes the tags and markers of its version on this platform
        arguments += ["--python", sys.executable, "--python-version", request.interpreter.version]
    if request.interpreter.elsewhere:
        arguments += ["--python-platform", PLATFORMS[request.interpreter.platform].target]
    arguments += ["--resolution", request.resolution.value]
    arguments += binary_options(request)
    arguments += ["--prerelease", "allow"] if request.pre_releases else []
    arguments += ["--exclude-newer", request.cutoff] if request.cutoff else []
    arguments += [] if request.dependencies else ["--no-deps"]
    arguments += ["--offline"] if request.offline else ["--refresh"] if request.refresh else []
    return arguments


def is_supported(version: str) -> bool:
    """Return whether this version of uv is new enough."""
    numbers = version.split(".")[:2]
    return all(part.isdigit() for part in numbers) and tuple(map(int, numbers)) >= OLDEST_UV


def ask_version(binary: str, environ: Mapping[str, str], run: Runner) -> str:
    """Return the version of a uv binary, or "" if it does not run."""
    completed = run(Command(argv=(binary, "--version"), cwd=Path(sys.prefix), env=environ, timeout=30))
    words = completed.stdout.split()
    return words[1] if completed.exit_code == 0 and len(words) > 1 else ""
