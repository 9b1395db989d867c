"""The families of `/metrics/repositories`: their names, their help, their values."""

from collections.abc import Callable, Sequence
from typing import Final

from msgspec import Struct

from weighbridge.domain.report.inventory import RegistryReport
from weighbridge.domain.series_budget import Family


class RepositoryFamily(Struct, frozen=True):
    """One number of each repository. column: what the store calls it"""

    column: str
    name: str
    help: str


class RegistryFamily(Struct, frozen=True):
    """One number of each registry; None where it is not known."""

    name: str
    help: str
    value_of: Callable[[RegistryReport], int | None]


INFO: Final = (
    "weighbridge_repository_info",
    "A repository with the platform that its sizes are of, and its team; always 1.",
)
FAILING: Final = (
    "weighbridge_registry_repositories_failing",
    "Repositories whose last crawl failed or was not complete, by state.",
)
CORE: Final = (
    RepositoryFamily(
        "compressed",
        "weighbridge_repository_newest_image_compressed_bytes",
        "Bytes that a pull of the newest image moves.",
    ),
    RepositoryFamily(
        "uncompressed",
        "weighbridge_repository_newest_image_uncompressed_bytes",
        "Bytes of the newest image on disk; absent where unknown.",
    ),
    RepositoryFamily(
        "baseline",
        "weighbridge_repository_baseline_image_compressed_bytes",
        "Median of the ten distinct images before the newest; absent below three.",
    ),
    RepositoryFamily(
        "deduplicated",
        "weighbridge_repository_deduplicated_bytes",
        "Distinct blobs that the repository refers to, each counted once.",
    ),
    RepositoryFamily(
        "exclusive",
        "weighbridge_repository_exclusive_bytes",
        "Of those, what nothing else refers to: freed if the repository is deleted.",
    ),
)
OPTIONAL: Final[dict[Family, RepositoryFamily]] = {
    "largest": RepositoryFamily(
        "largest",
        "weighbridge_repository_largest_image_compressed_bytes",
        "Bytes that a pull of the largest tagged image moves.",
    ),
    "tags": RepositoryFamily(
        "tags", "weighbridge_repository_tags", "Tags of the repository."
    ),
    "pushed": RepositoryFamily(
        "pushed",
        "weighbridge_repository_newest_image_pushed_timestamp_seconds",
        "When the newest image was pushed, or a crawl first found its tag there.",
    ),
    "audited": RepositoryFamily(
        "audited",
        "weighbridge_repository_last_audit_timestamp_seconds",
        "When a crawl of the repository was last complete.",
    ),
}
_UP: Final = {"ok": 1, "unauthorized": 0, "unreachable": 0, "error": 0}
REGISTRY: Final = (
    RegistryFamily(
        "weighbridge_registry_up",
        "Whether the registry answered the last crawl.",
        lambda registry: _UP.get(registry.state),
    ),
    RegistryFamily(
        "weighbridge_registry_repositories",
        "Repositories of the registry.",
        lambda registry: registry.repositories,
    ),
    RegistryFamily(
        "weighbridge_registry_removals_held",
        "Repositories kept until a second crawl finds the same: missing together with "
        "more than half of all, or with more than half of their tags missing.",
        lambda registry: registry.removals_held,
    ),
    RegistryFamily(
        "weighbridge_registry_tags",
        "Tags of the registry.",
        lambda registry: registry.tags,
    ),
    RegistryFamily(
        "weighbridge_registry_images",
        "Distinct images of the registry.",
        lambda registry: registry.images,
    ),
    RegistryFamily(
        "weighbridge_registry_referenced_bytes",
        "Sum over tags of the bytes that each tag refers to.",
        lambda registry: registry.referenced_bytes,
    ),
    RegistryFamily(
        "weighbridge_registry_deduplicated_bytes",
        "Distinct blobs, each counted once in a storage scope.",
        lambda registry: registry.deduplicated_bytes,
    ),
    RegistryFamily(
        "weighbridge_registry_shared_bytes",
        "Of those, what two repositories or more of one storage scope refer to.",
        lambda registry: registry.shared_bytes,
    ),
)


def families_of(wanted: Sequence[Family]) -> tuple[RepositoryFamily, ...]:
    """The core and the wanted ones, each once."""
    return CORE + tuple(family for name, family in OPTIONAL.items() if name in wanted)
