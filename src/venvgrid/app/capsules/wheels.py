"""Complete capsules: an archive of a capsule, its wheels and the project's, for a machine without a network."""

from __future__ import annotations

import io
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from venvgrid.app.capsules import plain
from venvgrid.model import InstallMode
from venvgrid.processes.diagnosis import headline
from venvgrid.project.metadata import ProjectError
from venvgrid.resolving import index_settings
from venvgrid.results.capsules import archives, capsule

if TYPE_CHECKING:
    from venvgrid.app.context import RunContext
    from venvgrid.model import LockEntry
    from venvgrid.results.capsules.capsule import Capsule

REQUIREMENTS = "requirements.txt"


def fetch(context: RunContext, entry: LockEntry, folder: Path) -> dict[str, Path] | None:
    """Return the files of a complete capsule by their names in it; None if it cannot be complete, which is told.

    Wheels of a lock entry are downloaded once, into a folder below `folder`.
    """
    target = folder / entry.key
    if not target.exists():
        target.mkdir()
        indexes = index_settings.addresses(context.machine.environ, Path.home())
        problem = context.machine.tools.pip.download(entry.distributions, target, entry.interpreter, indexes)
        if problem:
            (target / "incomplete").write_text(headline(problem), encoding="utf-8")
    if (target / "incomplete").exists():
        why = (target / "incomplete").read_text(encoding="utf-8")
        context.front.notify(f"warning: a capsule has no wheels: {context.machine.redactor.text(why)}")
        return None
    found = {f"{archives.WHEELS}{file.name}": file for file in sorted(target.glob("*.whl"))}
    if context.config.project.install in {InstallMode.WHEEL, InstallMode.SDIST}:
        try:
            wheel = context.project_wheels.wheel(entry.interpreter).path
        except (ProjectError, OSError) as error:
            context.front.notify(f"warning: a capsule has no wheels: {headline(str(error))}")
            return None
        found[f"{archives.PROJECT}{wheel.name}"] = wheel
    size = sum(file.stat().st_size for file in found.values())
    if size > archives.MAX_ARCHIVE - capsule.MAX_READ:
        context.front.notify(f"warning: a capsule has no wheels: they have {size:,} bytes")
        return None
    return found


def packed(made: Capsule, files: dict[str, Path]) -> bytes:
    """Return the archive of a capsule and its files; equal contents are equal bytes."""
    complete = replace(made, plain=plain.commands(made, has_wheels=True))
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        _add(archive, archives.INSIDE, capsule.render(complete))
        _add(archive, REQUIREMENTS, made.requirements.encode("utf-8"))
        for name, file in sorted(files.items()):
            _add(archive, name, file.read_bytes())
    return buffer.getvalue()


def _add(archive: zipfile.ZipFile, name: str, content: bytes) -> None:
    info = zipfile.ZipInfo(name)  # its date is fixed
    info.external_attr = 0o644 << 16
    archive.writestr(info, content)
