"""Connections: opened, kept, and given back."""
