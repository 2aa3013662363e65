"""Expands a configuration into its cells: ids, grids, covering strategies, selection expressions."""
