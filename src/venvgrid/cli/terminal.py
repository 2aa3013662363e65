"""What the command line prints to: data to stdout, progress and messages to stderr."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple, TextIO

if TYPE_CHECKING:
    from collections.abc import Mapping


FIRST_VTE_WITH_LINKS = 5000  # 0.50: GNOME Terminal, Tilix, xfce4-terminal and others


class Terminal(NamedTuple):
    """The streams and variables of the process, or of a test. A tuple: `--version` need not import dataclasses."""

    out: TextIO
    err: TextIO
    environ: Mapping[str, str]

    @classmethod
    def from_process(cls) -> Terminal:
        """Return the terminal of this process. Characters that a stream cannot encode are escaped."""
        for stream in (sys.stdout, sys.stderr):
            with suppress(AttributeError, ValueError):
                stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
        out, err = (stream or open(os.devnull, "w", encoding="utf-8") for stream in (sys.stdout, sys.stderr))  # noqa: PTH123, SIM115
        return cls(out=out, err=err, environ=dict(os.environ))

    @property
    def is_live(self) -> bool:
        """Whether progress may be drawn: stderr is a terminal, and nothing asks for plain lines."""
        plain = self.environ.get("NO_COLOR") or self.environ.get("CI") or self.environ.get("TERM") == "dumb"
        return not plain and self.err.isatty()

    @property
    def is_coloured(self) -> bool:
        """Whether stdout takes colours."""
        return not self.environ.get("NO_COLOR") and self.environ.get("TERM") != "dumb" and self.out.isatty()

    @property
    def has_links(self) -> bool:
        """Whether stdout is a terminal that is known to take hyperlinks (OSC 8); others might show them as text."""
        names = {"iTerm.app", "WezTerm", "vscode", "ghostty", "Hyper", "Tabby", "rio"}
        kinds = ("xterm-kitty", "alacritty", "foot", "xterm-ghostty", "wezterm")
        vte = self.environ.get("VTE_VERSION", "")
        known = (
            self.environ.get("TERM_PROGRAM") in names
            or self.environ.get("TERM", "").startswith(kinds)
            or any(self.environ.get(name) for name in ("WT_SESSION", "KONSOLE_VERSION", "DOMTERM"))
            or (vte.isdigit() and int(vte) >= FIRST_VTE_WITH_LINKS)
        )
        return known and self.is_coloured and not self.environ.get("TMUX")

    @property
    def width(self) -> int:
        """Columns of the terminal; 120 where stdout is none."""
        import shutil  # noqa: PLC0415  (`--version` needs none)

        return shutil.get_terminal_size((120, 24)).columns

    @property
    def encoding(self) -> str:
        """The encoding of stdout."""
        return self.out.encoding or "ascii"

    def data(self, text: str) -> None:
        """Print the result of a command to stdout."""
        self.out.write(text if text.endswith("\n") else f"{text}\n")

    def message(self, text: str) -> None:
        """Print a message to stderr, without secrets."""
        from venvgrid.processes.redaction import Redactor  # noqa: PLC0415  (`--help` needs none)

        with suppress(OSError, ValueError):
            text = Redactor.from_environ(self.environ).text(text)
            self.err.write(f"{text}\n")
            self.err.flush()

    def error(self, text: str) -> None:
        """Print an error message; a closed stream is ignored."""
        self.message(text)

    def flush(self) -> None:
        """Write everything that was printed.

        Raises:
            OSError: it cannot (a full disk, a closed pipe).
        """
        self.out.flush()
