"""Which limits hold for an image, for a gate that is about to let it pass or not."""

from collections.abc import Callable, Sequence
from dataclasses import asdict
from datetime import datetime
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import Response

from weighbridge.bootstrap.kinds import KINDS
from weighbridge.domain.image.platform import Platform
from weighbridge.domain.image.reference import Reference, parse_reference
from weighbridge.domain.policy.policy import LIMIT_KEYS, Decided, PolicySet
from weighbridge.domain.policy.waiver import ActiveWaivers
from weighbridge.domain.registry.listing import main_url
from weighbridge.domain.report.inventory import RegistryReport
from weighbridge.domain.size.weighing import rfc3339
from weighbridge.presentation.rows.policy_rows import (
    EarlierImageRow,
    ImageLimit,
    ImageLimits,
)
from weighbridge.store.reports.registries import registry_reports
from weighbridge.store.session import Database
from weighbridge.store.streams.stream_images import knows_images, recent_images
from weighbridge.store.violations.waivers import active_waivers
from weighbridge.web.request.answers import json_answer
from weighbridge.web.request.finding import no_registry
from weighbridge.web.request.parameters import Ref


class LimitRoutes:
    """The one route of a gate. The image need not be known yet: most that are checked
    were built a moment ago."""

    def __init__(
        self,
        database: Database,
        platforms: Sequence[Platform],
        clock: Callable[[], datetime],
        policies: Callable[[], PolicySet],
    ) -> None:
        self._database = database
        self._platforms = platforms
        self._clock = clock
        self._policies = policies

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
                self._platforms,
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
            platforms=[str(platform) for platform in self._platforms],
        )
        return json_answer(request, asdict(found))


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
    return urlsplit(main_url(registry.url, KINDS.hosts)).netloc


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
        value=decided.value,
        policy=None if decided.policy is None else decided.policy.name,
        waived_until=None if waiver is None else rfc3339(waiver.expires_at),
    )
