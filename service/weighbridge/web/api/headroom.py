"""Which newest images are nearest to their limit, and the routes that tell."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from starlette.requests import Request
from starlette.responses import Response

from weighbridge.domain.policy.policy import PolicySet
from weighbridge.domain.policy.simulation import (
    Headroom,
    NewestSize,
    Span,
    limits_in,
    nearest,
    patterns_of,
)
from weighbridge.domain.policy.waiver import ActiveWaivers
from weighbridge.store.reports.inventory import newest_sizes
from weighbridge.store.session import Connection, Database
from weighbridge.store.violations.waivers import active_waivers
from weighbridge.web.request.answers import json_answer
from weighbridge.web.request.finding import check_names
from weighbridge.web.request.parameters import DEFAULT_LIMIT, Limit, RegistryName


@dataclass(frozen=True, slots=True)
class HeadroomRow:
    """The newest image of a repository that keeps its `max_compressed`. `is_near`: it
    is at least 90 % of it."""

    registry: str
    repository: str
    tag: str | None
    compressed_bytes: int
    limit_bytes: int
    left_bytes: int
    is_near: bool


class Headrooms:
    """The list as JSON."""

    def __init__(
        self,
        database: Database,
        clock: Callable[[], datetime],
        policies: Callable[[], PolicySet],
    ) -> None:
        self._database = database
        self._clock = clock
        self._policies = policies

    def headroom(
        self,
        request: Request,
        registry: RegistryName = None,
        limit: Limit = DEFAULT_LIMIT,
    ) -> Response:
        """Newest images that keep `max_compressed`, nearest to it first."""
        now = self._clock()
        with self._database.read() as connection:
            check_names(connection, registry)
            waivers = active_waivers(connection, now)
            in_force = LimitsInForce(self._policies(), waivers, now)
            found = read_nearest(connection, in_force, registry, limit)
        items = [_json(headroom) for headroom in found]
        return json_answer(request, {"items": items, "next_cursor": None})


@dataclass(frozen=True, slots=True)
class LimitsInForce:
    """The limits of `max_compressed` that hold at a moment. What is waived is compared
    with nothing."""

    policies: PolicySet
    waivers: ActiveWaivers
    now: datetime

    def __call__(self, size: NewestSize) -> int | None:
        registry, repository, tag, _ = size
        limits = self.policies.limits_of(registry, repository, tag)
        limit = limits.max_compressed_bytes
        if limit is None or not self.waivers.may_cover(repository):
            return limit
        names = (registry, repository, tag)
        waiver = self.waivers.find(*names, "max_compressed", self.now)
        return limit if waiver is None else None


def read_nearest(
    connection: Connection, in_force: LimitsInForce, registry: str | None, most: int
) -> tuple[Headroom, ...]:
    """The nearest to their limit that keep it.

    registry: of this one only
    """
    patterns = patterns_of(in_force.policies)

    def read(within: Sequence[Span]) -> Iterable[NewestSize]:
        return newest_sizes(connection, within, registry, patterns)

    return nearest(read, limits_in(in_force.policies), in_force, most)


def _json(headroom: Headroom) -> dict[str, object]:
    size = headroom.size
    return {
        "registry": size.registry,
        "repository": size.repository,
        "tag": size.tag or None,
        "compressed_bytes": size.compressed_bytes,
        "limit_bytes": headroom.limit_bytes,
        "left_bytes": headroom.left_bytes,
        "is_near": headroom.is_near,
    }
