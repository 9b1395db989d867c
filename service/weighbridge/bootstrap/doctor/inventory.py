"""Whether a scrape keeps within its limits, and which repositories have a policy."""

from collections.abc import Iterator
from typing import Final

from weighbridge.bootstrap.databases import checked_database
from weighbridge.bootstrap.doctor.check import CheckResult, Installation, Scrape
from weighbridge.domain.text.units import format_bytes, format_duration
from weighbridge.presentation.forms.phrases import plural
from weighbridge.store.connection.deadlines import within
from weighbridge.store.reports.inventory import inventory_pieces

SCRAPE: Final = "scrape"
POLICIES: Final = "policies"
_SLOW_S: Final = 10.0
"""What Prometheus waits for a scrape by default."""


def look_at_scrape(installation: Installation, _: str) -> Iterator[CheckResult]:
    """It is rendered once, as the service does."""
    settings = installation.settings
    with (
        within(installation.timeout_s),
        checked_database(settings) as database,
        database.read() as connection,
    ):
        scrape = installation.scrape(connection)
    yield from scrape_within(scrape, settings.metrics.max_series)


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


def look_at_policies(installation: Installation, _: str) -> Iterator[CheckResult]:
    """They were read already: of how many repositories none says anything."""
    settings, policies = installation.settings, installation.policies.policies
    known = bare = 0
    with (
        within(installation.timeout_s),
        checked_database(settings) as database,
        database.read() as connection,
    ):
        for piece in inventory_pieces(connection, ()):
            known += len(piece)
            bare += sum(
                not policies.has_any(row.registry, row.repository) for row in piece
            )
    counted = plural(len(policies.policies), "policy", "policies")
    of = plural(known, "repository", "repositories")
    if known and bare == known:
        yield CheckResult(
            POLICIES,
            "warning",
            f"{counted}, and none is about any of the {of} that are known",
            "weighbridge policy explain REF says what a policy matches",
        )
        return
    yield CheckResult(POLICIES, "ok", f"{counted}; {bare:,} of {of} without any")
