"""The commands of the grid, from its plan to its report: one module for each, imported when it is called."""
