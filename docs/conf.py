"""How the documentation's pages become a site: `sphinx-build -W docs site`."""
# ruff: noqa: INP001  (Sphinx reads it as a file)

from venvgrid.model.version import __version__

project = "venvgrid"
author = "The venvgrid authors"
copyright = author  # noqa: A001  (Sphinx's name)
version = release = __version__
extensions = ["myst_parser"]
source_suffix = {".md": "markdown"}
exclude_patterns = ["_build"]
myst_heading_anchors = 3
html_theme = "furo"
html_title = "venvgrid"
html_copy_source = False
html_show_sourcelink = False
nitpicky = True
