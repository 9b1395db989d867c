"""The first page: what is heavy in all registries, and how far the data goes."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Final, Literal, TypeAlias

from msgspec import Struct

from weighbridge.domain.report.inventory import Page, RegistryReport, RepositoryReport
from weighbridge.presentation.rows.report_rows import stand_in
from weighbridge.web.views.charts import Storage, registry_storage, row_share
from weighbridge.web.views.frame import (
    Banner,
    RegistryLine,
    registry_banners,
    registry_line,
    repository_state,
)
from weighbridge.web.views.words import (
    NOTHING_READ,
    STAND_IN,
    Amount,
    amount_of_row,
    marked,
    summary,
)

_LINE_CHARACTERS: Final = 60
State: TypeAlias = Literal["empty", "first_crawl", "weighed"]


class RepositoryRow(Struct, frozen=True):
    """One row of the table.

    bar:   percent of the column; every row of a page has the same scale
    heaviest: the line, shortened, or words for what is no line of a Dockerfile
    state: what is to say beside the numbers, "" where all is well
    """

    report: RepositoryReport
    compressed: Amount
    uncompressed: Amount | None
    bar: float
    heaviest: str
    heaviest_is_line: bool
    state: str
    state_title: str


class RegistryRow(Struct, frozen=True):
    """One registry: how fresh it is, and what it stores.

    bar: percent of the column; every registry has the same scale
    """

    report: RegistryReport
    line: RegistryLine
    storage: Storage | None
    bar: float


class FirstCrawl(Struct, frozen=True):
    """A first crawl: repositories done of those known so far."""

    done: int
    known: int
    is_listing: bool
    share: float


class Overview(Struct, frozen=True):
    """The whole page.

    newest: the newest images of all repositories of these registries, summed without
            sharing
    teams:  whose repositories alone are listed, with no totals, as these are of all;
            None: everybody's
    """

    state: State
    title: str
    registries: Sequence[RegistryRow]
    storage: Storage | None
    newest: Amount
    banners: Sequence[Banner]
    progress: FirstCrawl | None
    rows: Sequence[RepositoryRow]
    teams: Sequence[str] | None = None


def overview_of_teams(page: Page[RepositoryReport], teams: Collection[str]) -> Overview:
    """What is heavy among the repositories of teams, who see nothing else."""
    names = sorted(teams)
    return Overview(
        state="weighed",
        title=f"Repositories of {', '.join(names)}" if names else "No team",
        registries=(),
        storage=None,
        newest=NOTHING_READ,
        banners=(),
        progress=None,
        rows=_rows(page),
        teams=names,
    )


def overview(
    registries: Sequence[RegistryReport],
    page: Page[RepositoryReport],
    now: datetime,
    only: str | None = None,
) -> Overview:
    """`only` restricts the figures to one registry."""
    shown = [r for r in registries if only in (None, r.name)]
    return Overview(
        state=_state(shown),
        title=_title(shown, only),
        registries=_registry_rows(shown, now),
        storage=registry_storage(shown),
        newest=_newest(shown),
        banners=[b for r in shown for b in registry_banners(r, now)],
        progress=_progress(shown),
        rows=_rows(page),
    )


def _rows(page: Page[RepositoryReport]) -> list[RepositoryRow]:
    largest = max((r.newest_compressed_bytes or 0 for r in page.items), default=0)
    return [_row(report, largest) for report in page.items]


def _newest(registries: Sequence[RegistryReport]) -> Amount:
    known = [n for r in registries if (n := r.newest_compressed_bytes) is not None]
    return Amount(sum(known)) if known else NOTHING_READ


def _registry_rows(
    registries: Sequence[RegistryReport], now: datetime
) -> list[RegistryRow]:
    largest = max((r.deduplicated_bytes or 0 for r in registries), default=0)
    return [
        RegistryRow(
            report=registry,
            line=registry_line(registry, now),
            storage=registry_storage([registry]),
            bar=row_share(registry.deduplicated_bytes or 0, largest),
        )
        for registry in registries
    ]


def _is_first_crawl(registry: RegistryReport) -> bool:
    """Whether a tenth or more of what is known was never crawled.

    Below that, new repositories were found in a registry that is known already.
    """
    if registry.state not in ("new", "ok"):
        return False
    if registry.repositories == 0:
        return registry.last_discovery_at is None
    pending = registry.repositories_pending
    return pending > 0 and pending * 10 >= registry.repositories


def _state(registries: Sequence[RegistryReport]) -> State:
    if not registries:
        return "empty"
    return "first_crawl" if any(map(_is_first_crawl, registries)) else "weighed"


def _title(registries: Sequence[RegistryReport], only: str | None) -> str:
    if not registries:
        return "Nothing on the scale yet"
    running = [r.name for r in registries if _is_first_crawl(r)]
    if running:
        return f"Weighing {', '.join(running)} for the first time"
    return only or (registries[0].name if len(registries) == 1 else "All registries")


def _progress(registries: Sequence[RegistryReport]) -> FirstCrawl | None:
    running = [r for r in registries if _is_first_crawl(r)]
    if not running:
        return None
    known = sum(r.repositories for r in running)
    done = max(0, known - sum(r.repositories_pending for r in running))
    is_listing = any(r.last_discovery_at is None for r in running)
    return FirstCrawl(done, known, is_listing, row_share(done, known))


def _row(report: RepositoryReport, largest: int) -> RepositoryRow:
    line = report.heaviest_instruction or ""
    stands_for = stand_in(line)
    state, state_title = repository_state(report)
    is_new = report.state == "new"
    return RepositoryRow(
        report=report,
        compressed=marked(
            Amount(
                report.newest_compressed_bytes,
                word="not yet" if is_new else "no image",
                reason="Its tags are not read yet"
                if is_new
                else "What it holds is not an image, or none could be read",
            ),
            report.newest_compressed_confidence,
            report.newest_claimed_bytes,
        ),
        uncompressed=amount_of_row(
            report.newest_uncompressed_bytes, report.newest_uncompressed_confidence
        )
        if is_new or report.newest_compressed_bytes is not None
        else None,
        bar=row_share(report.newest_compressed_bytes or 0, largest),
        heaviest=STAND_IN.get(stands_for) or summary(line, _LINE_CHARACTERS),
        heaviest_is_line=not stands_for,
        state=state,
        state_title=state_title,
    )
