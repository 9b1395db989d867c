"""Which tags of a repository the rules for reclaiming keep. What they do not keep is
what a report is about: nothing is ever deleted."""

import re
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Final

from msgspec import Struct

from weighbridge.domain.growth.newest import Candidate, believed_created, ranked
from weighbridge.domain.text.globs import fits


class KeepRules(Struct, frozen=True):
    """A tag is kept if one of them keeps it.

    newest:   the tags of so many distinct images, the newest first, artifacts not
              counted; None: no such rule
    days:     tags that came to where they are in so many days; None: no such rule
    patterns: tags that one of these fits
    pulled_days: tags that were pulled in so many days; None: no such rule
    """

    newest: int | None = 10
    days: int | None = 90
    patterns: tuple[str, ...] = ("latest", "v*")
    pulled_days: int | None = None

    def __str__(self) -> str:
        """`keep newest 10, keep 90 days, keep latest, v*`."""
        said = [
            f"keep newest {self.newest:,}" if self.newest is not None else "",
            f"keep {self.days:,} days" if self.days is not None else "",
            (
                f"keep pulled in {self.pulled_days:,} days"
                if self.pulled_days is not None
                else ""
            ),
            f"keep {', '.join(self.patterns)}" if self.patterns else "",
        ]
        return ", ".join(filter(None, said))


DEFAULT_RULES: Final = KeepRules()


class ReclaimChoice(Struct, frozen=True):
    """What the configuration says of reports on reclaiming.

    rules:     which tags are kept where nobody names those that would go
    in_part:   the registries of which tags are left out, and those of their addresses:
               of these nothing is said
    """

    rules: KeepRules = DEFAULT_RULES
    in_part: frozenset[str] = frozenset()


NOTHING_CHOSEN: Final = ReclaimChoice()


class AgedTag(Struct, frozen=True):
    """A live tag. Times are aware.

    first_seen_at: when a crawl first saw the tag; the rest is as a candidate has it
    pulled_at:     when it was last pulled, as it is kept; None: no pull is known
    is_artifact:   it leads to no image, and to no index with one
    """

    candidate: Candidate
    first_seen_at: datetime
    pulled_at: datetime | None = None
    is_artifact: bool = False

    def since(self, now: datetime) -> datetime:
        """When it came to where it is: the push, or when it was seen to move. Of one
        that was there before the first crawl neither is known: when its image was made,
        as far as that can be true, else when it was first seen."""
        one = self.candidate
        told = one.pushed_at or one.moved_at
        return told or believed_created(one.created_at, now) or self.first_seen_at


PULLS_BEHIND: Final = timedelta(days=2)
"""A time of a pull that is kept may be so much behind the last one: a day for us, and a
day for registries that write it once a day."""
# The fallback of referrers (distribution-spec, "Referrers Tag Schema") and the tags of
# cosign: `sha256-<hex>`, with `.sig`, `.att` or `.sbom` behind it.
_COMPANION: Final = re.compile(r"(sha256|sha512)-([0-9a-f]{64,128})(?:\.[a-z]+)?")


def subject_of(tag: str) -> str | None:
    """The digest that a tag by its name belongs to: that of a signature, an
    attestation, a list of referrers. None for any other tag."""
    found = _COMPANION.fullmatch(tag)
    return None if found is None else f"{found[1]}:{found[2]}"


def not_kept(rules: KeepRules, tags: Iterable[AgedTag], now: datetime) -> list[AgedTag]:
    """The tags that no rule keeps. Those that belong to another image are not among
    them: they go with it, whatever their own age is."""
    own = [tag for tag in tags if subject_of(tag.candidate.tag) is None]
    newest = _newest(rules, own, now)
    kept_from = None if rules.days is None else now - timedelta(days=rules.days)
    pulled_from = None
    if rules.pulled_days is not None:
        pulled_from = now - timedelta(days=rules.pulled_days) - PULLS_BEHIND
    return [
        tag
        for tag in own
        if tag.candidate.digest not in newest
        and (kept_from is None or tag.since(now) < kept_from)
        and not _was_pulled(tag, pulled_from)
        and not any(fits(pattern, tag.candidate.tag) for pattern in rules.patterns)
    ]


def _was_pulled(tag: AgedTag, since: datetime | None) -> bool:
    return since is not None and tag.pulled_at is not None and tag.pulled_at >= since


def _newest(rules: KeepRules, tags: Iterable[AgedTag], now: datetime) -> frozenset[str]:
    if not rules.newest:
        return frozenset()
    found: dict[str, None] = {}
    images = (tag.candidate for tag in tags if not tag.is_artifact)
    for place in ranked(images, now):
        if len(found) == rules.newest:
            break
        found.setdefault(place.candidate.digest)
    return frozenset(found)
