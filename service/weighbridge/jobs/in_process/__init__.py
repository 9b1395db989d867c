"""Jobs that run in this process."""
