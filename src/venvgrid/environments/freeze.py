"""Writes the content of an environment as a requirements.txt."""

from __future__ import annotations

from pathlib import Path

from venvgrid.environments.manifest import read_marker
from venvgrid.environments.package_cache.facts import digest_of
from venvgrid.model import InfrastructureError


def freeze(path: Path) -> str:
    """Return a requirements.txt, with hashes, from which pip or uv recreates the environment; the project is a path.

    Raises:
        InfrastructureError: the environment is not whole.
    """
    marker = read_marker(path)
    if marker is None:
        raise InfrastructureError(f"{path} is not a whole environment")
    lines = [f"# Python {marker.python}; made by venvgrid env freeze"]
    is_hashed = all(hashes for _, _, hashes, _ in marker.distributions) and not marker.editable
    for name, version, hashes, direct in marker.distributions:
        requirement = f"{name} @ {direct}" if direct else f"{name}=={version}"
        lines.append(_with_hashes(requirement, hashes if is_hashed else []))
    if marker.wheel:
        hashes = [f"sha256:{digest_of(marker.wheel)}"] if is_hashed else []
        lines.append(_with_hashes(f"{marker.name} @ {Path(marker.wheel).as_uri()}", hashes))
    if marker.editable:
        lines.append(f"--editable {marker.editable}")
    return "\n".join(lines) + "\n"


def _with_hashes(requirement: str, hashes: list[str]) -> str:
    return " \\\n    ".join([requirement, *(f"--hash={value}" for value in hashes)])
