"""The pages, and their tables as CSV, and as JSON where it is not the API's."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Annotated, Final, Literal, TypeAlias
from urllib.parse import urlencode

from msgspec import Struct
from msgspec.structs import replace
from pydantic import Field
from starlette.requests import Request
from starlette.responses import Response

from weighbridge.domain.report.inventory import (
    Page,
    RegistryReport,
    RepositoryCrawlReport,
    RepositoryReport,
    TagReport,
)
from weighbridge.domain.traffic.months import month_of
from weighbridge.presentation.rows.report_rows import (
    LINE_COLUMNS,
    columns,
    line_rows,
    page_json,
    row_json,
)
from weighbridge.store.reports import repositories
from weighbridge.store.reports.crawls import CrawlQuery, crawl_page
from weighbridge.store.reports.inventory import registry_freshness, registry_reports
from weighbridge.store.reports.repositories import RepositoryQuery, in_order_of_cursor
from weighbridge.store.reports.search import SearchResult
from weighbridge.web.api.crawl_requests import request_lines
from weighbridge.web.request.answers import (
    Refusal,
    csv_answer,
    json_answer,
    page_answer,
    refused_page_answer,
)
from weighbridge.web.request.finding import Finder, Handlers
from weighbridge.web.request.parameters import (
    DEFAULT_LIMIT,
    LIMIT_MAX,
    CrawlCursor,
    GroupCursor,
    Limit,
    Order,
    Period,
    PlatformName,
    Ref,
    Repositories,
    SearchInput,
    TagCursor,
    Team,
    text,
)
from weighbridge.web.request.principal import principal_of
from weighbridge.web.request.unknown_names import no_registry
from weighbridge.web.views.frame import (
    NAVIGATION,
    Frame,
    frame,
    rate_limit_words,
    registry_line,
    reload_banner,
    repository_banners,
    who_line,
)
from weighbridge.web.views.image import image_page
from weighbridge.web.views.over_time import STEPS, OverTime, over_time
from weighbridge.web.views.overview import overview, overview_of_teams
from weighbridge.web.views.pulls import pulls_section
from weighbridge.web.views.repository import TagSort, TagTable, repository_page
from weighbridge.web.views.templating import render


class Links(Struct, frozen=True):
    """Addresses are relative, so that no Host header ends up in one.

    state: the parameters of the page that is shown; None leaves one out
    """

    path: str
    state: Mapping[str, str | None]

    def to(self, **changes: str | None) -> str:
        """The page with these parameters changed."""
        return f"{self.path}{self.query(**changes)}"

    def query(self, **changes: str | None) -> str:
        """The same parameters for another path, with their question mark."""
        wanted = {**self.state, **changes}
        query = urlencode({k: v for k, v in wanted.items() if v is not None})
        return f"?{query}" if query else ""

    def sorted_by(self, column: str) -> str:
        """By this column; by its other direction if it is the one sorted by."""
        return self.to(sort=column, order=self._order(column))

    def of_registry(self, name: str) -> str:
        """Of one registry, "" for all, with nothing filtered."""
        return self.to(registry=name or None, q=None, violating=None)

    def _order(self, column: str) -> str:
        if column == self.state.get("sort"):
            return "asc" if self.state.get("order") == "desc" else "desc"
        # Names are read from A, amounts from the largest.
        return "asc" if column == "name" else "desc"


Scale: TypeAlias = Annotated[
    Literal["linear", "log"],
    Field(
        description="Whether bytes are drawn from zero, or each power of ten as high as"
        " the next"
    ),
]
ShownBytes: TypeAlias = Annotated[
    Literal["compressed", "uncompressed"],
    Field(description="Which bytes are shown: what a pull moves, or what a disk takes"),
]
TagFilter: TypeAlias = Annotated[
    str, text("Only tags of this name, in which * stands for any text")
]

FIRST_CRAWL_REFRESH_S: Final = 2
SEARCH_HITS: Final = 100
SORTED_IMAGES: Final = 300
"""Of a repository with more, its newest so many are put in another order."""


class Pages(Handlers):
    """One method a page; a page reads the registries for its frame, then its own."""

    def overview(self, request: Request, query: Repositories) -> Response:
        """What is heavy in all registries, or in one."""
        now = self._clock()
        query = in_order_of_cursor(query)
        finder, teams = self.finder(request), principal_of(request).teams
        with self._database.read() as connection:
            registries = finder.seen(connection, registry_reports(connection))
            sight = finder.sight(connection, query.team)
            page = repositories.repository_page(connection, query, now, sight)
        names = [registry.name for registry in registries]
        if query.registry is not None and query.registry not in names:
            raise no_registry()
        if teams is None:
            view = overview(registries, page, now, query.registry)
        else:
            view = overview_of_teams(page, teams)
        links = _list_links(query)
        around = replace(
            frame("/", registries, now),
            twin="/repositories",
            twin_query=links.query(limit=str(LIMIT_MAX)),
            refresh_s=FIRST_CRAWL_REFRESH_S if view.progress else None,
        )
        return page_of(
            request,
            "overview.html",
            around,
            page=view,
            query=query,
            links=links,
            registry_names=names,
            **paging(links, page.next_cursor, query.cursor),
        )

    def image(
        self, request: Request, ref: Ref, platform: PlatformName = None
    ) -> Response:
        """One image: what is heavy in it, line by line."""
        found = self.finder(request).image(ref, platform, self._clock())
        links = Links("/image", {"ref": ref, "platform": platform})
        around, registry = self._around(
            request, "/image", links, found.repository.registry
        )
        banners = repository_banners(found.repository, registry, around.now)
        view = image_page(
            found.weighing, found.aliases, banners, found.lighter, found.whereabouts
        )
        return page_of(request, "image.html", around, page=view)

    def repository(
        self,
        request: Request,
        ref: Ref,
        since: Period = None,
        scale: Scale = "linear",
        tag: TagFilter = "",
        show: ShownBytes = "compressed",
        sort: Annotated[TagSort, Field(description="Column of the table of tags")] = (
            "newest"
        ),
        order: Order = "desc",
        limit: Limit = DEFAULT_LIMIT,
        cursor: GroupCursor = None,
    ) -> Response:
        """One repository: its newest image, since when that is so large, and its tags,
        the newest first, or the newest of them in another order."""
        table = TagTable(sort, order, limit, show == "uncompressed")
        read = limit if table.is_newest_first else max(limit, SORTED_IMAGES)
        if cursor is not None and not table.is_newest_first:
            raise Refusal(
                400,
                "pages go on newest first: leave out sort and order, or cursor",
                code="invalid_parameter",
            )
        finder = self.finder(request)
        report, tags, reclaimable = finder.tag_groups(
            ref, read, cursor, self._clock(), tag or None
        )
        links = Links(
            "/repository",
            {
                "ref": ref,
                "since": since,
                "scale": None if scale == "linear" else scale,
                "tag": tag or None,
                "show": None if show == "compressed" else show,
                "sort": None if table.is_newest_first else sort,
                "order": None if table.is_newest_first else order,
            },
        )
        only = Links("/repository", {"ref": ref})
        around, registry = self._around(request, "/repository", only, report.registry)
        violations = finder.violations_of(report, around.now).items
        view = repository_page(
            report,
            tags,
            around.now,
            registry,
            violations,
            reclaimable.freed,
            self._limits(report, [group.tags[0].name for group in tags.page.items]),
            table,
        )
        pulls = finder.pulls_of(report, month_of(around.now))
        view = replace(view, pulls=pulls_section(*pulls, finder.prices))
        more = tags.page.next_cursor if table.is_newest_first else None
        pages = paging(links, more, cursor)
        return page_of(
            request,
            "repository.html",
            around,
            page=view,
            fitting=tag,
            history=self._over_time(finder, report, since, around.now, scale),
            links=links,
            columns=Links("/repository", {**links.state, "sort": sort, "order": order}),
            **pages,
        )

    def _limits(self, report: RepositoryReport, names: Sequence[str]) -> dict[str, int]:
        """What tags may weigh, compressed, by the policies; those with no limit left
        out."""
        policies = self._policies()
        found = {}
        for name in names:
            limits = policies.limits_of(report.registry, report.repository, name)
            if limits.max_compressed_bytes is not None:
                found[name] = limits.max_compressed_bytes
        return found

    def _over_time(
        self,
        finder: Finder,
        report: RepositoryReport,
        since: str | None,
        now: datetime,
        scale: Scale,
    ) -> OverTime | None:
        found = finder.newest_over_time(report, STEPS, now)
        decided = self._policies().explain(
            report.registry, report.repository, report.newest_tag or ""
        )
        if found is None:
            return None
        return over_time(report, found, decided, since, now, is_log=scale == "log")

    def crawls(
        self,
        request: Request,
        team: Team = None,
        limit: Limit = DEFAULT_LIMIT,
        cursor: CrawlCursor = None,
    ) -> Response:
        """What each crawl of a repository did."""
        now, finder = self._clock(), self.finder(request)
        with self._database.read() as connection:
            registries = finder.registries(connection)
            sight = finder.sight(connection, team)
            page = crawl_page(connection, CrawlQuery(limit=limit, cursor=cursor), sight)
            asked = request_lines(connection, now, sight) if cursor is None else []
        links = Links("/crawls", {"team": team})
        around = replace(
            frame("/crawls", registries, now), twin="/crawls", twin_query=links.query()
        )
        return page_of(
            request,
            "crawls.html",
            around,
            registries=[
                (r, registry_line(r, now), rate_limit_words(r, now)) for r in registries
            ],
            asked=asked,
            crawls=page.items,
            is_of_teams=principal_of(request).teams is not None,
            **paging(links, page.next_cursor, cursor),
        )

    def search(
        self, request: Request, q: SearchInput = "", team: Team = None
    ) -> Response:
        """Repositories and tags by a part of their name."""
        now, finder = self._clock(), self.finder(request)
        with self._database.read() as connection:
            registries = finder.seen(connection, registry_freshness(connection))
        found = (
            finder.search(q, SEARCH_HITS, team)
            if q
            else SearchResult([], is_part=False)
        )
        return page_of(
            request,
            "search.html",
            frame("/search", registries, now, q),
            q=q,
            hits=found.hits,
            is_cut=len(found.hits) == SEARCH_HITS,
            is_part=found.is_part,
        )

    def _around(
        self, request: Request, path: str, links: Links, name: str
    ) -> tuple[Frame, RegistryReport | None]:
        """The frame, and the registry of this name."""
        with self._database.read() as connection:
            known = registry_reports(connection)
            registries = self.finder(request).seen(connection, known)
        around = frame(path, registries, self._clock())
        around = replace(around, twin=path, twin_query=links.query())
        return around, next((r for r in registries if r.name == name), None)


class Twins(Handlers):
    """The tables of the pages as CSV, and as JSON where it is not the API's."""

    def repositories_csv(self, request: Request, query: Repositories) -> Response:
        """The table of the first page."""
        now = self._clock()
        page = self.finder(request).repositories(query, now)
        return _csv(request, "repositories", RepositoryReport, page, now)

    def repository_json(
        self, request: Request, ref: Ref, limit: Limit = 1000, cursor: TagCursor = None
    ) -> Response:
        """The tags of one repository."""
        _, page = self.finder(request).tags(ref, limit, cursor)
        return json_answer(request, page_json(page, self._clock()))

    def repository_csv(
        self, request: Request, ref: Ref, limit: Limit = 1000, cursor: TagCursor = None
    ) -> Response:
        """The same as CSV."""
        _, page = self.finder(request).tags(ref, limit, cursor)
        return _csv(request, "tags", TagReport, page, self._clock())

    def image_csv(
        self, request: Request, ref: Ref, platform: PlatformName = None
    ) -> Response:
        """The lines of one image."""
        images = (
            self.finder(request).image(ref, platform, self._clock()).weighing.images
        )
        rows = line_rows(images[0]) if images else []
        return csv_answer(request, "lines", LINE_COLUMNS, rows)

    def crawls_json(
        self,
        request: Request,
        team: Team = None,
        limit: Limit = 1000,
        cursor: CrawlCursor = None,
    ) -> Response:
        """Crawls of repositories, newest first."""
        query = CrawlQuery(team=team, limit=limit, cursor=cursor)
        page = self.finder(request).crawls(query)
        return json_answer(request, page_json(page, self._clock()))

    def crawls_csv(
        self,
        request: Request,
        team: Team = None,
        limit: Limit = 1000,
        cursor: CrawlCursor = None,
    ) -> Response:
        """The same as CSV."""
        query = CrawlQuery(team=team, limit=limit, cursor=cursor)
        page = self.finder(request).crawls(query)
        return _csv(request, "crawls", RepositoryCrawlReport, page, self._clock())


