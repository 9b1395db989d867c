"""A registry as it is asked: its address, its pages, its limits."""
