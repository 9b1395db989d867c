"""Harbor: its API and its registry, on one host."""
