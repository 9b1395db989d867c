"""Rows of the read model."""
