"""The use cases that look for a cause: probes are run as trials, and searches say which one is next."""
