"""The use cases: plan, resolve, run, trial, load a report; and the Python interface. Front ends only fill options."""
