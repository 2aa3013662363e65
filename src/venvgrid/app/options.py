"""What a user asks of a run, from the command line or from Python."""

from __future__ import annotations

from contextlib import nullcontext
from typing import TYPE_CHECKING

from venvgrid.model.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from contextlib import AbstractContextManager
    from pathlib import Path

    from venvgrid.model import Event


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOptions:
    """Options of a run. `cells`, `changed` and `failed` select cells; `strategy` and `optimise` replace [plan]."""

    workers: int = 1
    arguments: tuple[str, ...] = ()  # appended to the test command
    cells: str = ""  # an expression as for -k
    lock_file: Path | None = None  # of a plan that travels, in place of matrix.lock
    plan_digest: str = ""  # of that plan
    with_wheels: bool = False  # capsules of red cells hold the wheels
    tests: tuple[str, ...] = ()  # only these tests, by their ids; () for all
    attest: tuple[str, ...] = ()  # distributions besides those of the axes whose versions the tests attest
    pytest_options: str = ""  # further options of pytest, quoted as for a shell
    changed: str = ""  # a git revision: only the cells whose lock differs from it
    failed: bool = False  # only the cells that were not green when they last ran
    strategy: str = ""
    optimise: str = ""
    fresh: bool = False
    locked: bool = False
    offline: bool = False
    no_build: bool = False  # plan and lock: do not build the project to learn what it requires
    fail_fast: bool = False
    strict: bool = False
    skip_missing: bool | None = None  # a missing interpreter is no failure; None: as the configuration says
    resume: bool = False  # what runs that did not finish have recorded of the same inputs is not run again
    run_unchanged: bool = False  # run cells again although nothing has changed since they passed
    on: str = ""  # many machines: "dask", or the address of a scheduler
    certificates: Path | None = None  # the folder of its certificates
    machines: int = 1  # how many workers must be there before it begins
    first: tuple[str, ...] = ()  # cells that go first, in this order
    tests_first: tuple[str, ...] = ()  # ids of tests, and test modules, that go first in every cell
    is_round: bool = False  # a round of watch: its run pushes no other out of the history


@dataclass(frozen=True, slots=True, kw_only=True)
class FrontEnd:
    """What a use case needs of its caller.

    `notify` takes a message for a waiting user. `listening` returns a context in which the function that it is given
    ends the run. `progress` returns a context whose value is called with each event; it is given the seconds that each
    cell took when it last ran.
    """

    environ: Mapping[str, str]
    notify: Callable[[str], None]
    listening: Callable[[Callable[[], None]], AbstractContextManager[None]] = lambda _stop: nullcontext()
    progress: Callable[[Mapping[str, float]], AbstractContextManager[Callable[[Event], None]]] = lambda _expected: (
        nullcontext(_ignore)
    )


def _ignore(event: Event) -> None:
    """Do nothing."""
