"""Tasks and their results: frozen values that `serialization` turns into JSON and back.

    ResolveTask   → ResolveDone     one for cells that differ only in variables
    WheelTask     → WheelDone       the project's wheel
    DownloadTask  → DownloadDone    an interpreter, or the reason why there is none
    BuildTask     → BuildDone       the environment of a lock entry
    TestTask      → TestDone        one cell
    CompileTask   → CompileDone     keeps the bytecode of a new environment

Any task may end in `TaskFailed` instead. A task holds all that a worker needs; an executor may send it elsewhere.
"""

from __future__ import annotations

from enum import IntEnum
from typing import ClassVar, TypeVar

from venvgrid.installers.base import ResolveFailed, Unresolvable
from venvgrid.model import Cell, CellResult, Environment, Interpreter, LockEntry, Outcome
from venvgrid.model.values import dataclass
from venvgrid.project.metadata import Metadata
from venvgrid.project.wheels import Wheel

CellAnswer = LockEntry | Unresolvable | ResolveFailed
T = TypeVar("T")


class Lane(IntEnum):
    """Resource of a task. Of two ready tasks the one in the smaller lane goes first: tests before builds."""

    TEST = 0  # CPU
    BUILD = 1  # disk and CPU
    RESOLVE = 2  # network


@dataclass(frozen=True, slots=True, kw_only=True)
class InstalledProject:
    """The project as it is installed: its metadata, its top-level modules, and a package with tests inside, or ""."""

    metadata: Metadata
    modules: tuple[str, ...]
    tested: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ResolveTask:
    """Resolve cells that differ only in variables. `surrogate`: the interpreter stands for a missing one.

    `order` decides inside a lane, smaller first; here and below.
    """

    lane: ClassVar[Lane] = Lane.RESOLVE
    cells: tuple[Cell, ...]
    interpreter: Interpreter
    metadata: Metadata | None
    surrogate: bool = False
    order: float = 0.0

    @property
    def key(self) -> str:
        """The name of the task in its run."""
        return f"resolve:{self.cells[0].id}"


@dataclass(frozen=True, slots=True, kw_only=True)
class WheelTask:
    """Build the project's wheel with an interpreter."""

    lane: ClassVar[Lane] = Lane.BUILD
    interpreter: Interpreter
    order: float = -1.0

    @property
    def key(self) -> str:
        """The name of the task in its run."""
        return f"wheel:{self.interpreter.executable}"


@dataclass(frozen=True, slots=True, kw_only=True)
class DownloadTask:
    """Download the interpreter for a value of the python axis; `missing` is the reason if that is not possible."""

    lane: ClassVar[Lane] = Lane.RESOLVE
    value: str
    missing: str
    order: float = -1.0

    @property
    def key(self) -> str:
        """The name of the task in its run."""
        return f"python:{self.value}"


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildTask:
    """Build the environment of a lock entry for its cells. `alone`: it shares no file with another environment.

    `project` is the digest of the project as it is to be installed.
    """

    lane: ClassVar[Lane] = Lane.BUILD
    entry: LockEntry
    wheel: Wheel | None
    cells: tuple[Cell, ...]
    project: str = ""
    alone: bool = False
    order: float = 0.0

    @property
    def key(self) -> str:
        """The name of the task in its run."""
        return f"build:{self.entry.key}"


@dataclass(frozen=True, slots=True, kw_only=True)
class TestTask:
    """Test one cell. `alone`: nothing else can write into its environment. Same machine as its build."""

    __test__ = False  # its name begins with Test: pytest is not to collect it
    lane: ClassVar[Lane] = Lane.TEST
    cell: Cell
    entry: LockEntry
    environment: Environment
    project: InstalledProject | None
    alone: bool = False
    order: float = 0.0

    @property
    def key(self) -> str:
        """The name of the task in its run."""
        return f"test:{self.cell.id}"


@dataclass(frozen=True, slots=True, kw_only=True)
class CompileTask:
    """Keep the bytecode that a new environment got by its tests. It goes before the builds that can use it."""

    lane: ClassVar[Lane] = Lane.BUILD
    environment: Environment
    imported: frozenset[str]
    order: float = -1e9

    @property
    def key(self) -> str:
        """The name of the task in its run."""
        return f"bytecode:{self.environment.key}"


Task = ResolveTask | WheelTask | DownloadTask | BuildTask | TestTask | CompileTask


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskFailed:
    """A task could not do its work. `reason` is one line of `detail`, which is all that is known."""

    reason: str
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ResolveDone:
    """The answer for all cells of a resolve, and its seconds."""

    answer: LockEntry | Unresolvable | ResolveFailed
    took: float


@dataclass(frozen=True, slots=True, kw_only=True)
class WheelDone:
    """The project's wheel."""

    wheel: Wheel


@dataclass(frozen=True, slots=True, kw_only=True)
class DownloadDone:
    """The interpreter that was downloaded, or the reason why there is none."""

    interpreter: Interpreter | str


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildDone:
    """The environment that was built, and the seconds that it took."""

    environment: Environment
    took: float


@dataclass(frozen=True, slots=True, kw_only=True)
class TestDone:
    """The result of a cell. `is_changed`: the environment has changed, and the cell was not alone in it.

    `is_poisoned`: files that it shares with other environments are among those that changed. `imported` names the
    compiled files that a new environment did not begin with, relative to site-packages.
    """

    __test__ = False
    result: CellResult
    is_changed: bool = False
    is_poisoned: bool = False
    imported: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class CompileDone:
    """How many compiled files were kept."""

    files: int


TaskResult = TaskFailed | ResolveDone | WheelDone | DownloadDone | BuildDone | TestDone | CompileDone


def base_result(cell: Cell, entry: LockEntry | None) -> CellResult:
    """Return what every result of the cell holds; the outcome is still to be set."""
    return CellResult(
        id=cell.id,
        axes=cell.axes,
        outcome=Outcome.CANCELLED,
        allow_failure=cell.allow_failure,
        named=cell.named,
        interpreter=entry.interpreter if entry else None,
        packages={item.name: item.version for item in entry.distributions} if entry else {},
        notes=entry.notes if entry else (),
    )


def expect(kind: type[T], result: TaskResult) -> T:
    """Return a result that is of a kind.

    Raises:
        TypeError: it is of another one: a bug of an executor.
    """
    if not isinstance(result, kind):
        message = f"expected {kind.__name__}, got {result!r:.200}"
        raise TypeError(message)
    return result
