"""What cells wait for besides their own resolve: interpreters that are downloaded, and wheels of the project."""

from __future__ import annotations

from typing import TYPE_CHECKING

from venvgrid.model.config import InstallMode
from venvgrid.model.events import Stage
from venvgrid.running.loop import Lane, Task

if TYPE_CHECKING:
    from collections.abc import Iterable

    from venvgrid.model.environment import Interpreter
    from venvgrid.project.wheels import Wheel
    from venvgrid.running.tasks import RunRequest, Work

WHEEL = "wheel:"
PYTHON = "python:"


class Prerequisites:
    """The interpreters and wheels of a run: what is there, what is on its way, what cannot be had."""

    def __init__(self, request: RunRequest, work: Work) -> None:
        """Begin with the interpreters of the machine and no wheel."""
        self._goal, self._work = request, work
        self._pythons = dict(request.interpreters)
        self._asked: set[str] = set()  # values of the python axis whose interpreter is being downloaded
        self._refused: set[str] = set()  # those whose download failed
        self._wheels: dict[str, Wheel] = {}  # by the executable that built it
        self._building: set[str] = set()  # executables that build a wheel

    @property
    def installs(self) -> bool:
        """Whether the project is installed at all."""
        return self._goal.config.project.install is not InstallMode.NONE

    @property
    def installs_wheel(self) -> bool:
        """Whether the project comes into environments as a wheel."""
        return self._goal.config.project.install in {InstallMode.WHEEL, InstallMode.SDIST}

    @property
    def has_wheel(self) -> bool:
        """Whether any wheel is built."""
        return bool(self._wheels)

    def python(self, value: str) -> Interpreter | None:
        """Give the interpreter of a value of the python axis, None where it is not there."""
        found = self._pythons[value]
        return None if isinstance(found, str) else found

    def missing(self, value: str) -> str:
        """Give the reason why an interpreter is not there."""
        return str(self._pythons[value])

    def surrogate(self, value: str) -> Interpreter | None:
        """Give what to resolve with where the interpreter is not there, None where that is not possible either."""
        return self._goal.surrogates.get(value)

    def can_come(self, value: str) -> bool:
        """Whether a missing interpreter may still be downloaded."""
        return self._goal.download and value not in self._refused

    def ask_for(self, value: str) -> list[Task]:
        """Give the task that downloads an interpreter; none if it is on its way."""
        if value in self._asked:
            return []
        self._asked.add(value)
        reason = self.missing(value)
        work = self._work
        return [
            Task(key=f"{PYTHON}{value}", lane=Lane.RESOLVE, work=lambda _post: work.python(value, reason), order=-1.0),
        ]

    def arrived(self, value: str, got: Interpreter | str) -> None:
        """Take in what a download gave: the interpreter, or why not."""
        self._pythons[value] = got
        if isinstance(got, str):
            self._refused.add(value)

    def first_wheel(self, values: Iterable[str], *, for_metadata: bool) -> list[Task]:
        """Give the task that builds the project's first wheel, if one is needed and nobody builds it yet.

        It is needed to be installed, or `for_metadata`. Of the interpreters of `values` the newest ordinary one builds.
        """
        to_install = self.installs_wheel and self._goal.until is not Stage.RESOLVE
        if self._building or not self.installs or not (to_install or for_metadata):
            return []
        usable = [found for value in values if (found := self.python(value)) is not None]
        if not usable:
            return []
        best = max(usable, key=lambda item: (item.implementation == "cpython", not item.free_threaded, item.release))
        return self.wheel_by(best)

    def wheel_by(self, interpreter: Interpreter) -> list[Task]:
        """Give the task that builds a wheel with an interpreter; none if that is being done."""
        if interpreter.executable in self._building:
            return []
        self._building.add(interpreter.executable)
        work, key = self._work, f"{WHEEL}{interpreter.executable}"
        return [Task(key=key, lane=Lane.BUILD, work=lambda _post: work.wheel(interpreter), order=-1.0)]

    def built(self, executable: str, wheel: Wheel) -> None:
        """Take in a wheel."""
        self._wheels[executable] = wheel

    def wheel_for(self, interpreter: Interpreter) -> Wheel | None:
        """Give a wheel that fits an interpreter: its own, or a pure one of another."""
        own = self._wheels.get(interpreter.executable)
        return own or next((wheel for wheel in self._wheels.values() if wheel.fits(interpreter)), None)
