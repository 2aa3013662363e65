"""Pythons in the Windows registry (PEP 514)."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

RESERVED = "PyLauncher"


def registered(registry: Any = None) -> Iterator[Path]:
    """Yield every registered executable, whether it exists or not. `registry` stands in for the module winreg."""
    if registry is None:
        try:
            registry = importlib.import_module("winreg")
        except ImportError:  # not Windows
            return
    views = (
        (registry.HKEY_CURRENT_USER, 0),
        (registry.HKEY_LOCAL_MACHINE, registry.KEY_WOW64_64KEY),
        (registry.HKEY_LOCAL_MACHINE, registry.KEY_WOW64_32KEY),
    )
    for hive, view in views:
        yield from _pythons(registry, hive, view)


def _pythons(registry: Any, hive: Any, view: int) -> Iterator[Path]:
    access = registry.KEY_READ | view
    root = r"Software\Python"
    for company in _keys(registry, hive, root, access):
        if company == RESERVED:
            continue
        for tag in _keys(registry, hive, rf"{root}\{company}", access):
            if executable := _executable(registry, hive, rf"{root}\{company}\{tag}\InstallPath", access):
                yield executable


def _keys(registry: Any, hive: Any, path: str, access: int) -> list[str]:
    names: list[str] = []
    try:
        with registry.OpenKeyEx(hive, path, 0, access) as key:
            while True:  # the end is an OSError as well
                names.append(registry.EnumKey(key, len(names)))
    except OSError:
        return names


def _executable(registry: Any, hive: Any, path: str, access: int) -> Path | None:
    try:
        key = registry.OpenKeyEx(hive, path, 0, access)
    except OSError:
        return None
    with key:
        for name, suffix in (("ExecutablePath", ""), (None, "python.exe")):
            try:
                value = registry.QueryValueEx(key, name)[0]
            except OSError:
                continue
            if isinstance(value, str) and value:
                return Path(value) / suffix if suffix else Path(value)
    return None
