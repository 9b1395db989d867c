"""What is answered where somebody names what is not known here."""

from collections.abc import Sequence
from itertools import chain, islice
from typing import Final

from weighbridge.domain.access.principal import Sight
from weighbridge.domain.image.platform import Platform
from weighbridge.domain.image.reference import Reference
from weighbridge.domain.report.inventory import (
    RepositoryReport,
)
from weighbridge.domain.size.weighing import Weighing
from weighbridge.store.named_rows import find_place
from weighbridge.store.reports.inventory import registry_names
from weighbridge.store.reports.nearest import nearest_repositories, nearest_tags
from weighbridge.store.reports.reclaim import (
    unknown_tags,
)
from weighbridge.store.session import Connection
from weighbridge.web.request.answers import Refusal

NEAR: Final = 3
"""Names that may have been meant."""


def check_names(
    connection: Connection,
    registry: str | None,
    repository: str | None = None,
    *,
    sight: Sight | None = None,
) -> None:
    """Tell an empty list from a misspelt name. Asked of empty lists only: what has a
    row is known. A registry of which nothing is seen is not known."""
    if registry is None and repository is None:
        return
    names = registry_names(connection)
    if sight is not None:
        names = [name for name in names if name in sight.registries]
    if registry is not None and registry not in names:
        raise no_registry()
    if repository is None:
        return
    among = names if registry is None else [registry]
    if not any(is_seen(connection, r, repository, sight) for r in among):
        near = (nearest_repositories(connection, r, repository, sight) for r in among)
        nearest = list(islice(chain.from_iterable(near), NEAR))
        raise no_repository(*filter(None, (registry, repository)), near=nearest)


def is_seen(
    connection: Connection, registry: str, repository: str, sight: Sight | None
) -> bool:
    """Whether there is, or was, this repository, and it is one of those."""
    place = find_place(connection, registry, repository)
    return place is not None and (sight is None or place.id in sight.ids)


def no_registry() -> Refusal:
    """The answer where a registry is asked for that was never crawled."""
    return Refusal(404, "no such registry", code="registry_not_found")


def no_repository(*parts: str, near: Sequence[str]) -> Refusal:
    """The answer where a repository is not known. near: those that may be meant"""
    name = "/".join(parts)
    return not_found(
        f"the repository {name} is not known here", "repository_not_found", near
    )


def no_tag(
    connection: Connection, report: RepositoryReport, names: Sequence[str]
) -> Refusal:
    """The answer where tags are named that a repository does not have."""
    near = nearest_tags(connection, report.registry, report.repository, names[0])
    whole = f"{report.registry}/{report.repository}"
    there = f"there is no tag {', '.join(names[:NEAR])} in {whole}"
    return not_found(there, "tag_not_found", near)


def not_found(message: str, code: str, near: Sequence[str]) -> Refusal:
    """near: what may have been meant"""
    if not near:
        return Refusal(404, message, code=code)
    nearest = ", ".join(near)
    return Refusal(
        404, f"{message}; nearest: {nearest}", code=code, detail={"nearest": list(near)}
    )


def no_platform(weighing: Weighing, platform: Platform | None) -> Refusal:
    of = "" if platform is None else f" for {platform}"
    return Refusal(
        404,
        f"{weighing.reference} has no image{of} that could be read",
        code="image_not_found",
        detail={"platforms": [str(known) for known in weighing.platforms]},
    )


def no_image(
    connection: Connection, report: RepositoryReport, reference: Reference
) -> Refusal:
    message = f"{reference} is not known here, or not read yet"
    near: Sequence[str] = ()
    tag = reference.tag
    if tag and not reference.digest and unknown_tags(connection, report, [tag]):
        near = nearest_tags(connection, report.registry, report.repository, tag)
    return not_found(message, "image_not_found", near)
