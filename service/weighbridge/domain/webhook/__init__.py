"""Pushes as registries tell of them, and the secret of a sender."""
