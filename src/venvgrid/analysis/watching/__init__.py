"""What watch shows and in which order it runs cells. Pure."""
