"""The project's wheel: built once for all cells, or once an interpreter if it is not pure.

A build works on a copy of its own, so that it neither changes the sources nor meets the remains of another build.
Wheels are cached in the user's cache by the digest of what was copied (see `build_copy`). Each has a seal beside it, by
which damage is noticed, and which holds what `read_wheel` found: to parse it again in every run takes time.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import tempfile
from contextlib import suppress
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from venvgrid.model import InstallMode, serialization
from venvgrid.model.values import dataclass
from venvgrid.model.version import __version__
from venvgrid.project import metadata as project
from venvgrid.project.metadata import Metadata, ProjectError
from venvgrid.storage import digests
from venvgrid.storage.atomic import read_sealed, write_sealed

if TYPE_CHECKING:
    import zipfile
    from collections.abc import Callable, Iterable

    from venvgrid.installers.base import Installer
    from venvgrid.model import Interpreter
    from venvgrid.project.build_copy import BuildSources

_TEST_FILE = re.compile(r"test_.*\.py|.*_test\.py")  # as pytest collects
SEAL = ".sealed"  # suffix of the file beside a wheel
WHEEL_FILE = """\
Wheel-Version: 1.0
Generator: venvgrid
Root-Is-Purelib: true
Tag: py2-none-any
Tag: py3-none-any
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wheel:
    """A built wheel. `digest` is that of its contents; `modules` are the top-level names that it installs.

    `tested` is a package of it that has tests of pytest inside, or "".
    """

    path: Path
    metadata: Metadata
    digest: str
    pure: bool
    modules: tuple[str, ...]
    tested: str = ""

    def fits(self, interpreter: Interpreter) -> bool:
        """Return whether it is pure and its tags fit the interpreter."""
        return self.pure and f"py{interpreter.release[0]}" in _python_tags(self.path)


@dataclass(kw_only=True)
class WheelCache:
    """The wheels of one project, built when missing. `folder` is in the user's cache.

    With `shared`, a pure wheel of one interpreter serves all others. With `fresh`, only wheels of this run are used.
    `notify` takes messages for the user.
    """

    sources: BuildSources
    folder: Path
    mode: InstallMode
    installer_for: Callable[[Interpreter], Installer]
    shared: bool = True
    offline: bool = False
    fresh: bool = False
    notify: Callable[[str], None] = lambda _text: None

    def wheel(self, interpreter: Interpreter) -> Wheel:
        """Return a wheel of the sources that fits the interpreter; build it if it is missing or damaged.

        Raises:
            ProjectError: the build failed; the message is the backend's.
        """
        return self._find(interpreter, self.sources.digest) or self._build(interpreter)

    def put(self, wheel: Path, interpreter: Interpreter) -> None:
        """Keep a wheel of the sources that was built elsewhere. Raises ProjectError if it is none, or of another name.

        Only for a cache of one use: it stands for what this machine would build.
        """
        found = read_wheel(wheel)
        seal = {
            "sha256": hashlib.sha256(wheel.read_bytes()).hexdigest(),
            "built-in": str(wheel.parent),
            "venvgrid": __version__,
            "wheel": serialization.to_plain(found),
        }
        target = self.folder / self.sources.digest / self.mode.value / _name(interpreter) / wheel.name
        _store(wheel, target, json.dumps(seal))

    def _find(self, interpreter: Interpreter, digest: str) -> Wheel | None:
        for path in sorted((self.folder / digest / self.mode.value).glob("*/*.whl")):
            is_own = path.parent.name == _name(interpreter)
            if (is_own or self.shared) and (not self.fresh or path in self.sources.built):
                with suppress(ProjectError, OSError):
                    wheel = self._read(path)
                    if is_own or wheel.fits(interpreter):
                        return wheel
        return None

    def _read(self, path: Path) -> Wheel:
        """Read a cached wheel.

        Raises:
            OSError, ProjectError: it has changed since it was built.
        """
        try:
            seal = json.loads(read_sealed(path.with_suffix(SEAL)))
        except ValueError as error:
            raise ProjectError(str(error)) from error
        if seal["sha256"] != hashlib.sha256(path.read_bytes()).hexdigest():
            raise ProjectError(f"{path} is damaged")
        is_known = seal.get("venvgrid") == __version__  # another version may read more, or otherwise
        wheel = replace(serialization.from_plain(Wheel, seal["wheel"]), path=path) if is_known else read_wheel(path)
        requires = tuple(self.sources.original(line, Path(seal["built-in"])) for line in wheel.metadata.requires)
        return replace(wheel, metadata=replace(wheel.metadata, requires=requires))

    def _build(self, interpreter: Interpreter) -> Wheel:
        with tempfile.TemporaryDirectory(prefix="venvgrid-build-", ignore_cleanup_errors=True) as folder:
            before, copy = self.sources.digest, Path(folder, "source")
            source, digest = self.sources.materialise(copy)
            if digest != before:
                self.notify("note: files of the project changed since the run began; it is built as it is now")
            built = Path(folder, "wheel")
            built.mkdir()
            installer = self.installer_for(interpreter)
            via_sdist = self.mode is InstallMode.SDIST
            problem = installer.build_wheel(source, built, interpreter, via_sdist=via_sdist, offline=self.offline)
            wheels = sorted(built.glob("*.whl"))
            if problem or not wheels:
                raise ProjectError(self.sources.original(problem, copy) or "the build backend made no wheel")
            target = self.folder / digest / self.mode.value / _name(interpreter) / wheels[0].name
            seal = {
                "sha256": hashlib.sha256(wheels[0].read_bytes()).hexdigest(),
                "built-in": str(copy),
                "venvgrid": __version__,
                "wheel": serialization.to_plain(read_wheel(wheels[0])),
            }
            _store(wheels[0], target, json.dumps(seal))
        self.sources.built.add(target)
        return self._read(target)


