"""The use case "bounds": the versions of dependencies with which the tests truly pass."""
