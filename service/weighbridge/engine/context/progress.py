"""How far a crawl is: counters that it moves and that a face draws."""

from msgspec import Struct


class Progress(Struct):
    """Written by the crawl's event loop, read by any thread; only for showing.

    repositories_known, tags_known: None while their listing has not ended
    weighed_bytes: compressed bytes of the distinct images read so far
    now:           the repository that was begun last
    """

    registry: str = ""
    url: str = ""
    stage: str = "listing"
    repositories_done: int = 0
    repositories_known: int | None = None
    tags: int = 0
    tags_known: int | None = None
    images: int = 0
    layers_done: int = 0
    layers_known: int | None = None
    requests: int = 0
    throttled: int = 0
    bytes_read: int = 0
    weighed_bytes: int = 0
    now: str = ""
