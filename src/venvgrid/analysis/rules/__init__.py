"""Rules: which versions separate the cells with a failure from those without, and how sure that is. Pure."""
