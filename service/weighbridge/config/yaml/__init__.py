"""Strict YAML with the place of every value, and where each one comes from."""
