"""The project under test: metadata, sources, wheel."""
