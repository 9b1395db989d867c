"""What deleting tags of a repository would free: a report, and nothing is deleted.

Bytes are those that the registry's garbage collection frees after the deletion. What no
tag reaches is not seen, and not counted.
"""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Final

from msgspec import Struct

from weighbridge.domain.image.digest import Digest
from weighbridge.domain.report.inventory import RepositoryState

_STATES: Final[dict[RepositoryState, str]] = {
    "new": "it was never crawled to its end",
    "partial": "its last crawl did not see all of it",
    "missing": "the registry does not know it any more",
    "unauthorized": "the registry refused its last crawl",
    "unreachable": "the registry did not answer its last crawl",
    "error": "its last crawl failed",
    "deleted": "the registry does not have it any more",
}

LEAVES_TAGS_OUT: Final = (
    "not all tags of its registry are read: the configuration excludes some (`tags`)"
)
"""Why nothing can be said where what is not read may hold the same."""


def why_unknown(
    state: RepositoryState,
    state_reason: str,
    *,
    is_held: bool = False,
    leaves_tags_out: bool = False,
) -> str | None:
    """Why nothing can be said of what deleting tags of a repository frees: what no
    crawl has seen may hold the same. None: it can.

    is_held:         its deletion, or that of tags of it, waits for a second crawl
    leaves_tags_out: the configuration leaves tags of its registry out, by this entry or
                     by another one of its address
    """
    if leaves_tags_out:
        return LEAVES_TAGS_OUT
    if is_held or state_reason == "removals_held":
        return "much of it is missing at once, which waits for a second crawl"
    words = _STATES.get(state)
    if words is None:
        return None
    has_reason = state_reason and state_reason != state
    return f"{words} ({state_reason})" if has_reason else words


class Releasing(Struct, frozen=True):
    """The tags of one image, or of another thing, that would go.

    digest:      what they name
    tags:        those that would go
    stays:       other tags that name it, which stay; of many the first ones
    stay_count:  how many these are
    is_listed:   an index lists it
    since:       when the latest of the tags came to where it is, as rules count it
    freed_bytes: what deleting these tags alone frees
    """

    digest: Digest
    tags: Sequence[str]
    stays: Sequence[str]
    stay_count: int
    is_listed: bool
    since: datetime
    freed_bytes: int

    @property
    def reason(self) -> str | None:
        """Why they alone free nothing; None: they do."""
        if self.freed_bytes:
            return None
        if self.stays:
            more = self.stay_count - len(self.stays)
            others = f"{', '.join(self.stays)}{f' and {more:,} more' if more else ''}"
            return (
                f"{others} {'name' if self.stay_count > 1 else 'names'} the same digest"
            )
        if self.is_listed:
            return "an index lists it"
        return "what stays holds all of it"


class Freed(Struct, frozen=True):
    """What is not needed any more once tags are gone.

    manifests:       of the repository, that nothing leads to; indexes before what they
                     list
    blobs:           that nothing in the storage scope holds, the manifests included
    freed_bytes:     of these blobs
    elsewhere_bytes: what leaves the repository and others in the scope hold
    """

    manifests: Sequence[Digest] = ()
    blobs: int = 0
    freed_bytes: int = 0
    elsewhere_bytes: int = 0


class ReclaimReport(Struct, frozen=True):
    """What deleting some tags of a repository frees.

    storage_scope: the set inside which the registry keeps a blob once
    stored_bytes:  of the repository, each blob once; None: not known
    tags:          that would go
    groups:        the same by what they name, those that free most first
    freed:         of all together, which is more than the sum over the groups where
                   these share blobs; None: it is not known, see `reason`
    reason:        why nothing is known, or why nothing is freed; None: something is
    left_behind:   tags that belong to what would go, and stay
    """

    registry: str
    repository: str
    storage_scope: str
    stored_bytes: int | None
    tags: int
    groups: Sequence[Releasing] = ()
    freed: Freed | None = None
    reason: str | None = None
    left_behind: Collection[str] = ()


def why_nothing(groups: Sequence[Releasing], freed: Freed) -> str | None:
    """Why deleting the tags frees nothing; None: it frees something."""
    if freed.freed_bytes:
        return None
    if not groups:
        return "no tag would go"
    reasons = list(dict.fromkeys(group.reason for group in groups if group.reason))
    if len(groups) == 1 and reasons:
        return reasons[0]
    if not freed.manifests:
        return "tags that stay lead to all of it"
    return "what stays holds all of it"
