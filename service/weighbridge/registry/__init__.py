"""Registry clients: one file a kind, over shared auth, pacing and paging."""
