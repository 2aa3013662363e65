"""Files one issue for each failure of a run: opened, updated, and closed, so that a scheduled red reaches a person."""
