"""Starts other programs, captures their output, and ends everything they leave behind."""
