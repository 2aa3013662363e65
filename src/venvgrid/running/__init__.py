"""Schedules and executes the tasks of a run, and reports what happens as events."""
