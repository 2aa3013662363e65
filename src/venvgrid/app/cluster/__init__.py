"""A run on many machines: what the coordinator sends, and what a worker does with it."""
