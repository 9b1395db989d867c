"""What one pass over a repository came to."""

from dataclasses import dataclass

from weighbridge.engine.tags.tag_request import TagFault
from weighbridge.store.crawls.crawl_rows import PassResult


@dataclass(frozen=True, slots=True)
class PassOutcome:
    """What one pass did.

    faults:    its failed tags, at most a hundred
    is_silent: it was left because no answer came any more
    in_doubt:  a tag that it asked about brought none
    """

    result: PassResult
    faults: tuple[TagFault, ...]
    is_silent: bool = False
    in_doubt: bool = False
