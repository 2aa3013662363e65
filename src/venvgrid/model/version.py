"""The version of venvgrid, by itself: `venvgrid --version` imports little."""

__version__ = "0.1.0"
