"""The terminal of `venvgrid watch`: its keys and its screen."""
