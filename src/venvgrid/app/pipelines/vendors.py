"""The vendors: where each looks for its pipeline, and what ours is made of there."""

from __future__ import annotations

from dataclasses import field
from types import MappingProxyType
from typing import TYPE_CHECKING

from venvgrid.model.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True, kw_only=True)
class Vendor:
    """A vendor of CI.

    `file` is where it looks for a pipeline, relative to the repository. `counts` says what of its limits the shards and
    the `others`, jobs besides them, are counted in. `instead` is the advice if that file is there already, `next` the
    advice when it is written. `runners` are its machines by platform. `names_branches`: its file names the branches
    whose pushes run; others know the default branch themselves.
    """

    name: str
    title: str
    file: str
    counts: str
    others: int = 0
    instead: str
    next: str
    runners: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({"linux": ""}))
    names_branches: bool = False

    def file_of(self, grid: str) -> str:
        """Return where the pipeline of a grid belongs: GitHub takes as many files as there are."""
        return f".github/workflows/venvgrid-{grid}.yml" if grid and self.name == "github" else self.file


VENDORS: Mapping[str, Vendor] = {
    vendor.name: vendor
    for vendor in (
        Vendor(
            name="github",
            title="GitHub Actions",
            file=".github/workflows/venvgrid.yml",
            counts="jobs in a matrix",
            runners=MappingProxyType(
                {
                    "linux": "ubuntu-latest",
                    "linux-aarch64": "ubuntu-24.04-arm",
                    "macos": "macos-latest",
                    "macos-x86_64": "macos-15-intel",
                    "windows": "windows-latest",
                    "windows-aarch64": "windows-11-arm",
                }
            ),
            names_branches=True,
            instead="give another file: -o .github/workflows/grid.yml",
            next="Commit it, then require the check '{title} gate'.",
        ),
        Vendor(
            name="gitlab",
            title="GitLab CI",
            file=".gitlab-ci.yml",
            counts="jobs in a matrix",
            instead="write another file, and include it there: -o .gitlab/venvgrid.yml",
            next="Commit it, then require that pipelines succeed.",
        ),
        Vendor(
            name="azure",
            title="Azure Pipelines",
            file="azure-pipelines.yml",
            counts="jobs in a stage",
            others=2,
            names_branches=True,
            instead="give another file, and make a pipeline of it: -o azure-venvgrid.yml",
            next="Commit it, make a pipeline of it, then require that pipeline.",
        ),
        Vendor(
            name="buildkite",
            title="Buildkite",
            file=".buildkite/pipeline.yml",
            counts="jobs in an upload",
            others=2,
            instead="give another file, and upload it in a step: -o .buildkite/venvgrid.yml",
            next="Commit it, then require the build.",
        ),
    )
}

# Actions by the commit of a release: a tag can be moved. Read from the repositories' tags on 2026-11-22.
ACTIONS: Mapping[str, str] = {
    "checkout": "actions/checkout@3d3c42e5aac5ba805825da76410c181273ba90b1 # v7.0.1",
    "python": "actions/setup-python@5fda3b95a4ea91299a34e894583c3862153e4b97 # v7.0.0",
    "upload": "actions/upload-artifact@bbbca2ddaa5d8feaa63e36b76fdaad77386f024f # v7.0.0",
    "download": "actions/download-artifact@3e5f45b2cfb9172054b4087a40e8e0b5a5461e7c # v8.0.1",
    "restore": "actions/cache/restore@27d5ce7f107fe9357f9df03efb73ab90386fccae # v5.0.5",
    "save": "actions/cache/save@27d5ce7f107fe9357f9df03efb73ab90386fccae # v5.0.5",
}
PYTHON = "3.13"  # runs venvgrid; the cells have their own
IMAGE = f"python:{PYTHON}"
