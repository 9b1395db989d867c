"""One weighing in words and tables."""
