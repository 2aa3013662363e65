"""The commands that look for a cause or a bound: each runs probes."""
