"""Credentials as container tools keep them."""
