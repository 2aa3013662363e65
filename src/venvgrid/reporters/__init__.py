"""Events and reports as text: one module a format."""
