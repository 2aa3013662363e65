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

from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from collections.abc import Sequence


class VenvgridError(Exception):
    """Root of every error that venvgrid raises on purpose; `exit_status` is what the command ends with."""

    exit_status: ClassVar[int] = 70


class UsageError(VenvgridError):
    """The command line asks for something that cannot be."""

    exit_status = 2


class ConfigError(VenvgridError):
    """The configuration has mistakes; `mistakes` holds all of them, each with file, key path and what is allowed."""

    exit_status = 2

    def __init__(self, mistakes: Sequence[str]) -> None:
        """Keep every mistake: the message is one line each."""
        self.mistakes = tuple(mistakes)
        super().__init__("\n".join(self.mistakes))


class LockError(VenvgridError):
    """`matrix.lock` is missing, damaged, or does not fit the configuration."""

    exit_status = 2


class PolicyError(VenvgridError):
    """A policy of an axis gives no version, or goes by what the project or the index does not tell."""

    exit_status = 2


class NothingToRunError(VenvgridError):
    """The plan has no cell that could run."""

    exit_status = 4


class InfrastructureError(VenvgridError):
    """The machine, not the project: a full or read-only disk, a tool that cannot be had."""

    exit_status = 3
