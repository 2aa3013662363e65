"""What a run takes over from runs that did not finish."""
