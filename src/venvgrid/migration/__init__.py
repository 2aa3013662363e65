"""Writes a first matrix.toml: from the project, or from files of tox, nox, hatch and GitHub Actions.

Files are parsed, never executed. A reader returns variants, one for each environment of the source. `variants` groups
those with the same settings, `factoring` finds axes and excludes of a group, and `matrix_toml` writes the file.
"""
