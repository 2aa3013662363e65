"""Searches for a cause: which probe to run next, and what the answers mean. Pure."""
