"""The rule behind a failure, found by probes: what is believed, which probe tells most, what is proven. Pure."""
