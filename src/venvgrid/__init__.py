"""A project's tests in every combination of Python and dependency versions, and the proof of what was tested.

`venvgrid.run()` is the Python interface; it gives a `venvgrid.results.report.Report`.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from venvgrid.app.api import run as run

__version__ = "0.1.0"
__all__ = ["__version__", "run"]


def __getattr__(name: str) -> object:
    """Import the interface when it is asked for: the command line is to start fast."""
    if name == "run":
        from venvgrid.app import api  # noqa: PLC0415

        return api.run
    message = f"module {__name__!r} has no attribute {name!r}"
    raise AttributeError(message)
