"""What results mean: failure groups, rules over versions, changes between runs, results.json."""
