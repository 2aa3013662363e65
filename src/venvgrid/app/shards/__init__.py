"""What comes back from the shards of a plan."""
