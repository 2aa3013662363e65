"""What was released when: the releases of distributions, as the index tells them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import TYPE_CHECKING

from packaging.version import Version

from venvgrid.model.values import dataclass
from venvgrid.resolving.index_settings import from_environ

if TYPE_CHECKING:
    from collections.abc import Iterable

    from venvgrid.app.context import RunContext
    from venvgrid.resolving.index import Index
    from venvgrid.resolving.version_policies import Release


@dataclass(frozen=True)
class Timeline:
    """The releases that the index of a context tells."""

    context: RunContext

    @cached_property
    def index(self) -> Index:
        """The index of the user."""
        machine = self.context.machine
        return from_environ(machine.environ, machine.cache, offline=self.context.options.offline)

    def _of(self, name: str) -> tuple[Release, ...]:
        """Return the releases of a distribution in the index, or in all indexes and folders if that has none."""
        return self.index.releases(name) or self.index.everywhere(name)

    def releases(self, name: str, good: str, bad: str) -> tuple[str, ...]:
        """Return the final releases of a distribution between two versions, both included, from good to bad."""
        ends = Version(good), Version(bad)
        found = {good, bad}
        for item in self._of(name):
            version = Version(item.version)
            if min(ends) < version < max(ends) and not version.is_prerelease:
                found.add(item.version)
        return tuple(sorted(found, key=Version, reverse=ends[0] > ends[1]))

    def uploaded(self, name: str, version: str) -> str:
        """Return the day on which a release was uploaded, as an ISO date, or "" if the index does not tell."""
        found = next((item.uploaded for item in self._of(name) if item.version == version), None)
        return utc(found).date().isoformat() if found else ""

    def dates(self, names: Iterable[str], *, since: str) -> tuple[str, ...]:
        """Return the times after a date at which distributions were released, oldest first, as RFC 3339."""
        found = {
            utc(item.uploaded)
            for name in names
            for item in self._of(name)
            if item.uploaded and not Version(item.version).is_prerelease
        }
        after = sorted(time for time in found if time > utc(datetime.fromisoformat(since)))
        return tuple((time + timedelta(seconds=1)).strftime("%Y-%m-%dT%H:%M:%SZ") for time in after)


def utc(time: datetime) -> datetime:
    """Return a time in UTC; one without a zone, as some indexes give it, is of UTC."""
    return time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)
