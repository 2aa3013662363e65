"""uv and pip behind one protocol: they resolve, install and build."""
