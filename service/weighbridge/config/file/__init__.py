"""Which files are read, and what may be in the way of reading them."""
