"""The names of report formats. Imports nothing, so that the command line starts fast."""

from __future__ import annotations

FORMATS = ("table", "json", "junit", "markdown", "html", "github", "gitlab", "gitlab-junit", "badge", "shields")
