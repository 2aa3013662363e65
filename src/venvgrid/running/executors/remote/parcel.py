"""What all jobs of a run share: the project, its files by their hashes, and where files of machines go."""

from __future__ import annotations

from typing import TYPE_CHECKING

from venvgrid.model import InfrastructureError
from venvgrid.model.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from venvgrid.running.executors.remote.jobs import Blob, Places


@dataclass(frozen=True, slots=True, kw_only=True)
class Parcel:
    """What all jobs of a run share. `files` finds the file of a digest (SHA-256) that machines ask for.

    `places` translates paths of the project here.
    """

    run: str
    plan: str
    bundle: Blob
    places: Places
    place: Callable[[str], Path]  # the file for a name that a machine gives: in the folder of the run
    files: Callable[[str], Path]
    wheel: Callable[[Path], Blob]  # `files` knows the wheel from then on
    expected: Mapping[str, float]  # seconds of cells
    here: frozenset[str]  # the executables of this machine's interpreters

    def write(self, name: str, content: bytes) -> None:
        """Write a file of a machine into the folder of the run.

        Raises:
            InfrastructureError: it cannot be written here.
        """
        target = self.place(name)
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content)
        except OSError as error:
            raise InfrastructureError(f"{target}: {error.strerror}") from error
