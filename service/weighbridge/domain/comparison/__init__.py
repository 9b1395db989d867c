"""Two images beside each other."""
