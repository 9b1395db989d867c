"""How long history is kept that nothing needs any more."""

from datetime import timedelta

from msgspec import Struct


class Retention(Struct, frozen=True):
    """None: for ever.

    crawls:          records of crawls of a repository, from the end of each
    untagged_images: what images are made of, from when no tag led to them any more
    pushes:          what webhooks told, from when it was handled
    notifications:   violations, with what was told of them, from the end of each
    """

    crawls: timedelta | None
    untagged_images: timedelta | None
    pushes: timedelta | None = None
    notifications: timedelta | None = None
