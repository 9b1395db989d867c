"""What to ask of each tag: known tags + seen tags -> the cheapest safe question."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from weighbridge.domain.digest import Digest
from weighbridge.domain.listing import TagSeen
from weighbridge.store.tags import KnownTag

ALIASES_WORTH_A_HEAD = 2
"""More tags than this a digest in the last pass: HEAD first, GET only the new."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What a chunk of a listing needs, each tag in exactly one place.

    same:   the listing itself says that nothing changed: no request
    head:   ask for the digest first
    fetch:  the listing gives a digest that the tag did not have
    get:    never seen: a GET by name tells digest and content at once
    """

    same: tuple[TagSeen, ...] = ()
    head: tuple[TagSeen, ...] = ()
    fetch: tuple[tuple[TagSeen, Digest], ...] = ()
    get: tuple[TagSeen, ...] = ()


def plan(
    seen: Sequence[TagSeen], known: Mapping[str, KnownTag], *, head_first: bool
) -> Plan:
    """Sort a chunk of tags by the question that each needs.

    A known tag whose last look failed is asked again even if its digest is the
    old one: the failure may have passed.
    """
    same: list[TagSeen] = []
    head: list[TagSeen] = []
    fetch: list[tuple[TagSeen, Digest]] = []
    get: list[TagSeen] = []
    for tag in seen:
        before = known.get(tag.name)
        if tag.digest is None:
            (head if head_first or _was_read(before) else get).append(tag)
        elif before is None or before.digest != tag.digest or before.error_code:
            fetch.append((tag, tag.digest))
        else:
            same.append(tag)
    return Plan(tuple(same), tuple(head), tuple(fetch), tuple(get))


def _was_read(tag: KnownTag | None) -> bool:
    """Whether a HEAD can tell anything: there is a digest to compare with."""
    return tag is not None and (tag.digest is not None or tag.error_digest is not None)


def wants_head_first(tags: int, manifests: int) -> bool:
    """Whether a repository's tags are mostly aliases of each other."""
    return manifests > 0 and tags > ALIASES_WORTH_A_HEAD * manifests
