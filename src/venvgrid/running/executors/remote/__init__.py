"""The executor of many machines: it places tasks, follows them, and does those of lost machines again."""
