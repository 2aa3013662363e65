"""Runs the cell of a capsule on this machine, and says whether it fails as it did where the capsule was made."""
