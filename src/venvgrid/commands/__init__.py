"""What each command does: one module a command, with `main(arguments, terminal) -> exit status`."""
