"""What the processes of a cell reached outside of their environment: programs and the network."""
