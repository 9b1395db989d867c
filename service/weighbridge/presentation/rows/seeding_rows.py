"""How far bases are read, as a JSON object."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from weighbridge.domain.report.seeding import Seeding
from weighbridge.presentation.rows.report_rows import keys_of, row_of


@dataclass(frozen=True, slots=True)
class FailingBaseRow:
    """A repository of `bases` that could not be read to its end. What is known of its
    images stays. `registry` is the entry that is asked."""

    registry: str
    reference: str
    code: str
    reason: str
    failing_since: datetime | None


@dataclass(frozen=True, slots=True)
class SeedingRow:
    """How far the repositories are read that are named in `bases`.

    `read` of `repositories` were read to their end, `tags_read` of `tags_wanted` tags
    are known; `tags_wanted` is null as long as some could not be listed.
    """

    repositories: int
    read: int
    tags_wanted: int | None
    tags_read: int
    failing: list[FailingBaseRow]


_FAILING: Final = keys_of(FailingBaseRow)


def seeding_json(found: Seeding) -> dict[str, object]:
    """See `SeedingRow`."""
    return {
        "repositories": len(found.repositories),
        "read": found.read,
        "tags_wanted": found.tags_wanted,
        "tags_read": found.tags_read,
        "failing": [row_of(_FAILING, each) for each in found.failing],
    }


def seeding_words(found: Seeding) -> str:
    """`4 of 13 repositories of bases are read, 120 of 400 tags`; "" where none is
    named."""
    every = len(found.repositories)
    if not every:
        return ""
    noun = "repository" if every == 1 else "repositories"
    verb = "is" if found.read == 1 else "are"
    words = f"{found.read:,} of {every:,} {noun} of bases {verb} read"
    if found.tags_wanted is not None:
        words += f", {found.tags_read:,} of {found.tags_wanted:,} tags"
    return words
