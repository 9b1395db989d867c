"""What one crawl of a repository came to."""

from msgspec import Struct

from weighbridge.engine.tags.tag_request import TagFault
from weighbridge.store.crawls.crawl_rows import CrawlResult


class CrawlOutcome(Struct, frozen=True):
    """What one crawl did.

    faults:    its failed tags, at most a hundred
    is_silent: it was left because no answer came any more
    in_doubt:  a tag that it asked about brought none
    """

    result: CrawlResult
    faults: tuple[TagFault, ...]
    is_silent: bool = False
    in_doubt: bool = False