def _list_links(query: RepositoryQuery) -> Links:
    limit = None if query.limit == DEFAULT_LIMIT else str(query.limit)
    return Links(
        "/",
        {
            "registry": query.registry,
            "q": query.q,
            "team": query.team,
            "sort": query.sort,
            "order": query.order,
            "violating": None
            if query.violating is None
            else str(query.violating).lower(),
            "limit": limit,
        },
    )


def paging(
    links: Links, next_cursor: str | None, cursor: str | None
) -> dict[str, object]:
    """Where the other pages of a list are, for its template."""
    return {
        "next_link": links.to(cursor=next_cursor) if next_cursor else "",
        "first_link": links.to(),
        "is_later": cursor is not None,
    }


def page_of(
    request: Request,
    template: str,
    around: Frame,
    *,
    fault: object = None,
    **values: object,
) -> Response:
    """A page made from its template, with what stands around each.

    fault: what is wrong with the request, if anything, as the page says
    """
    failed_since: Callable[[], datetime | None] = request.app.state.failed_since
    if (since := failed_since()) is not None:
        around = replace(around, banner=reload_banner(since))
    who = who_line(principal_of(request))
    html = render(template, frame=around, navigation=NAVIGATION, who=who, **values)
    if not fault:
        return page_answer(request, html)
    return refused_page_answer(
        html, fault.status if isinstance(fault, Refusal) else 400
    )


def _csv(
    request: Request,
    name: str,
    kind: type[RepositoryReport] | type[TagReport] | type[RepositoryCrawlReport],
    page: Page[RepositoryReport] | Page[TagReport] | Page[RepositoryCrawlReport],
    now: datetime,
) -> Response:
    rows = (row_json(row, now) for row in page.items)
    return csv_answer(request, name, columns(kind), rows, page.next_cursor)
