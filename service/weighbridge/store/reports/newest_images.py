"""The newest image of every repository with the numbers that limits are about."""

from collections.abc import Iterator
from typing import Final, NamedTuple

from sqlalchemy import (
    Connection,
    ScalarSelect,
    Select,
    case,
    func,
    literal,
    null,
    select,
)

from weighbridge.domain.policy.simulation import SimulatedImage
from weighbridge.domain.policy.verdict import LimitedNumbers
from weighbridge.domain.size.confidence import Confidence
from weighbridge.store.ledger.blob_expressions import sized
from weighbridge.store.models import (
    blob_sizes,
    blobs,
    layers,
    registries,
    repositories,
    repository_summaries,
)
from weighbridge.store.reports.inventory import PIECE

_repository = repositories.c
_summary = repository_summaries.c


class _ImageRow(NamedTuple):
    """What `_newest` selects, in its order."""

    registry: str
    repository: str
    tag: str | None
    platform: str | None
    compressed_bytes: int | None
    uncompressed_bytes: int | None
    uncompressed_confidence: Confidence | None
    layers: int | None
    baseline_compressed_bytes: int | None
    deduplicated_bytes: int | None
    largest_layer_compressed_bytes: int | None


def newest_images(
    connection: Connection, registry: str | None = None, *, with_layers: bool = False
) -> Iterator[SimulatedImage]:
    """Of every repository that is not gone, by registry and name. Its sizes are None
    where it has no image, or where it is not known.

    with_layers: also how heavy each image's largest layer is, which takes longer
    """
    statement = (
        _newest(registry, with_layers=with_layers)
        .order_by(_repository.registry_id, _repository.name)
        .execution_options(yield_per=PIECE)
    )
    with connection.execute(statement) as result:
        for row in result:
            yield _tried(_ImageRow._make(row))


def heaviest_newest_images(
    connection: Connection, above_bytes: int, registry: str | None, most: int
) -> list[SimulatedImage]:
    """Those of them that are heavier, compressed; the heaviest first."""
    statement = (
        _newest(registry, with_layers=False)
        .where(_summary.newest_compressed_bytes > above_bytes)
        .order_by(_summary.newest_compressed_bytes.desc(), _summary.repository_id)
        .limit(most)
    )
    return [_tried(_ImageRow._make(row)) for row in connection.execute(statement)]


def _newest(registry: str | None, *, with_layers: bool) -> Select[*tuple[object, ...]]:
    statement = (
        select(
            registries.c.name,
            _repository.name,
            _summary.newest_tag,
            _summary.newest_platform,
            _summary.newest_compressed_bytes,
            _summary.newest_uncompressed_bytes,
            _summary.newest_uncompressed_confidence,
            _summary.newest_layers,
            _summary.baseline_compressed_bytes,
            # The ledger's column holds 0 until the repository was summed up.
            case((_summary.referenced_bytes.is_not(None), _summary.deduplicated_bytes)),
            _largest_layer() if with_layers else null(),
        )
        .select_from(repositories)
        .join(registries, registries.c.id == _repository.registry_id)
        .join(repository_summaries, _summary.repository_id == _repository.id)
        .where(_repository.deleted_at.is_(None), registries.c.state != _UNCONFIGURED)
    )
    if registry is not None:
        statement = statement.where(registries.c.name == registry)
    return statement


def _tried(row: _ImageRow) -> SimulatedImage:
    measured = LimitedNumbers(
        compressed_bytes=row.compressed_bytes,
        uncompressed_bytes=row.uncompressed_bytes,
        layers=row.layers,
        largest_layer_compressed_bytes=row.largest_layer_compressed_bytes,
        baseline_compressed_bytes=row.baseline_compressed_bytes,
        deduplicated_bytes=row.deduplicated_bytes,
    )
    return SimulatedImage(
        registry=row.registry,
        repository=row.repository,
        tag=row.tag,
        platform=row.platform,
        measured=measured,
        is_estimate=row.uncompressed_confidence == "estimate",
    )


_UNCONFIGURED: Final = literal("unconfigured")


def _largest_layer() -> ScalarSelect[int]:
    # The registry's word, else what this manifest says.
    judged = func.coalesce(
        blob_sizes.c.registry_bytes, layers.c.claimed_bytes, blobs.c.compressed_bytes
    )
    scope = _repository.scope_id
    return (
        select(func.max(judged))
        .select_from(sized(layers.join(blobs, blobs.c.id == layers.c.blob_id), scope))
        .where(layers.c.image_id == _summary.newest_image_id)
        .correlate(repository_summaries, repositories)
        .scalar_subquery()
    )
