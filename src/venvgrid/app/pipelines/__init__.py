"""Pipelines of CI vendors: a plan job, test jobs that know only their number, and the gate."""
