"""What one pass over a repository came to."""

from msgspec import Struct

from weighbridge.engine.tags.tag_request import TagFault
from weighbridge.store.crawls.crawl_rows import PassResult


class PassOutcome(Struct, frozen=True):
    """What one pass did.

    faults:    its failed tags, at most a hundred
    is_silent: it was left because no answer came any more
    in_doubt:  a tag that it asked about brought none
    """

    result: PassResult
    faults: tuple[TagFault, ...]
    is_silent: bool = False
    in_doubt: bool = False
