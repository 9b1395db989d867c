"""The ledger of repositories: which blobs each holds, and their bytes counted once.

Within a batch: manifests enter or leave (`liveness`), here their blobs are counted,
and what began or ceased to be held is settled in the storage scope (`settling`).
docs/architecture.md says why it goes in these steps.
"""

from collections.abc import Collection, Mapping
from typing import Final

from sqlalchemy import Connection, and_, func, select

from weighbridge.domain.sharing import HeldBlob, blob_deltas, change_holdings
from weighbridge.store.dialect import (
    BulkDelete,
    BulkInsert,
    BulkUpdate,
    Rows,
    among_ids,
    given_ids,
    listed,
    probe,
    probe_if_any,
)
from weighbridge.store.ledger.counts import add_deduplicated, configs_of
from weighbridge.store.ledger.expressions import STORED_BYTES, has_word_on
from weighbridge.store.ledger.scopes import LedgerPlace
from weighbridge.store.ledger.settling import settle_or_queue
from weighbridge.store.models import blob_sizes, blobs, layers, repository_blobs

_held = repository_blobs.c
_LAYERS: Final = Rows(
    select(layers.c.image_id, layers.c.blob_id).where(among_ids(layers.c.image_id))
)
_KEY: Final = ("scope_id", "blob_id", "repository_id")
# Each blob by its whole key. As a join PostgreSQL reads all that the repository holds
# for each of them, as long as nobody has counted the table.
_given = given_ids("scope_id", "repository_id", "blob_id")
HELD: Final = Rows(
    select(
        _given.c.repository_id,
        _given.c.scope_id,
        blobs.c.id,
        STORED_BYTES.label("stored_bytes"),
        func.coalesce(_held.manifest_count, 0).label("manifests"),
    ).select_from(
        probe_if_any(
            probe(_given, blobs, blobs.c.id == _given.c.blob_id),
            (blob_sizes, has_word_on(_given.c.scope_id)),
            (
                repository_blobs,
                and_(*(_held[name] == _given.c[name] for name in _KEY)),
            ),
        )
    )
)
_NEW: Final = BulkInsert(repository_blobs, *_KEY, "manifest_count")
_CHANGED: Final = BulkUpdate(repository_blobs, key=_KEY, values=["manifest_count"])
_GONE: Final = BulkDelete(repository_blobs, key=_KEY)


def count_blobs(
    connection: Connection,
    flips: Mapping[LedgerPlace, Mapping[int, int]],
    configs: Mapping[int, int | None],
) -> dict[LedgerPlace, int]:
    """Let manifests whose facts are kept enter (+1) or leave (-1) repositories, with
    all that they hold: themselves, their configs, their layers.

    The repositories' rows must be locked. configs: of each of the manifests. Returns
    by how many bytes the distinct blobs of each repository are more.
    """
    contents = _contents(connection, configs)
    deltas = {place: blob_deltas(each, contents) for place, each in flips.items()}
    return change_blobs(connection, deltas)


def move_holdings(
    connection: Connection, repository_id: int, scope_id: int, other_id: int
) -> None:
    """Let all that a repository holds count in another storage scope, or in another
    part of the same. The repository's row must be locked."""
    configs = configs_of(connection, repository_id)
    held = held_by(connection, configs)
    fewer = {blob: -count for blob, count in held.items()}
    moved = {
        LedgerPlace(repository_id, scope_id): fewer,
        LedgerPlace(repository_id, other_id): held,
    }
    more = sum(change_blobs(connection, moved).values())
    add_deduplicated(connection, {repository_id: more})


def held_by(
    connection: Connection, configs: Mapping[int, int | None]
) -> dict[int, int]:
    """By how many of these manifests, given with their configs, each blob is held."""
    contents = _contents(connection, configs)
    return blob_deltas(dict.fromkeys(configs, 1), contents)


def _contents(
    connection: Connection, configs: Mapping[int, int | None]
) -> dict[int, set[int]]:
    contents = {
        manifest: {manifest} if config is None else {manifest, config}
        for manifest, config in configs.items()
    }
    if contents:
        for image, blob in _LAYERS.read(connection, {"ids": listed(contents)}):
            contents[image].add(blob)
    return contents


def change_blobs(
    connection: Connection, deltas: Mapping[LedgerPlace, Mapping[int, int]]
) -> dict[LedgerPlace, int]:
    """Count that so many manifests more (or fewer) of a repository hold each blob.
    Returns by how many bytes its distinct blobs are more."""
    held = read_holdings(connection, deltas)
    changes = {place: change_holdings(held[place], deltas[place]) for place in held}
    added, changed, removed = [], [], []
    moved: dict[int, set[int]] = {}
    for (repository, scope), change in changes.items():
        added += [(scope, blob, repository, n) for blob, n in change.added]
        changed += [(scope, blob, repository, n) for blob, n in change.changed]
        removed += [(scope, blob, repository) for blob in change.removed]
        moved.setdefault(scope, set()).update(change.moved)
    _NEW.add(connection, sorted(added))
    _CHANGED.set(connection, sorted(changed))
    _GONE.remove(connection, sorted(removed))
    settle_or_queue(connection, moved)
    return {place: change.bytes_delta for place, change in changes.items()}


def read_holdings(
    connection: Connection, blob_ids: Mapping[LedgerPlace, Collection[int]]
) -> dict[LedgerPlace, list[HeldBlob]]:
    """Those of the blobs that exist, with what is stored of each repository's hold."""
    found: dict[LedgerPlace, list[HeldBlob]] = {place: [] for place in blob_ids}
    keys = {(p.scope_id, p.repository_id): ids for p, ids in blob_ids.items() if ids}
    if keys:
        for repository, scope, *row in HELD.read(connection, {"keys": keys}):
            found[LedgerPlace(repository, scope)].append(HeldBlob(*row))
    return found
