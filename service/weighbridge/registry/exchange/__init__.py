"""One question to a registry and its answer."""
