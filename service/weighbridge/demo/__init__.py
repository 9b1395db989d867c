"""A small read-only registry with hand-written figures of real images."""
