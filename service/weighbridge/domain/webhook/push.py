"""A push as a webhook tells of it: a hint where to look, and nothing more."""

from datetime import datetime

from msgspec import Struct

from weighbridge.domain.image.digest import Digest


class PushSeen(Struct, frozen=True):
    """One event about one tag, as its sender tells it. Checked names; nothing else of
    it is believed, and no address in it is ever asked.

    tag:       None where the sender does not say it
    digest:    what it says the tag has now, None where it does not
    is_delete: the tag, or the digest, is said to be gone
    pushed_at: aware, None where it is not said
    event:     what names this event among those of its sender: told twice, it is one
    """

    repository: str
    tag: str | None
    digest: Digest | None
    is_delete: bool
    pushed_at: datetime | None
    event: str
