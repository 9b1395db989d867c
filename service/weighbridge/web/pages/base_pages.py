"""The pages of bases, and their tables as CSV."""

from collections.abc import Sequence
from typing import Annotated, Literal, TypeAlias

from msgspec.structs import replace
from pydantic import Field
from starlette.requests import Request
from starlette.responses import Response

from weighbridge.domain.report.base import BaseReport
from weighbridge.domain.report.seeding import Seeding
from weighbridge.ports.job_names import BASES
from weighbridge.presentation.rows.base_rows import (
    BASE_COLUMNS,
    BASE_IMAGE_COLUMNS,
    base_image_cells,
    base_json,
)
from weighbridge.presentation.rows.seeding_rows import seeding_words
from weighbridge.store.leases.jobs import Job, done_at
from weighbridge.store.ledger.counted import totals_among
from weighbridge.store.ledger.counts import registry_totals
from weighbridge.store.reports.base_images import BaseImageQuery
from weighbridge.store.reports.bases import (
    BaseQuery,
    base_totals,
    in_base_order,
    totals_of_seen,
)
from weighbridge.store.reports.inventory import registry_freshness, was_crawled
from weighbridge.store.reports.seeding import seeding
from weighbridge.web.api.bases import (
    BaseCursor,
    BaseImageCursor,
    BaseName,
    BaseRoutes,
    Bases,
    BaseSort,
    IsOutdated,
)
from weighbridge.web.pages.report_pages import Links, page_of, paging
from weighbridge.web.request.answers import csv_answer
from weighbridge.web.request.parameters import DEFAULT_LIMIT, LIMIT_MAX, Group, Limit
from weighbridge.web.views.bases import base_view, bases_view
from weighbridge.web.views.frame import frame

Shown: TypeAlias = Annotated[
    Literal["savings", "images"],
    Field(description="What slimmer variants of the bases save, or the images on them"),
]


class _SavingsQuery(BaseQuery, frozen=True):
    """The same, what saves most first."""

    sort: str = "saved"


SavingsFirst: TypeAlias = Annotated[
    BaseQuery,
    Group(_SavingsQuery, BaseCursor, {"sort": BaseSort, "outdated": IsOutdated}),
]


class BasePages(BaseRoutes):
    """One method a page; each reads one state of the database."""

    def bases_page(
        self, request: Request, query: SavingsFirst, show: Shown = "savings"
    ) -> Response:
        """What the images of all registries stand on, and what slimmer bases save."""
        now, finder = self._clock(), self.finder(request)
        query = in_base_order(query)
        with self._database.read() as connection:
            registries = finder.seen(connection, registry_freshness(connection))
            sight = finder.sight(connection, query.team)
            seen = finder.bases(connection, now, query.team)
            of_registries = (
                registry_totals(connection)
                if sight is None
                else totals_among(connection, sight.ids)
            ).values()
            page = self.read_bases(connection, finder, query)
            totals = base_totals(connection) if seen is None else totals_of_seen(seen)
            most: Sequence[BaseReport] = ()
            if show == "savings":
                first = BaseQuery(sort="saved", limit=1, team=query.team)
                most = self.read_bases(connection, finder, first).items
            counted_at = done_at(connection, Job(BASES)) if sight is None else None
            seeded = seeding(connection) if finder.sees_all else Seeding(())
            is_crawled = was_crawled(connection) if sight is None else bool(sight.ids)
        view = bases_view(
            page,
            totals,
            next(iter(most), None),
            of_registries,
            counted_at,
            now,
            is_crawled=is_crawled,
        )
        links = _links(query, show)
        around = replace(
            frame("/bases", registries, now),
            twin="/bases",
            twin_query=links.query(limit=str(LIMIT_MAX), show=None),
        )
        return page_of(
            request,
            "bases.html",
            around,
            page=view,
            shown=show,
            query=query,
            links=links,
            seeding=seeded,
            seeding_words=seeding_words(seeded),
            **paging(links, page.next_cursor, query.cursor),
        )

    def one_base_page(
        self,
        request: Request,
        ref: BaseName,
        outdated: IsOutdated = None,
        limit: Limit = DEFAULT_LIMIT,
        cursor: BaseImageCursor = None,
    ) -> Response:
        """One base: the images on it."""
        now = self._clock()
        finder = self.finder(request)
        found, page, savings = self.read_base(
            finder, ref, BaseImageQuery(outdated, limit, cursor)
        )
        with self._database.read() as connection:
            registries = finder.seen(connection, registry_freshness(connection))
        wanted = None if outdated is None else str(outdated).lower()
        links = Links("/base", {"ref": ref, "outdated": wanted})
        around = replace(
            frame("/base", registries, now), twin="/base", twin_query=links.query()
        )
        return page_of(
            request,
            "base.html",
            around,
            page=base_view(found.report, page, now),
            savings=savings,
            outdated=outdated,
            links=links,
            **paging(links, page.next_cursor, cursor),
        )

    def bases_csv(self, request: Request, query: Bases) -> Response:
        """The table of the first page."""
        with self._database.read() as connection:
            page = self.read_bases(connection, self.finder(request), query)
        rows = map(base_json, page.items)
        return csv_answer(request, "bases", BASE_COLUMNS, rows, page.next_cursor)

    def one_base_csv(
        self,
        request: Request,
        ref: BaseName,
        outdated: IsOutdated = None,
        limit: Limit = LIMIT_MAX,
        cursor: BaseImageCursor = None,
    ) -> Response:
        """The images on one base."""
        _, page, _ = self.read_base(
            self.finder(request), ref, BaseImageQuery(outdated, limit, cursor)
        )
        rows = map(base_image_cells, page.items)
        columns = BASE_IMAGE_COLUMNS
        return csv_answer(request, "base-images", columns, rows, page.next_cursor)


def _links(query: BaseQuery, show: Shown) -> Links:
    limit = None if query.limit == DEFAULT_LIMIT else str(query.limit)
    outdated = None if query.outdated is None else str(query.outdated).lower()
    return Links(
        "/bases",
        {
            "show": None if show == "savings" else show,
            "q": query.q,
            "team": query.team,
            "outdated": outdated,
            "sort": query.sort,
            "order": query.order,
            "limit": limit,
        },
    )
