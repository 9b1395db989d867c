"""Registry clients: a folder for each kind, over shared sign-in, pacing and paging."""
