"""What other runners' files say, as a matrix.toml: `venvgrid init --from`. Files are read, never executed.

Each reader (`tox`, `nox`, `hatch`, `workflow`) gives variants: what one environment of the source installs and runs.
`variants` puts those that run alike into parts, `factoring` finds the axes and excludes behind the cells of a part, and
`writing` makes the file.
"""
