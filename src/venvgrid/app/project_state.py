"""The project under test as a run sees it: metadata, dependency groups, and its files at the beginning."""

from __future__ import annotations

import re
from contextlib import contextmanager
from functools import cached_property
from typing import TYPE_CHECKING

from venvgrid.config.values import nearest
from venvgrid.model import AxisKind, ConfigError, InstallMode
from venvgrid.model.names import normalise
from venvgrid.model.values import dataclass
from venvgrid.project import build_files, inputs, sources
from venvgrid.project import metadata as project
from venvgrid.project.build_copy import BuildSources

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from venvgrid.model import Config
    from venvgrid.project.inputs import Inputs
    from venvgrid.project.metadata import Metadata


@dataclass(frozen=True, kw_only=True)
class ProjectState:
    """The project of a configuration; each part is read once, when it is first needed."""

    config: Config
    environ: Mapping[str, str]

    @property
    def path(self) -> Path:
        """The folder of the project."""
        return self.config.project.path

    @cached_property
    def metadata(self) -> Metadata | None:
        """The static metadata, or None if only a wheel has them or nothing is installed."""
        if self.config.project.install is InstallMode.NONE:
            return None
        with self._at_its_file():
            project.check_installable(self.path)
        return project.static_metadata(self.path)

    @cached_property
    def groups(self) -> tuple[str, ...]:
        """The requirements of the dependency groups."""
        with self._at_its_file():
            return project.group_requirements(self.path, self.config.project.groups)

    @cached_property
    def snapshot(self) -> dict[str, str]:
        """The digests of the project's files, as they were when first asked for."""
        return sources.snapshot(self.path)

    @cached_property
    def build(self) -> BuildSources:
        """What builds of the project work on."""
        return BuildSources(self.path, self.environ)

    @cached_property
    def depends_on_python(self) -> bool:
        """Whether each interpreter needs metadata and a wheel of its own."""
        return build_files.depends_on_python(self.path)

    @cached_property
    def definition(self) -> str:
        """The digest of what an editable installation is made from: the build's files, and the folders of packages."""
        return build_files.definition(self.path, self.snapshot)

    @cached_property
    def inputs(self) -> Inputs:
        """All files that tests may read, as they were when first asked for."""
        return inputs.take(self.path, self.written)

    @property
    def written(self) -> str:
        """A glob for the reports that tests write, "" if they write none."""
        kind, _, file = self.config.test.reports.partition(":")
        return re.sub(r"\{[^}]*\}", "*", file) if kind == "junit" else ""

    @cached_property
    def inputs_digest(self) -> str:
        """The digest of these files."""
        return self.inputs.digest

    def check(self) -> None:
        """Check that the project has the groups, and the extras if they are known before a build.

        Raises:
            ConfigError: it has not.
        """
        _ = self.groups  # reading them checks them
        if self.metadata is None:
            return
        declared = {normalise(extra) for extra in self.metadata.extras}
        wanted = set(self.config.project.extras)
        for axis in self.config.axes:
            if axis.kind is AxisKind.EXTRAS:
                wanted.update(part for value in axis.values for part in value.split(","))
        unknown = sorted(extra for extra in wanted if extra and normalise(extra) not in declared)
        if unknown:
            there = f"declared: {', '.join(sorted(declared))}" if declared else "it declares none"
            name = self.metadata.name
            with self._at_its_file():
                raise ConfigError(
                    [
                        f"project.extras: {name} has no extra '{extra}'{nearest(extra, declared)} ({there}); correct it"
                        for extra in unknown
                    ]
                )

    @contextmanager
    def _at_its_file(self) -> Iterator[None]:
        """Name the file of the configuration in mistakes."""
        try:
            yield
        except ConfigError as error:
            raise ConfigError([f"{self.config.file.name}: {mistake}" for mistake in error.mistakes]) from error
