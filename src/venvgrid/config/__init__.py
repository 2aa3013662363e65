"""From TOML to a checked Config, with every mistake at once; only the file is read."""
