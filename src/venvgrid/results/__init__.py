"""What a run leaves: report, exit status, journal, run folders, cached results, coverage."""
