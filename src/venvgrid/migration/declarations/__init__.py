"""The tables of poetry, and which distributions have modules, plugins and fixtures."""
