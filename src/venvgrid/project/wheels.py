"""The project's wheel: built once for all cells, or once an interpreter if it is not pure.

A build works on a private copy of the sources, so that it neither changes them nor collides with another build. Wheels
are cached in the user's cache by the digest of the sources.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import zipfile
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from venvgrid.model import InstallMode
from venvgrid.project import metadata as project
from venvgrid.project import sources
from venvgrid.project.metadata import Metadata, ProjectError
from venvgrid.storage import digests

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from venvgrid.installers.base import Installer
    from venvgrid.model import Interpreter


WHEEL_FILE = """\
Wheel-Version: 1.0
Generator: venvgrid
Root-Is-Purelib: true
Tag: py2-none-any
Tag: py3-none-any
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wheel:
    """A built wheel. `digest` is that of its contents; `modules` are the top-level names that it installs."""

    path: Path
    metadata: Metadata
    digest: str
    pure: bool
    modules: tuple[str, ...]

    def fits(self, interpreter: Interpreter) -> bool:
        """Return whether it is pure and its tags fit the interpreter."""
        return self.pure and f"py{interpreter.release[0]}" in _python_tags(self.path)


@dataclass(frozen=True, slots=True, kw_only=True)
class WheelCache:
    """The wheels of one project, built when missing. `folder` is in the user's cache."""

    source: Path
    folder: Path
    mode: InstallMode
    installer_for: Callable[[Interpreter], Installer]
    offline: bool = False

    def wheel(self, interpreter: Interpreter, digest: str) -> Wheel:
        """Return a wheel that fits the interpreter for the sources with this digest; build it if it is missing.

        Raises:
            ProjectError: the build failed; the message is the backend's.
        """
        wheel_cache = self.folder / digest / self.mode.value
        for path in sorted(wheel_cache.glob("*/*.whl")):
            with suppress(ProjectError):
                wheel = read_wheel(path)
                if wheel.fits(interpreter) or path.parent.name == _name(interpreter):
                    return wheel
        return read_wheel(self._build(interpreter, wheel_cache / _name(interpreter)))

    def _build(self, interpreter: Interpreter, target: Path) -> Path:
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix="venvgrid-build-") as folder:
            source = self.source if _builds_in_place(self.source) else copy_sources(self.source, Path(folder, "source"))
            built = Path(folder, "wheel")
            built.mkdir()
            installer = self.installer_for(interpreter)
            via_sdist = self.mode is InstallMode.SDIST
            problem = installer.build_wheel(source, built, interpreter, via_sdist=via_sdist, offline=self.offline)
            wheels = sorted(built.glob("*.whl"))
            if problem or not wheels:
                raise ProjectError(problem.replace(str(source), str(self.source)) or "the build backend made no wheel")
            target.mkdir(exist_ok=True)
            partial = target / f".{Path(folder).name}"
            shutil.move(wheels[0], partial)
            return partial.replace(target / wheels[0].name)


def read_wheel(path: Path) -> Wheel:
    """Read the metadata of a wheel file.

    Raises:
        ProjectError: it is damaged.
    """
    metadata = project.wheel_metadata(path)
    with zipfile.ZipFile(path) as archive:
        members = sorted((info.filename, info.CRC, info.file_size) for info in archive.infolist())
        wheel_file = next((name for name, _, _ in members if name.endswith(".dist-info/WHEEL")), None)
        text = archive.read(wheel_file).decode("utf-8", "replace") if wheel_file else ""
    return Wheel(
        path=path,
        metadata=metadata,
        digest=digests.of_text(repr(members)),
        pure="root-is-purelib: true" in text.lower(),
        modules=_modules(name for name, _, _ in members),
    )


def metadata_wheel(folder: Path, metadata: Metadata) -> Path:
    """Write a wheel that holds only metadata, for a resolver; it is never installed."""
    from packaging.utils import canonicalize_name  # noqa: PLC0415

    lines = ["Metadata-Version: 2.1", f"Name: {metadata.name}", f"Version: {metadata.version}"]
    lines += [f"Requires-Python: {metadata.requires_python}"] if metadata.requires_python else []
    lines += [f"Provides-Extra: {extra}" for extra in metadata.extras]
    lines += [f"Requires-Dist: {requirement}" for requirement in metadata.requires]
    text = "\n".join(lines) + "\n"
    stem = f"{canonicalize_name(metadata.name).replace('-', '_')}-{metadata.version}"
    target = folder / digests.of_text(text) / f"{stem}-py2.py3-none-any.whl"
    if target.is_file():
        return target
    target.parent.mkdir(parents=True, exist_ok=True)
    handle, partial = tempfile.mkstemp(dir=target.parent)
    with os.fdopen(handle, "wb") as stream, zipfile.ZipFile(stream, "w") as archive:
        # Dates of members are fixed: the same metadata are the same file.
        for name, content in {
            "METADATA": text,
            "WHEEL": WHEEL_FILE,
            "RECORD": "".join(f"{stem}.dist-info/{part},,\n" for part in ("METADATA", "WHEEL", "RECORD")),
        }.items():
            archive.writestr(zipfile.ZipInfo(f"{stem}.dist-info/{name}"), content)
    return Path(partial).replace(target)


def copy_sources(source: Path, target: Path) -> Path:
    """Copy the source files, and the repository if the version comes from it, into a new folder."""
    for file in sources.source_files(source):
        copy = target / file.relative_to(source)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(file, copy, follow_symlinks=False)
    target.mkdir(exist_ok=True)
    if sources.reads_history(source) and (source / ".git").exists():
        if (source / ".git").is_dir():
            shutil.copytree(source / ".git", target / ".git", symlinks=True)
        else:
            shutil.copy2(source / ".git", target / ".git")
    return target


def _builds_in_place(source: Path) -> bool:
    """Return whether the version comes from a repository above the project, which a copy would not find."""
    return sources.reads_history(source) and not (source / ".git").exists()


def _name(interpreter: Interpreter) -> str:
    kind = ("t" if interpreter.free_threaded else "") + ("d" if interpreter.debug else "")
    place = digests.of_text(interpreter.executable, 8)
    return f"{interpreter.implementation}{interpreter.version}{kind}-{interpreter.platform}-{place}"


def _python_tags(path: Path) -> set[str]:
    from packaging.utils import parse_wheel_filename  # noqa: PLC0415

    return {tag.interpreter for tag in parse_wheel_filename(path.name)[3]}


def _modules(members: Iterable[str]) -> tuple[str, ...]:
    found = set()
    for name in members:
        parts = PurePosixPath(name).parts
        if len(parts) > 2 and parts[0].endswith(".data") and parts[1] in {"purelib", "platlib"}:  # noqa: PLR2004
            parts = parts[2:]
        top = parts[0]
        if len(parts) > 1 and not top.endswith((".dist-info", ".data")) and top.isidentifier():
            found.add(top)
        elif len(parts) == 1 and top.endswith((".py", ".so", ".pyd")) and top.split(".")[0].isidentifier():
            found.add(top.split(".")[0])
    return tuple(sorted(found))
