"""Builds, shares, checks and deletes virtual environments."""
