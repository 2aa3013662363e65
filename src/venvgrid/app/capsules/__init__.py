"""Capsules of red cells: what is known of them, of their sources and of the machine, written beside the results."""
