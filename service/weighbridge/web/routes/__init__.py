"""Which address leads to which handler, and what is said of it."""
