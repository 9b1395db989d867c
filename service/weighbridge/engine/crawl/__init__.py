"""The crawl of a registry, and of one of its repositories."""
