"""What manifests and configs say: kept once, never changed, read back as values."""
