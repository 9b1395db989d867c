"""What to ask of each tag: known tags + seen tags -> the cheapest safe question."""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Final, Literal, TypeAlias

from msgspec import Struct

from weighbridge.domain.image.digest import Digest
from weighbridge.domain.registry.listing import TagSeen
from weighbridge.store.leases.claiming import Claim
from weighbridge.store.tags.applying import KnownTag

ALIASES_WORTH_A_HEAD = 2
"""More tags than this a digest in the last crawl: HEAD first, GET only the new."""

Kind: TypeAlias = Literal["same", "pushed", "head", "get", "check"]


class TagQuestion(Struct, frozen=True):
    """What a tag of a listing needs.

    kind:   same: the listing itself says that nothing changed, no request;
            pushed: it says that the same was pushed once more, no request either;
            head: ask for the digest first;
            get: a GET tells digest and content at once;
            check: a GET in the place of a HEAD, which may not be true
    digest: the one that the listing gives, where that is not what is stored: of a
            `get` one that the tag did not have
    compares: of a `check`: HEAD is asked too, even where GET tells what is stored
    """

    tag: TagSeen
    kind: Kind
    digest: Digest | None = None
    compares: bool = False


def _nobody(tag: str) -> bool:
    """Stands in where nobody has a turn."""
    return False


def plan(
    seen: Iterable[TagSeen],
    known: Mapping[str, KnownTag],
    *,
    head_first: bool,
    has_turn: Callable[[str], bool] = _nobody,
    by_get: bool = False,
) -> Iterator[TagQuestion]:
    """The question that each tag needs, in the listing's order.

    A known tag whose last crawl failed is asked again even if its digest is the
    old one: the failure may have passed. It comes last: a few that never get an
    answer would otherwise use up the crawl's patience before all others, each time.

    has_turn: whether a tag is asked by GET in the place of HEAD this time
    by_get:   whether all are, since HEAD was found false
    """
    for tag in sorted(seen, key=lambda tag: _has_failed(known.get(tag.name))):
        before = known.get(tag.name)
        if tag.digest is None and _is_as_pushed(tag, before):
            yield TagQuestion(tag, "same")
        elif tag.digest is None and _is_good(before) and (by_get or has_turn(tag.name)):
            yield TagQuestion(tag, "check", compares=by_get and has_turn(tag.name))
        elif tag.digest is None:
            asks_first = not by_get and (head_first or _was_read(before))
            yield TagQuestion(tag, "head" if asks_first else "get")
        elif before is None or before.digest != tag.digest or before.error_code:
            yield TagQuestion(tag, "get", tag.digest)
        elif _is_pushed_again(tag, before):
            yield TagQuestion(tag, "pushed", tag.digest)
        else:
            yield TagQuestion(tag, "same")


def _was_read(tag: KnownTag | None) -> bool:
    """Whether a HEAD can tell anything: there is a digest to compare with."""
    return tag is not None and (tag.digest is not None or tag.error_digest is not None)


def _is_good(tag: KnownTag | None) -> bool:
    return tag is not None and tag.digest is not None and not tag.error_code


def _is_as_pushed(tag: TagSeen, before: KnownTag | None) -> bool:
    """Whether the listing says that nobody has pushed to it since it was read."""
    return (
        before is not None
        and before.digest is not None
        and not before.error_code
        and tag.pushed_at is not None
        and tag.pushed_at == before.pushed_at
    )


def _is_pushed_again(tag: TagSeen, before: KnownTag) -> bool:
    """Whether the listing knows of a later push than the store. An earlier one is no
    news: a listing may be behind."""
    if tag.pushed_at is None:
        return False
    return before.pushed_at is None or tag.pushed_at > before.pushed_at


def _has_failed(tag: KnownTag | None) -> bool:
    return tag is not None and bool(tag.error_code)


def wants_head_first(tags: int, manifests: int) -> bool:
    """Whether a repository's tags are mostly aliases of each other."""
    return manifests > 0 and tags > ALIASES_WORTH_A_HEAD * manifests


PERIOD: Final = timedelta(days=7)
DISTRUST: Final = 2 * PERIOD
"""A registry whose HEAD was found false is asked by GET for so long: each tag is
compared twice meanwhile."""
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class CheckTurns:
    """Whose turn it is in one crawl.

    since:  when the last complete crawl began: the turns until then were had
    by_get: HEAD was found false not long ago, and is asked only to see whether it
            still is
    """

    def __init__(self, claim: Claim, since: datetime | None, now: datetime) -> None:
        self._repository = claim.repository
        self._now = now
        # Where no crawl was complete for a whole period, those that the last one could
        # not ask are asked in their next turn: all at once would not be spread.
        last = claim.last_crawl_at or now
        self._since = last if since is None or now - since > PERIOD else since
        found_at = claim.false_head_at
        self.by_get = found_at is not None and now - found_at < DISTRUST

    def has(self, tag: str) -> bool:
        """Whether the tag's turn came since then."""
        return last_turn(self._repository, tag, self._now) > self._since


def last_turn(repository: str, tag: str, now: datetime) -> datetime:
    """The moment of a tag's last turn, at most `PERIOD` ago."""
    digest = hashlib.sha256(f"{repository}:{tag}".encode()).digest()
    offset = PERIOD * (int.from_bytes(digest[:8]) / 2**64)
    return now - (now - _EPOCH - offset) % PERIOD
