"""The crawl of a registry: its catalog, and which repositories are crawled when."""
