"""What one limit for all repositories would flag, for the page and for programs."""

from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from weighbridge.domain.policy.policy import Limits, PolicySet
from weighbridge.domain.policy.simulation import (
    ONE_IN,
    Comparison,
    Flagged,
    compare,
    limit_of,
    limits_in,
    present_limit,
    simulate_limits,
    thresholds,
)
from weighbridge.domain.text.units import parse_limit_bytes
from weighbridge.presentation.rows.policy_rows import simulation_row
from weighbridge.store.reports.inventory import (
    SizeCounts,
    counts_above,
    heaviest_newest_images,
    newest_sizes,
    size_at_rank,
)
from weighbridge.store.session import Connection, Database
from weighbridge.web.request.answers import json_answer
from weighbridge.web.request.finding import check_names
from weighbridge.web.request.parameters import (
    DEFAULT_LIMIT,
    Limit,
    MaxCompressed,
    RegistryName,
)

COMPARED: Final = 10_000
"""So many repositories at most are held against the limits in force, one by one."""


class Simulations:
    """A limit as JSON; `weighbridge policy simulate` has all limits."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def simulation(
        self,
        request: Request,
        max_compressed: MaxCompressed,
        registry: RegistryName = None,
        limit: Limit = DEFAULT_LIMIT,
    ) -> Response:
        """What `max_compressed` would flag if it held for all repositories."""
        limit_bytes = parse_limit_bytes(max_compressed)
        with self._database.read() as connection:
            check_names(connection, registry)
            counts = counts_above(connection, [limit_bytes], registry)
            flagged = read_flagged(connection, limit_bytes, registry, limit)
        answer = {
            "limit_key": "max_compressed",
            "limit_amount": limit_bytes,
            "repositories": counts.repositories,
            "unknown": counts.unknown,
            "exceeding": counts.above[limit_bytes],
            "items": list(map(simulation_row, flagged)),
        }
        return json_answer(request, answer)


def read_thresholds(
    connection: Connection, policies: PolicySet, registry: str | None
) -> tuple[int, ...]:
    """Limits that are worth a try, the one in force among them; none where no size is
    known.

    registry: of this one only
    """
    sizes = counts_above(connection, (), registry)
    rank = sizes.known // ONE_IN
    upper = size_at_rank(connection, rank, registry)
    if upper is None or sizes.heaviest is None:
        return ()
    present = present_limit(policies)
    tried = set(thresholds(upper, sizes.heaviest))
    return tuple(sorted(tried if present is None else tried | {present}))


def read_flagged(
    connection: Connection, limit_bytes: int, registry: str | None, most: int
) -> tuple[Flagged, ...]:
    """The worst that the limit would flag. The judge is that of a push."""
    images = heaviest_newest_images(connection, limit_bytes, registry, most)
    return simulate_limits(Limits(max_compressed_bytes=limit_bytes), images).flagged


def lowest_limit(policies: PolicySet, limit_bytes: int) -> int:
    """Nobody below it is over this limit or over one in force."""
    return min([limit_bytes, *limits_in(policies)])


def read_comparison(
    connection: Connection,
    limit_bytes: int,
    policies: PolicySet,
    counts: SizeCounts,
    registry: str | None,
) -> Comparison | None:
    """Whom the limit would flag who is over none now, and the other way round.

    counts: with those above the limit, and above `lowest_limit`
    None: no policy sets a limit, or too many images would have to be looked at
    """
    if not limits_in(policies) or counts.above[limit_bytes] > COMPARED:
        return None
    lowest = lowest_limit(policies, limit_bytes)
    # Who is over a limit now is among these, if they are few enough to be looked at.
    with_fewer = counts.above[lowest] <= COMPARED
    above = lowest if with_fewer else limit_bytes
    within = (above + 1, counts.heaviest or 0)
    sizes = newest_sizes(connection, [within], registry)
    return compare(limit_bytes, sizes, limit_of(policies), with_fewer=with_fewer)
