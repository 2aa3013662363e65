"""Finds, selects and downloads Pythons."""
