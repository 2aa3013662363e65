"""Reads workflows of GitHub Actions: matrices, conditions, and the steps of jobs."""
