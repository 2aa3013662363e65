"""Scripts of their own that keep watch over the processes of one command, and the start of them."""
