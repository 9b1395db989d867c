"""The dashboard of one repository: its newest image, what it stores, how it moves."""

from typing import Final

from dashboard_builders import (
    links,
    repository_image,
    repository_storage,
    repository_work,
    variables,
)
from dashboard_builders.frame import dashboard
from dashboard_builders.inventory import Sizes
from dashboard_builders.queries import Selection
from dashboard_builders.shapes import REPOSITORY_UID, Object

_REGISTRY_MATCHERS: Final = 'job=~"$job", registry="$registry"'
REGISTRY: Final = Selection(_REGISTRY_MATCHERS)
REPOSITORY: Final = Selection(f'{_REGISTRY_MATCHERS}, repository="$repository"')


def repository(external_url: str) -> Object:
    sizes = Sizes(REPOSITORY)
    return dashboard(
        REPOSITORY_UID,
        "Weighbridge / Repository",
        "What the newest image of one repository weighs, against the images before it"
        " and its limits, and what the repository stores.",
        variables=(
            variables.datasource(),
            variables.job(),
            variables.one_registry(),
            variables.one_repository(),
            variables.external_url(external_url),
        ),
        links=(
            links.to_overview(),
            links.to_pages(
                "Lines and tags in Weighbridge",
                "/repository?ref=${registry}/${repository}",
            ),
        ),
        annotations=(repository_work.pushes(REPOSITORY),),
        sections=(
            repository_image.newest(sizes, REGISTRY),
            repository_image.over_time(sizes),
            repository_storage.storage(sizes, REGISTRY),
            repository_work.tags_and_pushes(sizes, REPOSITORY),
        ),
    )
