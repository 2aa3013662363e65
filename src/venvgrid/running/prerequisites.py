"""Prerequisites that cells share: interpreters that are downloaded, wheels of the project, and what waits for them."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Generic, TypeVar

from venvgrid.model import InstallMode
from venvgrid.running.tasks import DownloadTask, WheelTask
from venvgrid.storage import digests

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from venvgrid.model import Interpreter
    from venvgrid.project.metadata import Metadata
    from venvgrid.project.wheels import Wheel
    from venvgrid.running.request import RunRequest

T = TypeVar("T")


class Prerequisites:
    """The interpreters and wheels of a run: there, on their way, or not to be had."""

    def __init__(self, request: RunRequest) -> None:
        """Begin with the interpreters of the machine and no wheel."""
        self._request = request
        self._is_shared = not request.depends_on_python  # whether one build serves all interpreters
        self._pythons = dict(request.interpreters)
        self._asked: set[str] = set()  # values of the python axis whose interpreter is being downloaded
        self._refused: set[str] = set()  # those whose download failed
        self._wheels: dict[str, Wheel] = {}  # by the executable that built it
        self._building: set[str] = set()  # executables that build a wheel
        self.changes = 0  # of any of these: what waits is looked at again after one, not at every event

    @property
    def installs(self) -> bool:
        """Whether the project is installed at all."""
        return self._request.config.project.install is not InstallMode.NONE

    @property
    def installs_wheel(self) -> bool:
        """Whether the project comes into environments as a wheel."""
        return self._request.config.project.install in {InstallMode.WHEEL, InstallMode.SDIST}

    @property
    def has_wheel(self) -> bool:
        """Whether any wheel is built."""
        return bool(self._wheels)

    def python(self, value: str) -> Interpreter | None:
        """Return the interpreter for a value of the python axis, or None if it is missing."""
        found = self._pythons[value]
        return None if isinstance(found, str) else found

    def missing(self, value: str) -> str:
        """Return the reason why an interpreter is missing."""
        return str(self._pythons[value])

    def surrogate(self, value: str) -> Interpreter | None:
        """Return what to resolve with instead of a missing interpreter, or None if there is nothing."""
        return self._request.surrogates.get(value)

    def can_download(self, value: str) -> bool:
        """Whether a missing interpreter may still be downloaded."""
        return self._request.download and value not in self._refused

    def download(self, value: str) -> list[DownloadTask]:
        """Return the task that downloads an interpreter; none if it is on its way."""
        if value in self._asked:
            return []
        self._asked.add(value)
        return [DownloadTask(value=value, missing=self.missing(value))]

    def downloaded(self, value: str, got: Interpreter | str) -> None:
        """Record the end of a download: the interpreter, or the reason why there is none."""
        self._pythons[value] = got
        self.changes += 1
        if isinstance(got, str):
            self._refused.add(value)

    def _needs_first_wheels(self, values: Collection[str]) -> bool:
        if not self.installs or not (self.installs_wheel or self._request.metadata is None):
            return False
        begun = self._building
        here = (found for value in values if (found := self.python(value)) is not None)
        return any(not begun if self._is_shared else found.executable not in begun for found in here)

    def first_wheels(self, values: Collection[str]) -> list[WheelTask]:
        """Return the tasks that build wheels before any environment, if they are needed and not begun.

        They are needed to be installed, or for their metadata. If one serves all, the newest ordinary interpreter of
        the cells builds it; else each builds its own. `values` are those of the python axis that unfinished cells have.
        """
        if not self._needs_first_wheels(values):
            return []
        here = [found for value in values if (found := self.python(value)) is not None]
        if not self._is_shared:
            return [task for found in here for task in self.wheel_by(found)]
        best = best_builder(here)
        return self.wheel_by(best) if best else []

    def wheel_by(self, interpreter: Interpreter) -> list[WheelTask]:
        """Return the task that builds a wheel with an interpreter; none if it is begun."""
        if interpreter.executable in self._building:
            return []
        self._building.add(interpreter.executable)
        self.changes += 1
        return [WheelTask(interpreter=interpreter)]

    def built(self, interpreter: Interpreter, wheel: Wheel) -> None:
        """Record a wheel."""
        self._wheels[interpreter.executable] = wheel
        self.changes += 1

    def refused(self) -> None:
        """Record that a build failed: if it was the first, every other interpreter builds its own."""
        self._is_shared = self._is_shared and bool(self._wheels)
        self.changes += 1

    def wheel_for(self, interpreter: Interpreter) -> Wheel | None:
        """Return the wheel of an interpreter: its own, or a pure one of another if one serves all."""
        if not self.installs_wheel:
            return None
        own = self._wheels.get(interpreter.executable)
        others = self._wheels.values() if self._is_shared else ()
        return own or next((wheel for wheel in others if wheel.fits(interpreter)), None)

    def state_of(self, interpreter: Interpreter) -> str:
        """Return the digest of the project as it is installed with an interpreter, "" if it is not."""
        if not self.installs:
            return ""
        if wheel := self.wheel_for(interpreter):
            return wheel.digest
        return digests.of_text(f"{self._request.definition} {self.metadata_for(interpreter)}")

    def is_ready(self, interpreter: Interpreter) -> bool:
        """Whether nothing of the project is missing to build environments of an interpreter."""
        return not self.installs_wheel or self.wheel_for(interpreter) is not None

    def metadata_for(self, interpreter: Interpreter | None) -> Metadata | None:
        """Return the project's metadata for an interpreter (None for a missing one), or None if they are not known."""
        own = self._wheels.get(interpreter.executable) if interpreter else None
        if self._request.metadata is not None or own is not None:
            return self._request.metadata or (own.metadata if own else None)
        return next((wheel.metadata for wheel in self._wheels.values()), None) if self._is_shared else None

    def can_resolve(self, interpreter: Interpreter | None) -> bool:
        """Whether the requirements of the project are known for an interpreter."""
        return not self.installs or self.metadata_for(interpreter) is not None

    def will_build(self, interpreter: Interpreter | None) -> bool:
        """Whether a wheel is being built that tells the requirements for an interpreter."""
        return bool(self._building) if self._is_shared or interpreter else False


def best_builder(interpreters: Iterable[Interpreter]) -> Interpreter | None:
    """Return the interpreter that builds the first wheel: the newest ordinary CPython; None if there is none at all."""
    return max(
        interpreters,
        key=lambda item: (item.implementation == "cpython", not item.free_threaded, item.release),
        default=None,
    )


class Parked(Generic[T]):
    """Cells that wait for a prerequisite, in their order: looked at again after a change, not at every event.

    Whoever takes them keeps those that have to wait on.
    """

    def __init__(self, prerequisites: Prerequisites) -> None:
        """Begin with nothing."""
        self._prerequisites = prerequisites
        self._new: list[tuple[int, T]] = []  # with their places: added since the last `take`
        self._kept: list[tuple[int, T]] = []  # nothing but a change of the prerequisites can help them
        self._places = itertools.count()
        self._changes = -1

    def add(self, item: T) -> None:
        """Add an item that has not been looked at."""
        self._new.append((next(self._places), item))

    def keep(self, item: T) -> None:
        """Add an item that has to wait for a change."""
        self._kept.append((next(self._places), item))

    def take(self) -> list[T]:
        """Remove and return what is new; all that waits if the prerequisites have changed since the last call."""
        taken, self._new = self._new, []
        if self._changes != self._prerequisites.changes:
            self._changes = self._prerequisites.changes
            taken, self._kept = sorted([*self._kept, *taken], key=lambda item: item[0]), []
        return [item for _, item in taken]
