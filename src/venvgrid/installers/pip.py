"""The installer pip: used without uv, and for Python 2.7, which uv cannot query.

pip is never installed into an environment. The pip that virtualenv bundles runs from outside, with the interpreter of
the environment: `python pip-26.3/pip …`.
"""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from venvgrid.installers import progress
from venvgrid.installers.base import (
    BUILD_TIMEOUT,
    INSTALL_TIMEOUT,
    METADATA,
    RESOLVE_TIMEOUT,
    InstallRequest,
    Resolved,
    ResolveFailed,
    ResolveRequest,
    ResolveResult,
    binary_options,
    direct_url,
    failure,
    locked_lines,
    requirement_files,
    requirement_lines,
    unfinished,
    without_dates,
)
from venvgrid.model import Distribution, Resolution, python_releases
from venvgrid.model.values import dataclass
from venvgrid.processes.command import Command

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from venvgrid.model import Interpreter
    from venvgrid.processes.command import Completed, Runner

HAS_REPORT = (22, 2)  # pip install --dry-run --report
HAS_CUTOFF = (26, 0)  # pip install --uploaded-prior-to
QUIET = ("--disable-pip-version-check", "--no-input", "--no-color")


@dataclass(frozen=True, slots=True, kw_only=True)
class Pip:
    """`folder_for` returns the folder pip-VERSION for an interpreter; `downloads` caches the downloads of old pips."""

    folder_for: Callable[[Interpreter], Path]
    downloads: Path
    environ: Mapping[str, str]
    run: Runner

    @property
    def name(self) -> str:
        """Return "pip": its version follows from the interpreter."""
        return "pip"

    def resolve(self, request: ResolveRequest) -> ResolveResult:
        """Resolve with `pip install --dry-run`, or `pip download` for older pips; see `installers.Installer`."""
        if request.interpreter.elsewhere:
            return ResolveFailed(reason=_elsewhere(request), is_open=True)
        if request.resolution is not Resolution.HIGHEST:
            return ResolveFailed(
                reason=f'pip cannot resolve "{request.resolution}"; install uv: pip install "venvgrid[uv]"'
            )
        if request.without:
            return ResolveFailed(reason="pip cannot ignore the requirements of dependencies")
        kept = tuple(f"{item.name}=={item.version}" for item in request.prefer)
        request = replace(request, constraints=(*request.constraints, *kept))
        version = pip_version(self.folder_for(request.interpreter))
        notes: tuple[str, ...] = ()
        if request.cutoff and version < HAS_CUTOFF:
            notes = (f"as-of was not applied: pip {version[0]}.{version[1]} knows no cut-off date",)
        with requirement_files(request) as here:
            result = self._dry_run(request, here, version) if version >= HAS_REPORT else self._download(request, here)
        return result if isinstance(result, ResolveFailed) else replace(result, notes=(*notes, *result.notes))

    def install(self, request: InstallRequest) -> str:
        """Install with pip from outside the environment; see `installers.Installer`."""
        lines = requirement_lines(request)
        common = ["install", *QUIET, "--no-deps", "--no-compile", "--no-warn-script-location"]
        common += ["--find-links", str(self.downloads)] if self.downloads.is_dir() else []
        common += ["--no-index"] if request.offline else []
        problem = ""
        with tempfile.TemporaryDirectory(prefix="venvgrid-install-") as folder:
            # One hash makes pip ask for all, and a commit has none: those without are installed on their own.
            hashed = [line for line in lines if " --hash=" in line]
            for some in (hashed, [line for line in lines if line not in hashed]):
                if some and not problem:
                    file = Path(folder, "requirements.txt")
                    file.write_text("\n".join(some) + "\n", encoding="utf-8")
                    options = [*binary_options(request), *(["--use-pep517"] if request.source_builds else [])]
                    problem = self._install([*common, *options, "-r", str(file)], request, Path(folder))
            if request.wheels and not problem:
                options = ["--force-reinstall"] if request.reinstall else []
                options += [wheel.as_uri() for wheel in request.wheels]
                problem = self._install([*common, *options], request, Path(folder))
            if request.editable and not problem:
                problem = self._install([*common, "--editable", str(request.editable)], request, Path(folder))
        return problem

    def build_wheel(
        self, source: Path, target: Path, interpreter: Interpreter, *, via_sdist: bool, offline: bool
    ) -> str:
        """Build with `pip wheel`; see `installers.Installer`. pip builds no sdist: the wheel comes from the sources."""
        del via_sdist
        arguments = ["wheel", *QUIET, "--no-deps", "--use-pep517", "--wheel-dir", str(target), source.as_uri()]
        arguments += ["--no-index"] if offline else []
        completed = self._start(interpreter, interpreter.executable, arguments, source, BUILD_TIMEOUT, supervised=True)
        return _failure(completed, "pip wheel")

    def download(
        self, distributions: tuple[Distribution, ...], target: Path, interpreter: Interpreter, indexes: tuple[str, ...]
    ) -> str:
        """Download the wheels of locked distributions, each with one of its hashes; return "" or why not."""
        with tempfile.TemporaryDirectory(prefix="venvgrid-download-") as folder:
            file = Path(folder, "requirements.txt")
            file.write_text("".join(f"{line}\n" for line in locked_lines(distributions)), encoding="utf-8")
            arguments = ["download", *QUIET, "--no-deps", "--require-hashes", "--only-binary", ":all:"]
            arguments += ["--dest", str(target), "-r", str(file)]
            # Addresses may hold passwords, which everybody can read in the arguments of a process.
            env = {**self.environ, "PIP_EXTRA_INDEX_URL": " ".join(indexes)} if indexes else self.environ
            pip = replace(self, environ=env)
            completed = pip._start(interpreter, interpreter.executable, arguments, Path(folder), INSTALL_TIMEOUT)  # noqa: SLF001
        return _failure(completed, "pip download")

    def _dry_run(self, request: ResolveRequest, here: Path, version: tuple[int, int]) -> ResolveResult:
        arguments = ["install", *QUIET, "--progress-bar", "off", "--dry-run", "--ignore-installed"]
        arguments += ["--report", "report.json", "-r", "requirements.txt", "-c", "constraints.txt"]
        arguments += [*binary_options(request), *(["--pre"] if request.pre_releases else [])]
        arguments += ["--uploaded-prior-to", request.cutoff] if request.cutoff and version >= HAS_CUTOFF else []
        arguments += [] if request.dependencies else ["--no-deps"]
        arguments += ["--no-index"] if request.offline else []
        completed = self._start(request.interpreter, request.interpreter.executable, arguments, here, RESOLVE_TIMEOUT)
        if completed.exit_code == 0:
            report = (here / "report.json").read_text(encoding="utf-8")
            found = read_report(report)
            local = _from_folders(report) if request.cutoff else frozenset()
            return Resolved(distributions=found, notes=without_dates(item for item in found if item.name in local))
        return _failed_resolve(request, completed)

    def _download(self, request: ResolveRequest, here: Path) -> ResolveResult:
        completed = self._downloaded(request, here)
        if completed.exit_code == 0 and request.dependencies and not _is_consistent(request, here):
            shutil.rmtree(here / "files")
            completed = self._downloaded(request, here, "--use-feature=2020-resolver")
        if completed.exit_code != 0:
            return _failed_resolve(request, completed)
        lines = [line for line in request.requirements if "file://" in line and METADATA in line]
        ours = {Path(line.rpartition("/")[2]).name for line in lines}
        found = [file for file in sorted((here / "files").iterdir()) if file.name not in ours]
        distributions = tuple(_from_file(file) for file in found)
        self.downloads.mkdir(parents=True, exist_ok=True)
        for file in found:
            partial = self.downloads / f".{here.name}-{file.name}"
            shutil.move(file, partial)
            partial.replace(self.downloads / file.name)
        return Resolved(distributions=distributions)

    def _downloaded(self, request: ResolveRequest, here: Path, *more: str) -> Completed:
        arguments = ["download", *QUIET, "--dest", "files", "-r", "requirements.txt", "-c", "constraints.txt", *more]
        arguments += [*binary_options(request), *(["--pre"] if request.pre_releases else [])]
        arguments += [] if request.dependencies else ["--no-deps"]
        arguments += ["--no-index", "--find-links", str(self.downloads)] if request.offline else []
        return self._start(request.interpreter, request.interpreter.executable, arguments, here, RESOLVE_TIMEOUT)

    def _install(self, arguments: list[str], request: InstallRequest, cwd: Path) -> str:
        python = str(request.python)
        completed = self._start(request.interpreter, python, arguments, cwd, INSTALL_TIMEOUT, supervised=True)
        return _failure(completed, "pip install")

    def _start(
        self,
        interpreter: Interpreter,
        python: str,
        arguments: list[str],
        cwd: Path,
        timeout: float,
        *,
        supervised: bool = False,
    ) -> Completed:
        argv = (python, str(self.folder_for(interpreter) / "pip"), *arguments)
        listen = progress.sink()
        return self.run(
            Command(argv=argv, cwd=cwd, env=self.environ, timeout=timeout, supervised=supervised, listen=listen)
        )


