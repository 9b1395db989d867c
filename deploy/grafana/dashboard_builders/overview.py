"""The dashboard of all repositories: what is heavy, over its limit, or growing."""

from typing import Final

from dashboard_builders import (
    links,
    overview_alerts,
    overview_bases,
    overview_budget,
    overview_crawls,
    overview_glance,
    overview_pushes,
    overview_registries,
    overview_repositories,
    overview_service,
    overview_violations,
    variables,
)
from dashboard_builders.frame import dashboard
from dashboard_builders.inventory import Sizes
from dashboard_builders.queries import OF_REGISTRY, OF_REPOSITORY, Selection
from dashboard_builders.shapes import OVERVIEW_UID, Object

_JOB: Final = 'job=~"$job"'
_REGISTRY: Final = f'{_JOB}, registry=~"$registry"'

SERVICE: Final = Selection(_JOB)
REGISTRIES: Final = Selection(_REGISTRY, OF_REGISTRY)
REPOSITORIES: Final = Selection(
    f'{_REGISTRY}, repository=~"$repository"', OF_REPOSITORY
)


def overview(external_url: str) -> Object:
    sizes = Sizes(REPOSITORIES)
    return dashboard(
        OVERVIEW_UID,
        "Weighbridge / Overview",
        "Which container images are heavy, which are over their limit, and how far"
        " the numbers can be trusted.",
        variables=(
            variables.datasource(),
            variables.job(),
            variables.registries(),
            variables.repositories(),
            variables.external_url(external_url),
        ),
        links=(
            links.to_repository(),
            links.to_pages("Weighbridge", "/"),
            links.to_pages("Bases", "/bases"),
            links.to_pages("Violations", "/violations"),
            links.to_pages("Crawls", "/crawls"),
        ),
        sections=(
            overview_glance.at_a_glance(sizes, REGISTRIES, SERVICE),
            overview_alerts.alerts(),
            overview_violations.violations(REPOSITORIES, SERVICE),
            overview_repositories.over_a_limit(sizes),
            overview_repositories.heaviest(sizes),
            overview_registries.totals(REGISTRIES),
            overview_bases.bases(SERVICE),
            overview_crawls.crawls(REGISTRIES),
            overview_pushes.pushes(REGISTRIES, SERVICE),
            overview_budget.budget(SERVICE),
            overview_service.service(SERVICE),
        ),
    )
