"""The page of two images side by side, and its lines as CSV."""

from collections.abc import Sequence
from typing import Annotated, TypeAlias

from msgspec.structs import replace
from pydantic import Field
from starlette.requests import Request
from starlette.responses import Response

from weighbridge.domain.comparison.comparison import Comparison
from weighbridge.domain.image.reference import TAG_PATTERN, beside
from weighbridge.domain.size.weighing import Weighing
from weighbridge.errors import UsageError
from weighbridge.presentation.image.comparison_table import SIGNS
from weighbridge.presentation.rows.comparison_rows import (
    COMPARED_LINE_COLUMNS,
    compared_line_rows,
)
from weighbridge.store.reports.inventory import registry_freshness
from weighbridge.web.api.read_routes import ThirdRef
from weighbridge.web.pages.report_pages import Links, ShownBytes, page_of
from weighbridge.web.request.answers import Refusal, csv_answer
from weighbridge.web.request.finding import Handlers
from weighbridge.web.request.parameters import (
    LIMIT_MAX,
    LineView,
    PlatformName,
    Ref,
    RefInput,
)
from weighbridge.web.views.comparison import (
    COMPRESSED,
    ON_DISK,
    ComparisonPage,
    Measure,
    comparison_page,
)
from weighbridge.web.views.frame import frame
from weighbridge.web.views.third_image import ThreeRow, three_rows

ChosenTags: TypeAlias = Annotated[
    tuple[Annotated[str, Field(pattern=f"^{TAG_PATTERN}$")], ...],
    Field(
        max_length=LIMIT_MAX,
        description="A tag that was chosen in a table, the newer ones first, said once"
        " for each",
    ),
]


class ComparePages(Handlers):
    """As JSON the page is the API's."""

    def compare_page(
        self,
        request: Request,
        a: RefInput = "",
        b: RefInput = "",
        c: RefInput = "",
        platform: PlatformName = None,
        view: LineView = "all",
        show: ShownBytes = "compressed",
        repository: RefInput = "",
        tag: ChosenTags = (),
    ) -> Response:
        """Two images: what both have, what one has, and their lines. Without `a` the
        image before `b` is the first one. `repository` and `tag` are what a table of
        tags sends."""
        a, b, c = a.strip(), b.strip(), c.strip()
        now = self._clock()
        page, fault = None, None
        three: Sequence[ThreeRow] = ()
        measure = COMPRESSED if show == "compressed" else ON_DISK
        if repository and len(tag) not in (1, 2):
            number = f"{len(tag):,} are" if tag else "none is"
            fault = Refusal(400, f"Choose two tags: {number} chosen")
        elif repository:
            b, *older = (f"{repository}:{name}" for name in tag)
            a = older[0] if older else ""
        if b:
            b = beside(b, a)
            try:
                a = a or self.finder(request).before(b, now)
                c = beside(c, a)
                found = self.finder(request).comparison(a, b, platform, now, c)
                page = self._page(found, view, measure)
                three = three_rows(found, measure)
            except Refusal as exc:
                fault = exc
            except UsageError as exc:
                fault = Refusal(400, ": ".join(filter(None, (exc.message, exc.hint))))
        links = Links(
            "/compare",
            {
                "a": a,
                "b": b,
                "c": c or None,
                "platform": platform,
                "view": None if view == "all" else view,
                "show": None if show == "compressed" else show,
            },
        )
        with self._database.read() as connection:
            registries = self.finder(request).seen(
                connection, registry_freshness(connection)
            )
        around = frame("/compare", registries, now)
        if page is not None:
            query = links.query(view=None, show=None)
            around = replace(around, twin="/compare", twin_query=query)
        return page_of(
            request,
            "compare.html",
            around,
            fault=fault,
            refusal=fault,
            page=page,
            three=three,
            a=a,
            b=b,
            c=c,
            platform=platform,
            view=view,
            links=links,
            signs=[(sign, words) for sign, _, words, _ in SIGNS.values()],
        )

    def compare_csv(
        self,
        request: Request,
        a: Ref,
        b: Ref,
        c: ThirdRef = None,
        platform: PlatformName = None,
    ) -> Response:
        """The lines of both, of each platform that they have; none of a third image,
        which the page may have beside them."""
        found = self.finder(request).comparison(a, b, platform, self._clock())
        rows = (row for images in found.images for row in compared_line_rows(images))
        return csv_answer(request, "compare", COMPARED_LINE_COLUMNS, rows)

    def _page(
        self, found: Comparison, view: LineView, measure: Measure
    ) -> ComparisonPage:
        limits = self._limit(found.before), self._limit(found.after)
        return comparison_page(
            found,
            limits,
            only_changed=view == "changed",
            measure=measure,
        )

    def _limit(self, weighing: Weighing) -> int | None:
        """What a pull of it may move by the policies, None for no limit."""
        decided = self._policies().explain(
            weighing.registry, weighing.repository, weighing.tag or ""
        )
        limits = (each.value for each in decided if each.key == "max_compressed")
        return next((limit for limit in limits if isinstance(limit, int)), None)