def pip_version(folder: Path) -> tuple[int, int]:
    """Return (major, minor) from the name of pip's folder: pip-20.3.4."""
    major, minor = folder.name.split("-")[1].split(".")[:2]
    return int(major), int(minor)


def read_report(text: str) -> tuple[Distribution, ...]:
    """Return the distributions of pip's installation report, by name."""
    from packaging.utils import canonicalize_name  # noqa: PLC0415

    found = []
    for item in json.loads(text)["install"]:
        info = item["download_info"]
        hashes = info.get("archive_info", {}).get("hashes", {})
        found.append(
            Distribution(
                name=canonicalize_name(item["metadata"]["name"]),
                version=item["metadata"]["version"],
                hashes=tuple(f"{name}:{value}" for name, value in hashes.items() if name == "sha256"),
                direct=_direct(info) if item.get("is_direct") else "",
            ),
        )
    return tuple(sorted(found, key=lambda distribution: distribution.name))


def _direct(info: dict[str, Any]) -> str:
    """Return the URL of a direct reference with its commit and folder, as pip and uv read it."""
    vcs = info.get("vcs_info")
    url = f"{vcs['vcs']}+{info['url']}@{vcs['commit_id']}" if vcs else str(info["url"])
    return direct_url(url, info.get("subdirectory"))


