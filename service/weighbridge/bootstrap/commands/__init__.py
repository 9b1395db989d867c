"""What the operating commands do with the configured database and channels."""
