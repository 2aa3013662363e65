"""Events and reports as text: for terminals, files and CI services."""
