"""The names by which work is handed over. Arguments are names and ids only."""

from typing import Final

CRAWL: Final = "weighbridge.crawl"
"""registry: crawl this configured registry now."""
PRUNE: Final = "weighbridge.prune"
"""no argument: remove what is older than `history` says and needed by nothing."""
