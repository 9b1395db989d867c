"""Docker Hub: its registry beside its API."""
