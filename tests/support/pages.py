"""Pages from hand-made values, as the service would send them."""

from collections.abc import Mapping, Sequence

from msgspec.structs import replace

from support.html import Element, parse
from support.read_model import NOW, a_registry_report, a_repository_report
from weighbridge.domain.image.image_base import BaseInWords
from weighbridge.domain.report.inventory import (
    Page,
    RegistryReport,
    RepositoryReport,
    TagReport,
)
from weighbridge.domain.size.weighing import Weighing
from weighbridge.store.reports.repositories import RepositoryQuery
from weighbridge.store.reports.tag_groups import TagGroup, TagGroups
from weighbridge.store.tags.whereabouts import NOWHERE_ELSE, Whereabouts
from weighbridge.web.pages.report_pages import FIRST_CRAWL_REFRESH_S, Links
from weighbridge.web.views.frame import NAVIGATION, frame, repository_banners
from weighbridge.web.views.image import image_page
from weighbridge.web.views.over_time import OverTime
from weighbridge.web.views.overview import overview
from weighbridge.web.views.repository import NEWEST_FIRST, TagTable, repository_page
from weighbridge.web.views.templating import render


def overview_html(
    registries: Sequence[RegistryReport],
    rows: Sequence[RepositoryReport],
    query: RepositoryQuery | None = None,
) -> str:
    """The first page with these rows and no further ones."""
    query = query or RepositoryQuery()
    view = overview(registries, Page(tuple(rows), None), NOW, query.registry)
    around = replace(
        frame("/", registries, NOW),
        twin="/repositories",
        refresh_s=FIRST_CRAWL_REFRESH_S if view.progress else None,
    )
    return render(
        "overview.html",
        frame=around,
        navigation=NAVIGATION,
        page=view,
        query=query,
        links=Links("/", {"sort": query.sort, "order": query.order}),
        registry_names=[registry.name for registry in registries],
        next_link="",
        first_link="/",
        is_later=False,
    )


def overview_tree(
    registries: Sequence[RegistryReport],
    rows: Sequence[RepositoryReport],
    query: RepositoryQuery | None = None,
) -> Element:
    """The same, parsed."""
    return parse(overview_html(registries, rows, query))


def image_html(
    weighing: Weighing,
    aliases: Sequence[str] = (),
    repository: RepositoryReport | None = None,
    registry: RegistryReport | None = None,
    whereabouts: Whereabouts = NOWHERE_ELSE,
) -> str:
    """The page of one image."""
    registry = registry or a_registry_report()
    around = replace(frame("/image", [registry], NOW), twin="/image")
    report = repository or a_repository_report(weighing.repository)
    banners = repository_banners(report, registry, NOW)
    view = image_page(weighing, aliases, banners, (), whereabouts)
    return render("image.html", frame=around, navigation=NAVIGATION, page=view)


def image_tree(
    weighing: Weighing,
    aliases: Sequence[str] = (),
    repository: RepositoryReport | None = None,
    registry: RegistryReport | None = None,
    whereabouts: Whereabouts = NOWHERE_ELSE,
) -> Element:
    """The same, parsed."""
    return parse(image_html(weighing, aliases, repository, registry, whereabouts))


def groups_of(
    tags: Sequence[TagReport],
    unknown: str | None = None,
    base: BaseInWords | None = None,
    behind: TagReport | None = None,
) -> TagGroups:
    """A group of one tag for each, which frees 7,000 bytes; their images stand on one
    base."""
    freed = None if unknown else 7_000
    groups = tuple(
        TagGroup([tag], 1, None if tag.deleted_at else freed, base) for tag in tags
    )
    after = None if behind is None else TagGroup([behind], 1, None, base)
    return TagGroups(Page(groups, None), unknown, after)


def repository_tree(
    report: RepositoryReport,
    tags: Sequence[TagReport],
    registry: RegistryReport | None = None,
    *,
    unknown: str | None = None,
    history: OverTime | None = None,
    base: BaseInWords | None = None,
    behind: TagReport | None = None,
    limits: Mapping[str, int] | None = None,
    table: TagTable = NEWEST_FIRST,
) -> Element:
    """The page of one repository, parsed; each tag names an image of its own.

    unknown: why it is not known what deletion frees
    behind:  the first tag of the next page
    limits:  what tags may weigh
    """
    registry = registry or a_registry_report()
    html = render(
        "repository.html",
        frame=frame("/repository", [registry], NOW),
        navigation=NAVIGATION,
        page=repository_page(
            report,
            groups_of(tags, unknown, base, behind),
            NOW,
            registry,
            limits=limits,
            table=table,
        ),
        history=history,
        fitting="",
        links=Links("/repository", {"ref": f"{report.registry}/{report.repository}"}),
        columns=Links("/repository", {"sort": table.sort, "order": table.order}),
        next_link="",
        first_link="",
        is_later=False,
    )
    return parse(html)
