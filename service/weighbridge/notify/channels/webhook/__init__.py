"""A webhook of the receiver, with a signature."""
