"""One folder for each kind of registry."""