def _store(wheel: Path, target: Path, seal: str) -> None:
    """Move a wheel into the cache: it counts with its seal, and replaces every other wheel of its folder."""
    target.parent.mkdir(parents=True, exist_ok=True)
    for old in target.parent.glob("*.whl"):
        if old.name != target.name:
            old.unlink(missing_ok=True)
    partial = target.parent / f".{wheel.parent.parent.name}"
    shutil.move(wheel, partial)
    partial.replace(target)
    write_sealed(target.with_suffix(SEAL), seal)


def read_wheel(path: Path) -> Wheel:
    """Read the metadata of a wheel file.

    Raises:
        ProjectError: it is damaged.
    """
    import zipfile  # noqa: PLC0415  (a run in which nothing changed opens no wheel)

    metadata = project.wheel_metadata(path)
    with zipfile.ZipFile(path) as archive:
        members = sorted(
            (info.filename, info.CRC, info.file_size, info.external_attr >> 16) for info in archive.infolist()
        )
        names = [name for name, *_ in members]
        text = _member(archive, names, "WHEEL").decode("utf-8", "replace")
        record = _member(archive, names, "RECORD")
    return Wheel(
        path=path,
        metadata=metadata,
        digest=hashlib.blake2b(repr(members).encode() + record, digest_size=16).hexdigest(),
        pure="root-is-purelib: true" in text.lower(),
        modules=_modules(names),
        tested=_tested(names),
    )


def _member(archive: zipfile.ZipFile, names: Iterable[str], name: str) -> bytes:
    found = next((member for member in names if member.endswith(f".dist-info/{name}")), None)
    return archive.read(found) if found else b""


def metadata_wheel(folder: Path, metadata: Metadata) -> Path:
    """Write a wheel that holds only metadata, for a resolver; it is never installed."""
    import zipfile  # noqa: PLC0415

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


def _name(interpreter: Interpreter) -> str:
    kind = ("t" if interpreter.free_threaded else "") + ("d" if interpreter.debug else "")
    place = digests.of_text(interpreter.executable, 8)
    return f"{interpreter.implementation}{interpreter.version}{kind}-{interpreter.platform}-{place}"


def _python_tags(path: Path) -> set[str]:
    from packaging.utils import parse_wheel_filename  # noqa: PLC0415

    return {tag.interpreter for tag in parse_wheel_filename(path.name)[3]}


def _tested(members: Iterable[str]) -> str:
    parts = (PurePosixPath(name).parts for name in members if _TEST_FILE.fullmatch(PurePosixPath(name).name))
    return min((item[0] for item in parts if len(item) > 1 and item[0].isidentifier()), default="")


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
