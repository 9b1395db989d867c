"""What all work on a registry has at hand."""
