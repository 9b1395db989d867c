"""Channels that messages go to: one file a kind, over `net` alone."""
