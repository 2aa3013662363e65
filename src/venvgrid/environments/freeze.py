"""Writes the content of an environment as a requirements.txt."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from venvgrid.environments import store
from venvgrid.environments.package_cache.links import digest_of


def freeze(path: Path) -> str:
    """Give a requirements.txt, with hashes, from which pip or uv makes the environment again; the project is a path."""
    marker = store.read_marker(path) or {}
    distributions: Any = marker.get("distributions", [])
    lines = [f"# Python {marker.get('python')}; made by venvgrid env freeze"]
    hashed = all(hashes for _, _, hashes, _ in distributions) and not marker.get("editable")
    for name, version, hashes, direct in distributions:
        requirement = f"{name} @ {direct}" if direct else f"{name}=={version}"
        lines.append(_with_hashes(requirement, hashes if hashed else []))
    wheel = str(marker.get("wheel") or "")
    if wheel:
        digest = digest_of(wheel)
        lines.append(_with_hashes(f"{marker['name']} @ {Path(wheel).as_uri()}", [f"sha256:{digest}"] if hashed else []))
    if marker.get("editable"):
        lines.append(f"--editable {marker['editable']}")
    return "\n".join(lines) + "\n"


def _with_hashes(requirement: str, hashes: list[str]) -> str:
    return " \\\n    ".join([requirement, *(f"--hash={value}" for value in hashes)])
