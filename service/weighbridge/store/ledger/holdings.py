"""The ledger of a repository: which blobs it holds, and their bytes counted once.

Within a batch: manifests enter or leave (`liveness`), here their blobs are counted,
and what began or ceased to be held is settled in the storage scope (`settling`).
docs/architecture.md says why it goes in these steps.
"""

from collections.abc import Collection, Mapping
from typing import Final

from sqlalchemy import (
    BigInteger,
    Connection,
    bindparam,
    case,
    func,
    select,
    union,
    update,
)

from weighbridge.domain.sharing import Holding, blob_deltas, change_holdings
from weighbridge.store.dialect import (
    ChangedRows,
    GoneRows,
    NewRows,
    Rows,
    among_ids,
    listed,
)
from weighbridge.store.ledger.facts import HAS_FACTS, STORED_BYTES, sized
from weighbridge.store.ledger.settling import settle_or_queue
from weighbridge.store.ledger.sums import exact_sum, sum_of
from weighbridge.store.models import (
    artifacts,
    blobs,
    images,
    layers,
    repositories,
    repository_blobs,
    repository_manifests,
    repository_summaries,
)
from weighbridge.store.types import LARGEST, bounded

_held = repository_blobs.c
_summary = repository_summaries.c
_total = _summary.deduplicated_bytes
_LAYERS: Final = Rows(
    select(layers.c.image_id, layers.c.blob_id).where(among_ids(layers.c.image_id))
)
# Each blob by its whole key. As a join PostgreSQL reads all that the repository holds
# for each of them, as long as nobody has counted the table.
_SCOPE: Final = bindparam("scope", type_=BigInteger)
_MANIFESTS: Final = (
    select(_held.manifest_count)
    .where(
        _held.scope_id == _SCOPE,
        _held.blob_id == blobs.c.id,
        _held.repository_id == bindparam("repository"),
    )
    .scalar_subquery()
)
HELD: Final = Rows(
    select(
        blobs.c.id,
        STORED_BYTES.label("stored_bytes"),
        func.coalesce(_MANIFESTS, 0).label("manifests"),
    )
    .select_from(sized(blobs, _SCOPE))
    .where(among_ids(blobs.c.id))
)
_KEY: Final = ("scope_id", "blob_id", "repository_id")
_NEW: Final = NewRows(repository_blobs, *_KEY, "manifest_count")
_CHANGED: Final = ChangedRows(repository_blobs, key=_KEY, values=["manifest_count"])
_GONE: Final = GoneRows(repository_blobs, key=_KEY)

# `moved_total`, said in SQL: the row need not be read for it. The bounds are made in
# Python, because no order of evaluation keeps a sum of SQL from leaving 64 bits.
_ADD: Final = (
    update(repository_summaries)
    .where(
        _summary.repository_id == bindparam("repository"),
        _total >= bindparam("least", type_=BigInteger),
        _total <= bindparam("most", type_=BigInteger),
    )
    .values(
        deduplicated_bytes=case(
            (_total > bindparam("room", type_=BigInteger), LARGEST),
            else_=_total + bindparam("delta", type_=BigInteger),
        ),
        revision=_summary.revision + 1,
    )
)
_SET: Final = (
    update(repository_summaries)
    .where(_summary.repository_id == bindparam("repository"))
    .values(deduplicated_bytes=bindparam("total"), revision=_summary.revision + 1)
)
# From its manifests and not from its rows: those of the whole scope lie between.
_LIVE: Final = (
    select(repository_manifests.c.manifest_id)
    .join(blobs, blobs.c.id == repository_manifests.c.manifest_id)
    .where(repository_manifests.c.repository_id == bindparam("repository"), HAS_FACTS)
    .subquery()
)
_OF_REPOSITORY: Final = union(
    select(_LIVE.c.manifest_id.label("blob_id")),
    select(images.c.config_id).join(_LIVE, _LIVE.c.manifest_id == images.c.id),
    select(artifacts.c.config_id).join(_LIVE, _LIVE.c.manifest_id == artifacts.c.id),
    select(layers.c.blob_id).join(_LIVE, _LIVE.c.manifest_id == layers.c.image_id),
).subquery()
_CONFIGS: Final = (
    select(
        _LIVE.c.manifest_id, func.coalesce(images.c.config_id, artifacts.c.config_id)
    )
    .outerjoin(images, images.c.id == _LIVE.c.manifest_id)
    .outerjoin(artifacts, artifacts.c.id == _LIVE.c.manifest_id)
)
_EXACT: Final = (
    select(*exact_sum(STORED_BYTES, "held"))
    .select_from(
        sized(
            blobs,
            select(repositories.c.scope_id)
            .where(repositories.c.id == bindparam("repository"))
            .scalar_subquery(),
        )
    )
    .where(blobs.c.id.in_(select(_OF_REPOSITORY.c.blob_id)))
)


