"""A project's tests in every combination of Python and dependency versions, and the proof of what was tested.

The Python interface: `venvgrid.run()` returns a `venvgrid.Report`; `venvgrid.model` has the values, events and errors,
and `venvgrid.testing` fakes for tests. All other modules are internal.
"""

from typing import TYPE_CHECKING

from venvgrid.model.version import __version__

if TYPE_CHECKING:
    from venvgrid.app.api import run as run
    from venvgrid.results.report import Report as Report

__all__ = ["Report", "__version__", "run"]


def __getattr__(name: str) -> object:
    """Import the interface when it is first used: the command line must start fast."""
    if name == "run":
        from venvgrid.app import api  # noqa: PLC0415

        return api.run
    if name == "Report":
        from venvgrid.results.report import Report  # noqa: PLC0415

        return Report
    message = f"module {__name__!r} has no attribute {name!r}"
    raise AttributeError(message)
