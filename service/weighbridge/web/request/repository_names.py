"""From a reference to the repository that it means, among those that are seen."""

from weighbridge.domain.access.principal import Sight
from weighbridge.domain.image.reference import Reference, parse_reference
from weighbridge.domain.report.inventory import RepositoryReport
from weighbridge.store.reports.nearest import nearest_repositories
from weighbridge.store.reports.repositories import find_repository
from weighbridge.store.session import Connection
from weighbridge.web.request.unknown_names import no_repository


def named_repository(
    connection: Connection, ref: str, sight: Sight | None = None
) -> RepositoryReport:
    """The repository of `ref`. Raises InvalidReference, and Refusal with the nearest
    names; the same for one that is not known and for one that is not seen.

    sight: which repositories are seen, None: all
    """
    references = _readings(ref)
    for reference in references:
        names = reference.registry, reference.repository
        found = find_repository(connection, *names, sight)
        if found is not None:
            return found
    first = references[0]
    near = nearest_repositories(connection, first.registry, first.repository, sight)
    raise no_repository(first.registry, first.repository, near=near)


def reading_of(
    connection: Connection, ref: str, sight: Sight | None
) -> tuple[RepositoryReport, Reference]:
    """The repository of `ref`, and how `ref` is read then. Raises as the above."""
    report = named_repository(connection, ref, sight)
    return report, next(r for r in _readings(ref) if r.registry == report.registry)


def _readings(ref: str) -> list[Reference]:
    """What `ref` may mean, the likeliest first.

    A first component that is a registry's name wins over Docker's defaults; which
    names there are, the store knows, so the reading that it has is the right one.
    """
    first, slash, _ = ref.partition("/")
    by_name = [parse_reference(ref, frozenset({first}))] if slash else []
    return [*by_name, parse_reference(ref)]
