"""The crawl of one repository."""
