"""What can go wrong with a run as a whole.

    VenvgridError                        (exit status)
    ├── UsageError                        2   the command line
    ├── ConfigError                       2   one or more mistakes in the configuration, all of them
    ├── LockError                         2   matrix.lock is missing, damaged, or does not fit the configuration
    ├── PolicyError                       2   a policy of an axis gives no version
    ├── NothingToRunError                 4   no cell is left to run
    └── InfrastructureError               3   disk, permissions, a tool that is missing

Errors of one cell are no exceptions: they are values (`model.Outcome`), and never stop or hide another cell.
A message says what happened, why, and what to type next.
"""

from __future__ import annotations

from enum import IntEnum
from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from collections.abc import Sequence


class ExitStatus(IntEnum):
    """What a command ends with. After a signal other than SIGINT the status is 128 and the signal's number."""

    PASSED = 0  # every cell that can exist passed; or the command did what was asked
    TESTS_FAILED = 1  # a test outcome is red
    USAGE = 2  # the command line, the configuration or the lock is wrong
    INCOMPLETE = 3  # no test is red, but a cell could not be built, resolved, or lacks its interpreter
    NOTHING_TO_RUN = 4
    CANNOT_TELL = 5  # a failure does not show here: `reproduce`; too flaky, or both ends alike: `bisect`
    BUG = 70  # in venvgrid
    INTERRUPTED = 130


class VenvgridError(Exception):
    """Root of every error that venvgrid raises on purpose; `exit_status` is what the command ends with."""

    exit_status: ClassVar[ExitStatus] = ExitStatus.BUG


class UsageError(VenvgridError):
    """The command line asks for something that cannot be."""

    exit_status = ExitStatus.USAGE


class ConfigError(VenvgridError):
    """The configuration has mistakes; `mistakes` holds all of them, each with file, key path and what is allowed."""

    exit_status = ExitStatus.USAGE

    def __init__(self, mistakes: Sequence[str]) -> None:
        """Keep every mistake: the message is one line each."""
        self.mistakes = tuple(mistakes)
        super().__init__("\n".join(self.mistakes))


class LockError(VenvgridError):
    """`matrix.lock` is missing, damaged, or does not fit the configuration."""

    exit_status = ExitStatus.USAGE


class PolicyError(VenvgridError):
    """A policy of an axis gives no version, or goes by what the project or the index does not tell."""

    exit_status = ExitStatus.USAGE


class NothingToRunError(VenvgridError):
    """The plan has no cell that could run."""

    exit_status = ExitStatus.NOTHING_TO_RUN


class InfrastructureError(VenvgridError):
    """The machine, not the project: a full or read-only disk, a tool that cannot be had."""

    exit_status = ExitStatus.INCOMPLETE
