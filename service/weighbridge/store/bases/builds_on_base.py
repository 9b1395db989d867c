"""The builds of a base that images stand on, as a row of `base_summaries` has them."""

import json
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Final, NamedTuple

from weighbridge.domain.report.base import BaseReport, BaseState
from weighbridge.store.models.types import microseconds, moment_of


class BuildOnBase(NamedTuple):
    """A build that images stand on, as a row of `base_summaries` lists it.

    left_at: since when its name leads elsewhere; None: it leads there
    """

    chain: int
    state: BaseState
    left_at: datetime | None

    @property
    def rank(self) -> int:
        """What is to be rebuilt comes first."""
        return _RANKS.index(self.state)


_RANKS: Final[tuple[BaseState, ...]] = ("outdated", "deleted", "current", "unknown")


class CountedBase(NamedTuple):
    """A base, and its builds that images stand on.

    chain: the build of which layers and bytes are shown; None: none is known
    """

    report: BaseReport
    builds: Sequence[BuildOnBase]
    chain: int | None


def written_builds(builds: Iterable[BuildOnBase]) -> str:
    """For the column of this name."""
    return json.dumps(
        [
            (b.chain, b.state, None if b.left_at is None else microseconds(b.left_at))
            for b in builds
        ]
    )


def read_builds(text: str) -> list[BuildOnBase]:
    """From that column."""
    return [
        BuildOnBase(chain, state, None if left_at is None else moment_of(left_at))
        for chain, state, left_at in json.loads(text)
    ]
