"""The use case "watch": the grid follows the edits of the project."""
