"""The oldest Python that each tool supports, as (major, minor)."""

UV = (3, 6)  # to query, to resolve for and to install into; older ones also have no pip with a cut-off date
UV_DOWNLOADS = (3, 8)  # whatever the implementation
EDITABLE = (3, 7)  # PEP 660, with setuptools 64; below it venvgrid makes the editable wheel
FREE_THREADED = (3, 13)
HOMEBREW = (3, 8)
VIRTUALENV = (3, 8)  # below it the old virtualenv makes the environment
BUNDLED_PIP = (3, 9)  # below it pip comes with the old virtualenv
SHARED_BYTECODE = (3, 8)  # whose compiled files are shared
