"""The values of the axis `platform`: which machines they mean, and what packages and markers call them. Pure.

`linux`, `windows` and `macos` are what most jobs run on: x86-64, and Apple's own processors.
"""

from __future__ import annotations

import platform
import sysconfig
from typing import TYPE_CHECKING

from venvgrid.model.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True, kw_only=True)
class Platform:
    """A kind of machine. `target` is its name for uv, `markers` are those of PEP 508 that depend on it."""

    name: str
    target: str
    markers: Mapping[str, str]


_LINUX = {"os_name": "posix", "sys_platform": "linux", "platform_system": "Linux"}
_MACOS = {"os_name": "posix", "sys_platform": "darwin", "platform_system": "Darwin"}
_WINDOWS = {"os_name": "nt", "sys_platform": "win32", "platform_system": "Windows"}
PLATFORMS = {
    name: Platform(name=name, target=target, markers={**markers, "platform_machine": machine})
    for name, target, markers, machine in (
        ("linux", "x86_64-unknown-linux-gnu", _LINUX, "x86_64"),
        ("linux-aarch64", "aarch64-unknown-linux-gnu", _LINUX, "aarch64"),
        ("macos", "aarch64-apple-darwin", _MACOS, "arm64"),
        ("macos-x86_64", "x86_64-apple-darwin", _MACOS, "x86_64"),
        ("windows", "x86_64-pc-windows-msvc", _WINDOWS, "AMD64"),
        ("windows-aarch64", "aarch64-pc-windows-msvc", _WINDOWS, "ARM64"),
    )
}
OTHER_NAMES = {
    "linux-x86_64": "linux",
    "linux-arm64": "linux-aarch64",
    "macos-arm64": "macos",
    "macos-aarch64": "macos",
    "windows-x86_64": "windows",
    "windows-amd64": "windows",
    "windows-arm64": "windows-aarch64",
}
# How names of platforms begin elsewhere, and the value that is probably meant.
MEANT = {"osx": "macos", "mac": "macos", "darwin": "macos", "win": "windows", "ubuntu": "linux", "manylinux": "linux"}
_MACHINES = {"amd64": "x86_64", "x86_64": "x86_64", "arm64": "aarch64", "aarch64": "aarch64"}


def named(tag: str, machine: str = "") -> str:
    """Return the value that a `sysconfig.get_platform()` means: "macos" for "macosx-14.0-arm64".

    A universal build of macOS is as the `machine` that it runs on. A platform that no value means keeps its name.
    """
    if tag in PLATFORMS:
        return tag
    system, _, rest = tag.lower().replace("_", "-", 1 if tag.startswith("win") else 0).partition("-")
    systems = {"linux": "linux", "win": "windows"}
    if system == "macosx":
        system, rest = "macos", rest.rpartition("-")[2]
    kind = _MACHINES.get(rest) or (_MACHINES.get(machine.lower(), "") if rest.startswith("universal") else "")
    name = f"{systems.get(system, system)}-{kind}"
    name = OTHER_NAMES.get(name, name)
    return name if name in PLATFORMS else tag


def here() -> str:
    """Return the value that means this machine, or the name of its platform if none does."""
    return named(sysconfig.get_platform(), platform.machine())
