"""The names by which work is handed over. Arguments are names and ids only."""

from typing import Final

CRAWL: Final = "weighbridge.crawl"
"""registry: crawl this configured registry now."""