def _is_consistent(request: ResolveRequest, here: Path) -> bool:
    from venvgrid.installers import consistency  # noqa: PLC0415  (Python 2.7 alone needs it)

    return consistency.is_consistent((here / "files").iterdir(), request.requirements, request.interpreter.markers)


def _from_folders(report: str) -> frozenset[str]:
    """Return the names of the distributions that pip found in folders of find-links."""
    from packaging.utils import canonicalize_name  # noqa: PLC0415

    found = (item for item in json.loads(report)["install"] if not item.get("is_direct"))
    local = (item["metadata"]["name"] for item in found if item["download_info"]["url"].startswith("file:"))
    return frozenset(map(canonicalize_name, local))


def _from_file(file: Path) -> Distribution:
    from packaging.utils import parse_sdist_filename, parse_wheel_filename  # noqa: PLC0415

    if file.suffix == ".whl":
        name, version, _, _ = parse_wheel_filename(file.name)
    else:
        name, version = parse_sdist_filename(file.name)
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    return Distribution(name=name, version=str(version), hashes=(f"sha256:{digest}",))


def _failed_resolve(request: ResolveRequest, completed: Completed) -> ResolveResult:
    if why := unfinished(completed, "pip"):
        return ResolveFailed(reason=why)
    from venvgrid.installers import resolver_errors  # noqa: PLC0415  (its patterns take 3 ms)

    return resolver_errors.from_pip(request, completed.stdout + "\n" + completed.stderr)


def _failure(completed: Completed, name: str) -> str:
    output = re.sub(r"^(?:DEPRECATION|WARNING|Looking in links).*\n?", "", completed.stderr, flags=re.MULTILINE)
    return failure(replace(completed, stderr=output), name)


def _elsewhere(request: ResolveRequest) -> str:
    """Return why pip cannot answer: it evaluates markers for this machine, and builds what has no wheel."""
    of, python = request.interpreter.platform, request.interpreter.version
    way = 'install uv: pip install "venvgrid[uv]"'
    if request.interpreter.release < python_releases.OLDEST_FOR_UV:
        way = f"uv does not know Python {python}"
    why = "it takes markers and source builds for those of this machine"
    return f"pip cannot resolve Python {python} for {of}: {why}; {way}"
