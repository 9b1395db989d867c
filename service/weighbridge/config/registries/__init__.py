"""The keys of registries."""
