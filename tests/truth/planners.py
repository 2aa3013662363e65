"""An index with one distribution for each way to be impossible, and plans of cells that use it."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import rig
import wheels

from venvgrid.app.context import RunContext
from venvgrid.app.options import FrontEnd, RunOptions
from venvgrid.app.plan import make_plan
from venvgrid.app.resolution import resolve
from venvgrid.config import loading

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from venvgrid.model import Status


def served() -> wheels.Index:
    """Return an index with one distribution for each way to be impossible."""
    index = wheels.Index()

    def add(name: str, version: str, *requires: str, attributes: str = "") -> None:
        lines = "".join(f"Requires-Dist: {line}\n" for line in requires)
        metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{lines}"
        index.add(
            name, version, wheels.wheel(name, version, {f"{name}.py": b""}, metadata=metadata), attributes=attributes
        )

    for name, version in (
        ("sdistonly", "1.0"),
        ("early", "1.5"),
        ("early", "2.0b1"),
        ("mixed", "2.0"),
        ("builder", "4.3.4"),
    ):
        index.add(name, version, wheels.sdist(name, version, {"setup.py": b""}), kind="sdist")
    add("toy", "1.0")
    add("toy", "2.0rc1")
    add("mixed", "1.0")
    add("needsdist", "1.0", "sdistonly")
    add("needearly", "1.0", "early>=1")
    add("newpy", "1.0")
    add("newpy", "2.0", attributes='data-requires-python="&gt;=3.99"')
    add("neednew", "1.0", "newpy>=2")
    add("pulled", "1.0")
    add("pulled", "2.0", attributes='data-yanked="broken"')
    add("certi", "2020.1")
    add("certi", "2024.1")
    add("builder", "4.3.5", "certi>=2024")
    add("needgone", "1.0", "gone>=2")
    return index


@dataclass(frozen=True)
class Planner:
    """Plans cells with an index; `folder` takes the project and all caches."""

    index: wheels.Index
    folder: Path
    variables: Mapping[str, str] = field(default_factory=dict)

    def __call__(self, by: str, axes: str, install: str = "", *, offline: bool = False) -> list[tuple[Status, str]]:
        """Return status and reason of each cell."""
        lines = f"""
            [project]
            install = "none"
            [install]
            {install if "requires" in install else "requires = []"}
            {"" if "requires" in install else install}
            [axes]
            python = ["{rig.HERE}"]
        """
        text = textwrap.dedent(lines) + axes + "\n"
        config = loading.parse(text, file=self.folder / "matrix.toml")
        environ = rig.environment(
            self.folder / "cache",
            UV_DEFAULT_INDEX=self.index.address,
            PIP_INDEX_URL=self.index.address,
            UV_CACHE_DIR=str(self.folder / "uv"),
            UV_HTTP_RETRIES="0",
            VENVGRID_INSTALLER=by,
            PIP_CONFIG_FILE="/dev/null",
            PIP_EXTRA_INDEX_URL="",
            PIP_FIND_LINKS="",
        )
        environ |= self.variables
        front = FrontEnd(environ=environ, notify=lambda _text: None)
        context = RunContext(config=config, options=RunOptions(offline=offline), front=front)
        return [(item.status, item.reason) for item in resolve(context, make_plan(context)).plan.cells]
