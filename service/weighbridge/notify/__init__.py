"""Channels that messages go to: a folder for each kind, over `net` alone."""
