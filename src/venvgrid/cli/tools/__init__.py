"""The commands for what a grid works with: environments, interpreters, caches, schemas, shells."""
