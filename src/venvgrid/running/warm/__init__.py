"""Previews: a cell's tests in a fork of a process that has imported the libraries. See docs/explanation/warm.md."""
