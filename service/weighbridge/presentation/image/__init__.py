"""One weighing, or two beside each other, in words and tables."""
