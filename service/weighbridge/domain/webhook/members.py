"""What the adapters share: reading members strictly, and making a push of them."""

import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Final

from weighbridge.domain.image.digest import Digest, is_digest
from weighbridge.domain.image.reference import is_repository_name, is_tag
from weighbridge.domain.text.strict_json import Members
from weighbridge.domain.webhook.parsed_delivery import Outcome, PushSeen
from weighbridge.errors import DocumentError

# RFC 3339; fromisoformat alone would take week dates as well.
_MOMENT: Final = re.compile(
    r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,12})?(?:Z|[+-]\d\d:\d\d)", re.ASCII
)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_EARLIEST: Final = datetime(2000, 1, 1, tzinfo=UTC)
"""No registry is older. What says so does not know."""
_LATEST_S: Final = 2**35
_ITEMS: Final = 10_000
"""Of one list: senders tell of one event, and Event Grid of 5,000 at most."""


def members_of(value: object) -> Members:
    """An object. Raises DocumentError(malformed)."""
    if type(value) is not dict:
        raise malformed("an object is missing")
    return value


def items_of(value: object) -> list[object]:
    """A list. Raises DocumentError(malformed)."""
    if type(value) is not list:
        raise malformed("a list is missing")
    if len(value) > _ITEMS:
        raise malformed("a list is longer than a sender makes it")
    return value


def text_of(value: object) -> str:
    """A text, "" where there is none. Raises DocumentError(malformed)."""
    if value is None:
        return ""
    if type(value) is not str:
        raise malformed("a text is something else")
    return value


def each_of(value: object, read: Callable[[Members], Outcome]) -> Iterator[Outcome]:
    """Every event of a list: one that is malformed does not spoil the others."""
    for event in items_of(value):
        try:
            yield read(members_of(event))
        except DocumentError:
            yield "malformed"


def moment_of(value: object) -> datetime | None:
    """A time as RFC 3339 writes it; None for what is none."""
    if not isinstance(value, str) or _MOMENT.fullmatch(value) is None:
        return None
    try:
        return _plausible(datetime.fromisoformat(value).astimezone(UTC))
    except (ValueError, OverflowError):
        return None


def moment_of_seconds(value: object) -> datetime | None:
    """The same of seconds since 1970."""
    if not isinstance(value, int | float) or isinstance(value, bool):
        return None
    if not 0 <= value <= _LATEST_S:
        return None
    return _plausible(_EPOCH + timedelta(seconds=value))


def _plausible(moment: datetime) -> datetime | None:
    return moment if moment >= _EARLIEST else None


def pushed(
    repository: object,
    tag: object,
    *,
    event: str,
    digest: object = None,
    is_delete: bool = False,
    pushed_at: datetime | None = None,
) -> Outcome:
    """The push of one tag, with checked names.

    What was pushed without a tag is no push: a child of an index, a signature, or an
    image of which the tag is told by another event. What is deleted without one may
    have had several.
    digest: only a hint, so that one which is none is left out
    Raises DocumentError(malformed).
    """
    if not is_repository_name(repository):
        raise malformed("the repository has no valid name")
    name = _tag_of(tag)
    if name is None and not is_delete:
        return "not_a_push"
    return PushSeen(
        repository=str(repository),
        tag=name,
        digest=Digest(str(digest)) if is_digest(digest) else None,
        is_delete=is_delete,
        pushed_at=pushed_at,
        event=event,
    )


def _tag_of(value: object) -> str | None:
    """None for no tag, which some senders write as the digest."""
    text = text_of(value)
    if not text or is_digest(text):
        return None
    if not is_tag(text):
        raise malformed("the tag has no valid name")
    return text


def malformed(why: str) -> DocumentError:
    return DocumentError(
        f"the webhook's body is not its sender's: {why}", code="malformed"
    )
