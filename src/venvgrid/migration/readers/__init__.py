"""Parsers of other runners' files: tox, nox, hatch and GitHub Actions."""
