"""Limits, for pages and programs: those that hold for an image, which newest images are
nearest to theirs, and what one limit for all repositories would flag.
"""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from weighbridge.bootstrap.kinds import KINDS
from weighbridge.domain.image.reference import Reference, parse_reference
from weighbridge.domain.policy.policy import LIMIT_KEYS, Decided, Limits, PolicySet
from weighbridge.domain.policy.simulation import (
    ONE_IN,
    Flagged,
    Headroom,
    LimitEffect,
    NewestSize,
    Span,
    compare,
    limit_of,
    limits_in,
    nearest,
    patterns_of,
    present_limit,
    simulate_limits,
    thresholds,
)
from weighbridge.domain.policy.waiver import ActiveWaivers
from weighbridge.domain.registry.listing import main_url
from weighbridge.domain.report.inventory import RegistryReport
from weighbridge.domain.size.weighing import rfc3339
from weighbridge.domain.text.units import parse_limit_bytes
from weighbridge.presentation.rows.policy_rows import (
    EarlierImageRow,
    ImageLimit,
    ImageLimits,
    simulation_row,
    written_value,
)
from weighbridge.presentation.rows.report_rows import keys_of, row_of
from weighbridge.store.reports.inventory import (
    SizeCounts,
    counts_above,
    heaviest_newest_images,
    newest_sizes,
    registry_reports,
    size_at_rank,
)
from weighbridge.store.reports.tags import knows_images, recent_images
from weighbridge.store.session import Connection
from weighbridge.store.violations.waivers import active_waivers
from weighbridge.web.request.answers import json_answer
from weighbridge.web.request.finding import Handlers
from weighbridge.web.request.parameters import (
    DEFAULT_LIMIT,
    Limit,
    MaxCompressed,
    Ref,
    RegistryName,
)
from weighbridge.web.request.unknown_names import check_names, no_registry


class LimitRoutes(Handlers):
    """One method a route. An image need not be known yet: most that a gate asks about
    were built a moment ago. `weighbridge policy simulate` has all limits."""

    def limits(self, request: Request, ref: Ref) -> Response:
        """The limits of an image, whether each is waived, and the images before it in
        its stream, from which growth is counted: of platforms that are configured."""
        now = self._clock()
        with self._database.read() as connection:
            names, reference = _meant(ref, registry_reports(connection))
            holding = (
                n for n in names if knows_images(connection, n, reference.repository)
            )
            registry = next(holding, names[0])
            waivers = active_waivers(connection, now)
            recent = recent_images(
                connection,
                registry,
                reference.repository,
                reference.tag or "",
                self._finder.platforms,
                now,
            )
            is_known = knows_images(connection, registry, reference.repository)
        place = (registry, reference.repository, reference.tag or "")
        decided = self._policies().explain(*place)
        found = ImageLimits(
            registry=registry,
            repository=reference.repository,
            tag=reference.tag,
            items=[_limit(each, place, waivers, now) for each in decided],
            images=[EarlierImageRow(*image) for image in recent],
            images_known=is_known,
            platforms=[str(platform) for platform in self._finder.platforms],
        )
        return json_answer(request, asdict(found))

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


def _meant(
    ref: str, known: Sequence[RegistryReport]
) -> tuple[Sequence[str], Reference]:
    """The names that the registry has, one for each entry of its address, and the
    reference. A registry may be called by its
    name here, or by its address, as whoever builds an image does.

    Raises InvalidReference, and Refusal(404) for a registry that is not known.
    """
    first, slash, _ = ref.partition("/")
    if slash and any(report.name == first for report in known):
        return [first], parse_reference(ref, frozenset({first}))
    reference = parse_reference(ref)
    host = KINDS.hosts.get(reference.registry, reference.registry)
    names = [r.name for r in known if host in (r.name, _host_of(r))]
    if not names:
        raise no_registry()
    return names, reference


def _host_of(registry: RegistryReport) -> str:
    # With its prefix, which no reference can name: it is then known by its name alone.
    return main_url(registry.url, KINDS.hosts).partition("://")[2]


def _limit(
    decided: Decided,
    names: tuple[str, str, str],
    waivers: ActiveWaivers,
    now: datetime,
) -> ImageLimit:
    key = next((key for key in LIMIT_KEYS if key == decided.key), None)
    waiver = None
    if key is not None and decided.value is not None:
        waiver = waivers.find(*names, key, now)
    return ImageLimit(
        key=decided.key,
        value=written_value(decided),
        policy=None if decided.policy is None else decided.policy.name,
        waived_until=None if waiver is None else rfc3339(waiver.expires_at),
    )


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
    names = headroom.size._asdict()
    names["tag"] = headroom.size.tag or None
    return row_of(keys_of(HeadroomRow), headroom, **names)


COMPARED: Final = 10_000
"""So many repositories at most are held against the limits in force, one by one."""


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
) -> LimitEffect | None:
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
