"""Editable installations for Pythons whose tools have none: PEP 660 needs setuptools 64, which needs Python 3.7.

The wheel of the project is built as for any cell. An editable one is made of it: with its metadata and scripts, and in
place of its modules a .pth file that names the folders of the checkout that hold them.
"""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import zipfile
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

USUAL = ("src", ".", "lib", "python")  # folders of a checkout that hold its modules, in the order of the search
COMPILED = (".so", ".pyd", ".dll", ".dylib")


class NotEditableError(Exception):
    """The modules of a wheel are not in the checkout; the message names one of them."""


def make(wheel: Path, project: Path, target: Path) -> Path:
    """Make the editable wheel in the folder `target` and return its path.

    Raises:
        NotEditableError: a module is generated or compiled by the build, or comes from another folder.
        OSError, zipfile.BadZipFile: a file cannot be read or written.
    """
    with zipfile.ZipFile(wheel) as archive:
        content = {name: archive.read(name) for name in archive.namelist() if not name.endswith("/")}
    (info,) = {name.split("/")[0] for name in content if name.split("/")[0].endswith(".dist-info")}
    modules = list(filter(None, (_module(name, info) for name in content)))
    for name in modules:
        if name.endswith(COMPILED):
            raise NotEditableError(f"{name} is compiled by the build")
    folders = folders_of(modules, project)
    kept = {
        name: data
        for name, data in content.items()
        if (name.startswith(f"{info}/") and name != f"{info}/RECORD") or _is_data(name)
    }
    kept[f"__editable__.{info.removesuffix('.dist-info')}.pth"] = "".join(f"{item}\n" for item in folders).encode()
    path = target / wheel.name
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as made:
        for name, data in kept.items():
            made.writestr(name, data)
        made.writestr(f"{info}/RECORD", _record(kept, info))
    return path


def folders_of(modules: Iterable[str], project: Path) -> list[Path]:
    """Return the folders of a checkout from which the modules of a wheel, paths with "/", are imported.

    Raises:
        NotEditableError: none of its folders has a module.
    """
    others = sorted(item.name for item in project.iterdir() if item.is_dir() and not item.name.startswith("."))
    candidates = [project / name for name in dict.fromkeys((*USUAL, *others)) if (project / name).is_dir()]
    found: dict[Path, None] = {}
    for name in modules:
        place = next((folder for folder in [*found, *candidates] if (folder / name).is_file()), None)
        if place is None:
            raise NotEditableError(f"{name} is not in a folder of {project}")
        found[place] = None
    return list(found)


def _module(name: str, info: str) -> str:
    """Return the path of an installed module, relative to the folder that is on sys.path; "" for any other file."""
    if name.startswith(f"{info}/") or not name.endswith((".py", *COMPILED)):
        return ""
    parts = name.split("/")
    if parts[0].endswith(".data"):
        return "/".join(parts[2:]) if parts[1] in {"purelib", "platlib"} else ""
    return name


def _is_data(name: str) -> bool:
    """Whether a file of a wheel is a script or data, which are installed elsewhere than modules."""
    parts = name.split("/")
    return parts[0].endswith(".data") and parts[1] not in {"purelib", "platlib"}


def _record(content: dict[str, bytes], info: str) -> str:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    for name, data in content.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
        writer.writerow([name, f"sha256={digest}", len(data)])
    writer.writerow([f"{info}/RECORD", "", ""])
    return out.getvalue()
