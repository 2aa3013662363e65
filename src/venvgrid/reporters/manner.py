"""How a report is rendered for a terminal."""

from __future__ import annotations

from collections.abc import Callable

from venvgrid.model.values import dataclass

Link = Callable[[str, int], str]  # file as a traceback names it, line → URI or ""


def no_link(_file: str, _line: int) -> str:
    """Return no address: the terminal has no links."""
    return ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Manner:
    """The wishes of a command and the abilities of its terminal.

    `planned`: nothing has run yet, and passed cells are runnable ones. `options` are added to suggested commands;
    `has_keys`: none is suggested, since keys do the same.
    `verbose` adds the resolver's own words. `wrap` breaks long lines at blanks. `link` returns the address of a place
    in a file, or "".
    """

    planned: bool = False
    options: tuple[str, ...] = ()
    has_keys: bool = False
    verbose: bool = False
    wrap: bool = False
    link: Link = no_link


PLAIN = Manner()
