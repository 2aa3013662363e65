"""Processes that have imported libraries already, and fork for each run of a cell's tests. POSIX."""
