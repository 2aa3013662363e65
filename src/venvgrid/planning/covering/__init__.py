"""Covering arrays under constraints, and an independent check of them. Knows nothing of cells."""
