"""Failures that one cell alone has are run again in the same run."""