def count_blobs(
    connection: Connection,
    scope_id: int,
    repository_id: int,
    flips: Mapping[int, int],
    configs: Mapping[int, int | None],
) -> None:
    """Let manifests whose facts are kept enter (+1) or leave (-1) a repository, with
    all that they hold: themselves, their configs, their layers.

    The repository's row must be locked. configs: of each of the manifests
    """
    if flips:
        deltas = held_by(connection, flips, configs)
        change_blobs(connection, scope_id, repository_id, deltas)


def move_holdings(
    connection: Connection, repository_id: int, scope_id: int, other_id: int
) -> None:
    """Let all that a repository holds count in another storage scope, or in another
    part of the same. The repository's row must be locked."""
    parameters = {"repository": repository_id}
    configs = {row[0]: row[1] for row in connection.execute(_CONFIGS, parameters)}
    held = held_by(connection, dict.fromkeys(configs, 1), configs)
    fewer = {blob: -count for blob, count in held.items()}
    change_blobs(connection, scope_id, repository_id, fewer)
    change_blobs(connection, other_id, repository_id, held)


def held_by(
    connection: Connection,
    flips: Mapping[int, int],
    configs: Mapping[int, int | None],
) -> dict[int, int]:
    """By how many manifests more (or fewer) each blob is held, if these flip."""
    pairs = [(manifest, manifest) for manifest in flips]
    pairs += [(m, config) for m, config in configs.items() if config is not None]
    pairs += _LAYERS.read(connection, {"ids": listed(flips)})
    return blob_deltas(flips, pairs)


def change_blobs(
    connection: Connection,
    scope_id: int,
    repository_id: int,
    deltas: Mapping[int, int],
) -> None:
    """Count that so many manifests more (or fewer) of a repository hold each blob."""
    if not deltas:
        return
    held = read_holdings(connection, scope_id, repository_id, sorted(deltas))
    change = change_holdings(held, deltas)
    _NEW.add(
        connection, [(scope_id, blob, repository_id, n) for blob, n in change.added]
    )
    _CHANGED.set(
        connection, [(scope_id, blob, repository_id, n) for blob, n in change.changed]
    )
    _GONE.remove(
        connection, [(scope_id, blob, repository_id) for blob in change.removed]
    )
    if change.bytes_delta:
        add_deduplicated(connection, repository_id, change.bytes_delta)
    settle_or_queue(connection, scope_id, change.moved)


def read_holdings(
    connection: Connection,
    scope_id: int,
    repository_id: int,
    blob_ids: Collection[int],
) -> list[Holding]:
    """Those of the blobs that exist, with what is stored of the repository's hold."""
    parameters = {
        "scope": scope_id,
        "repository": repository_id,
        "ids": listed(blob_ids),
    }
    return [Holding(*row) for row in HELD.read(connection, parameters)]


def add_deduplicated(connection: Connection, repository_id: int, delta: int) -> None:
    """Add to the bytes that a repository holds, each blob counted once."""
    fitting = max(-LARGEST, bounded(delta))
    parameters = {
        "repository": repository_id,
        "delta": fitting,
        "least": max(-fitting, 0),
        "most": LARGEST if delta >= 0 else LARGEST - 1,
        "room": LARGEST - max(fitting, 0),
    }
    if connection.execute(_ADD, parameters).rowcount == 0:
        set_deduplicated(connection, repository_id)


def set_deduplicated(connection: Connection, repository_id: int) -> None:
    """Count a repository's bytes anew."""
    row = connection.execute(_EXACT, {"repository": repository_id}).one()
    total = bounded(sum_of(row, "held"))
    connection.execute(_SET, {"repository": repository_id, "total": total})
