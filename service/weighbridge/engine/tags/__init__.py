"""The question about one tag, and its answer."""
