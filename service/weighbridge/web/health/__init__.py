"""Alive, and able to serve."""
