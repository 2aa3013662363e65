"""A project's tests in every combination of Python and dependency versions, and the proof of what was tested."""

__version__ = "0.1.0"
