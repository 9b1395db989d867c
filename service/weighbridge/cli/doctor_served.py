"""The checks of `weighbridge doctor` of what is served: the files of TLS, and whether a
scrape keeps within its limits. Those of all else are below the web."""

import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

from msgspec import Struct

from weighbridge.bootstrap.databases import checked_database
from weighbridge.bootstrap.doctor.check import (
    Check,
    CheckResult,
    Installation,
    State,
)
from weighbridge.bootstrap.doctor.registries import SOON
from weighbridge.domain.text.units import format_bytes, format_duration
from weighbridge.presentation.forms.phrases import minute, plural
from weighbridge.store.connection.deadlines import within
from weighbridge.store.session import Connection
from weighbridge.web.metrics.snapshot import take_snapshot
from weighbridge.web.server.certificate_files import (
    Certificate,
    read_served,
    warnings_of,
)
from weighbridge.web.server.tls import server_context

SCRAPE: Final = "scrape"
TLS: Final = "tls"
_SLOW_S: Final = 10.0
"""What Prometheus waits for a scrape by default."""


class Scrape(Struct, frozen=True):
    """What a scrape of the inventory has.

    omitted:        repositories that have no series of their own, as not all fit
    pinned_omitted: of those, the ones that the configuration wants to stay
    """

    series: int
    omitted: int
    pinned_omitted: int
    body_bytes: int
    seconds: float


def look_at_scrape(installation: Installation, _: str) -> Iterator[CheckResult]:
    """It is rendered once, as the service does."""
    settings = installation.settings
    with (
        within(installation.timeout_s),
        checked_database(settings) as database,
        database.read() as connection,
    ):
        scrape = _rendered(installation, connection)
    yield from scrape_within(scrape, settings.metrics.max_series)


def _rendered(installation: Installation, connection: Connection) -> Scrape:
    began = time.monotonic()
    snapshot = take_snapshot(
        connection,
        installation.settings.metrics.budget,
        time.time(),
        policies=installation.policies.policies,
    )
    choice = snapshot.choice
    return Scrape(
        series=snapshot.text.series,
        omitted=choice.omitted,
        pinned_omitted=choice.pinned_omitted,
        body_bytes=len(snapshot.text.plain),
        seconds=time.monotonic() - began,
    )


def scrape_within(scrape: Scrape, most: int) -> Iterator[CheckResult]:
    """most: `metrics.max_series`"""
    rendered = (
        f"{scrape.series:,} of {most:,} series, {format_bytes(scrape.body_bytes)},"
        f" rendered in {format_duration(scrape.seconds)}"
    )
    if scrape.omitted:
        left_out = plural(scrape.omitted, "repository", "repositories")
        verb = "has" if scrape.omitted == 1 else "have"
        pinned = f", {scrape.pinned_omitted:,} of them pinned"
        yield CheckResult(
            SCRAPE,
            "warning",
            f"{left_out}{pinned if scrape.pinned_omitted else ''} {verb} no series, as"
            f" not all fit into metrics.max_series: {rendered}",
            "raise metrics.max_series if Prometheus has room, or name what matters in"
            " metrics.pin; totals are whole",
        )
    elif scrape.seconds <= _SLOW_S:
        yield CheckResult(SCRAPE, "ok", rendered)
    if scrape.seconds > _SLOW_S:
        yield CheckResult(
            SCRAPE,
            "warning",
            f"rendering takes long: {rendered}",
            "lower metrics.max_series, or give the database a faster disk",
        )


def listeners(installation: Installation) -> Sequence[str]:
    """Those that speak TLS."""
    web, metrics = installation.settings.web, installation.settings.metrics
    named = (("web", web.tls), ("metrics", metrics.tls))
    return [name for name, tls in named if tls is not None]


def look_at_tls(installation: Installation, listener: str) -> Iterator[CheckResult]:
    """Whether its files can be served with, and for how long."""
    web, metrics = installation.settings.web, installation.settings.metrics
    tls = web.tls if listener == "web" else metrics.tls
    assert tls is not None  # noqa: S101 - one of `listeners`
    certificate = read_served(tls, server_context()).certificate
    url = web.external_url if listener == "web" else None
    now = datetime.now(UTC)
    of = f"{TLS} {listener}"
    refused = list(warnings_of(certificate, tls.cert_file, url, now))
    is_valid = certificate.why_not_valid(now) is None
    state: State = "warning" if is_valid else "fault"
    for text in refused:
        yield CheckResult(of, state, text, "have a new certificate made")
    if not refused:
        yield ending(of, certificate, now)


def ending(of: str, certificate: Certificate, now: datetime) -> CheckResult:
    """Of one that is valid now."""
    left: timedelta = certificate.ends_at - now
    names = ", ".join(certificate.names) or "no host"
    ends_at = minute(certificate.ends_at)
    text = f"for {names}, for {plural(left.days, 'day')} until {ends_at} UTC"
    if left > SOON:
        return CheckResult(of, "ok", text)
    return CheckResult(of, "warning", f"it ends soon: {text}", "have it renewed")


SERVED: Final[Sequence[Check]] = (
    Check(SCRAPE, look_at_scrape, needs_database=True),
    Check(TLS, look_at_tls, listeners),
)
"""In the order in which they are told, behind all others."""
