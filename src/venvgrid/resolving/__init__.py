"""From requirements to locked versions: index, policies, resolver, matrix.lock."""
