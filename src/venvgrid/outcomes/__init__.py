"""Decides the outcome of a cell from the behaviour of its test command."""
