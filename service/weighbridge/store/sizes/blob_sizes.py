"""What registries answered about blobs of a storage scope, rows of `blob_sizes`, and
the claims that this contradicts, rows of `disputes`.

The registry's word beats every claim. One scope's answers are never another's: what a
registry says, it says of itself.

Disputes with the source `bulk` are sizes of images by the registry's own API that its
word on their layers contradicts. Such a row goes as soon as the listing says what the
layers make.
"""

from collections.abc import Collection, Mapping, Sequence, Set
from datetime import datetime, timedelta
from typing import Final, NamedTuple

from msgspec import Struct
from sqlalchemy import (
    BigInteger,
    Connection,
    Row,
    and_,
    bindparam,
    delete,
    func,
    select,
    update,
)

from weighbridge.domain.image.digest import Digest, raw
from weighbridge.domain.registry.listing import is_explained
from weighbridge.domain.report.inventory import Source
from weighbridge.domain.size.confidence import MeasuredBlob
from weighbridge.domain.size.weigh_image import NOT_HELD
from weighbridge.store.dialect import (
    BulkInsert,
    BulkUpsert,
    Purpose,
    among_bytes,
    among_ids,
    join_in_order,
    listed,
    lock,
    settles_at_once,
)
from weighbridge.store.facts.stored_images import NOT_MEASURED, StoredLayer, load_layers
from weighbridge.store.ledger.counts import mark_uncounted, mark_unmeasured
from weighbridge.store.ledger.expressions import STORED_BYTES, sized, weighs_in
from weighbridge.store.ledger.resizing import resize
from weighbridge.store.models import (
    blob_sizes,
    blobs,
    disputes,
    images,
    layers,
    manifest_sizes,
    repository_blobs,
    repository_manifests,
)
from weighbridge.store.models.types import bounded, bounded_if_known
from weighbridge.store.session import be_alone

_FIRST_PAUSE: Final = timedelta(hours=1)
_LONGEST_PAUSE: Final = timedelta(days=7)
_PASSING: Final = frozenset({"bad_content_range", "format_mismatch"})
"""Bytes that may not be the blob's: another answer may go well."""

_SCOPE: Final = bindparam("scope", type_=BigInteger)
_STORED: Final = (
    select(
        blobs.c.digest,
        blobs.c.id,
        blobs.c.is_known,
        blobs.c.is_foreign,
        blobs.c.counted_bytes,
        STORED_BYTES.label("stored"),
        *(c for c in blob_sizes.c if c.name not in ("scope_id", "blob_id")),
    )
    .select_from(sized(blobs, _SCOPE))
    .where(among_bytes(blobs.c.digest))
    .order_by(blobs.c.digest)
)
_VALUES: Final = (
    "registry_bytes",
    "claim_reason",
    "seen_format",
    "uncompressed_confidence",
    "uncompressed_bytes",
    "uncompressed_low_bytes",
    "uncompressed_high_bytes",
    "uncompressed_reason",
    "asked_at",
    "attempts",
    "ask_again_at",
)
_CONTENT: Final = tuple(
    name for name in _VALUES if name.startswith(("seen_", "uncompressed_"))
)
_PUT: Final = BulkUpsert(blob_sizes, key=("scope_id", "blob_id"), values=_VALUES)
_held = repository_blobs.c
_live = repository_manifests.c
# From the holders, as no index leads from a blob to the images that have it.
_WITH_THEM: Final = (
    select(layers.c.image_id, _live.repository_id)
    .distinct()
    .select_from(
        join_in_order(
            join_in_order(
                repository_blobs,
                repository_manifests,
                _live.repository_id == _held.repository_id,
            ),
            layers,
            (layers.c.image_id == _live.manifest_id)
            & (layers.c.blob_id == _held.blob_id),
        )
    )
    .where(_held.scope_id == _SCOPE, among_ids(_held.blob_id))
)
_REOPEN: Final = (
    update(manifest_sizes)
    .where(manifest_sizes.c.scope_id == _SCOPE, among_ids(manifest_sizes.c.manifest_id))
    .values(is_whole=False)
)


class _SizeAnswer(Struct, frozen=True):
    """A blob with what is kept of it now, and what is to be kept."""

    blob_id: int
    kept: Mapping[str, object]
    is_bigger: bool
    is_corrected: bool


def keep_measures(
    connection: Connection,
    scope_id: int,
    measures: Mapping[Digest, MeasuredBlob | None],
    now: datetime,
    *,
    is_alone: bool = False,
) -> Set[Digest]:
    """Keep what a scope's registry answered about these blobs; None: no answer came.

    Totals follow in the same transaction. On PostgreSQL those that change one are left
    and returned, unless we are alone: to be called again, so, in a transaction of its
    own. What no document has named is left out.
    """
    if is_alone:
        be_alone(connection)
    else:
        lock(connection, Purpose.PRUNE, shared=True)
    hashes = sorted(raw(digest) for digest in measures)
    parameters = {"scope": scope_id, "hashes": listed(hashes)}
    rows = connection.execute(_STORED, parameters).all() if hashes else []
    answers = {row.digest: _answer(row, measures[row.digest], now) for row in rows}
    left: Set[Digest] = frozenset()
    if not is_alone and not settles_at_once(connection.dialect):
        left = {digest for digest, answer in answers.items() if answer.is_bigger}
    _keep(connection, scope_id, [a for d, a in answers.items() if d not in left])
    return left


def _keep(
    connection: Connection, scope_id: int, answers: Sequence[_SizeAnswer]
) -> None:
    answers = sorted(answers, key=lambda answer: answer.blob_id)
    rows = [(scope_id, a.blob_id, *(a.kept[v] for v in _VALUES)) for a in answers]

    def write() -> None:
        _PUT.add(connection, rows)

    if bigger := [answer.blob_id for answer in answers if answer.is_bigger]:
        resize(connection, [scope_id], bigger, write)
        # Their newest images may have another heaviest line now.
        found = _with(connection, scope_id, bigger)
        mark_uncounted(connection, {repository for _, repository in found})
    else:
        write()
    if corrected := [answer.blob_id for answer in answers if answer.is_corrected]:
        _reopen(connection, scope_id, corrected)


def _reopen(connection: Connection, scope_id: int, blob_ids: Collection[int]) -> None:
    """Images were summed up with another answer than what is known by now."""
    found = _with(connection, scope_id, blob_ids)
    images = {"scope": scope_id, "ids": listed(sorted({image for image, _ in found}))}
    connection.execute(_REOPEN, images)
    mark_unmeasured(connection, {repository for _, repository in found})


def _with(
    connection: Connection, scope_id: int, blob_ids: Collection[int]
) -> list[tuple[int, int]]:
    """Images with these blobs, each with a repository of the scope that has it."""
    parameters = {"scope": scope_id, "ids": listed(sorted(blob_ids))}
    rows = connection.execute(_WITH_THEM, parameters)
    return [(row.image_id, row.repository_id) for row in rows]


def _answer(
    row: Row[*tuple[object, ...]], measured: MeasuredBlob | None, now: datetime
) -> _SizeAnswer:
    was = {name: row._mapping[name] for name in _VALUES}
    attempts = (row.attempts or 0) + 1
    if measured is None:
        kept = {
            **was,
            "asked_at": now,
            "attempts": attempts,
            "ask_again_at": now + _pause(attempts),
        }
        return _SizeAnswer(row.id, kept, is_bigger=False, is_corrected=False)
    kept = {**_columns(measured), "asked_at": now}
    if measured.registry_bytes is None and measured.claim_reason != NOT_HELD:
        # What it has said of the blob before is as true as it was.
        kept["registry_bytes"] = row.registry_bytes
        if row.registry_bytes is not None:
            kept["claim_reason"] = None
    if kept["uncompressed_confidence"] is None and row.uncompressed_confidence:
        kept |= {name: was[name] for name in _CONTENT}
    is_final = _is_final(measured, row.is_foreign)
    kept["attempts"] = 0 if is_final else attempts
    kept["ask_again_at"] = None if is_final else now + _pause(attempts)
    word = 0 if kept["claim_reason"] == NOT_HELD else kept["registry_bytes"]
    counted = row.counted_bytes if word is None or row.is_known else word
    # Of what had no answer yet nothing was summed up.
    had_answer = row.registry_bytes is not None or row.claim_reason is not None
    return _SizeAnswer(
        row.id,
        kept,
        is_bigger=counted != row.stored,
        is_corrected=had_answer and any(kept[n] != was[n] for n in _VALUES[:-3]),
    )


def _pause(attempts: int) -> timedelta:
    """How long a blob is left alone of which the answer will not do: until the next
    crawl, then twice as long each time."""
    if attempts < 2:
        return timedelta(0)
    return min(_FIRST_PAUSE * (1 << min(attempts - 2, 12)), _LONGEST_PAUSE)


def _is_final(measured: MeasuredBlob, is_foreign: bool) -> bool:
    """Whether another answer is not to be expected; is_foreign: all claim so."""
    if measured.claim_reason == NOT_HELD:
        return is_foreign  # Then as it should be: it is somewhere else.
    is_known = measured.registry_bytes is not None
    is_refused = measured.claim_reason in ("no_length", "not_asked")
    return (is_known or is_refused) and measured.uncompressed.reason not in _PASSING


def _columns(measured: MeasuredBlob) -> dict[str, object]:
    size = measured.uncompressed
    columns: dict[str, object] = {
        "registry_bytes": bounded_if_known(measured.registry_bytes),
        "claim_reason": measured.claim_reason or None,
        **dict.fromkeys(_CONTENT),
    }
    if size.reason != NOT_MEASURED.reason:
        columns |= {
            "seen_format": measured.seen,
            "uncompressed_confidence": size.confidence,
            "uncompressed_bytes": bounded_if_known(size.uncompressed_bytes),
            "uncompressed_low_bytes": bounded_if_known(size.low_bytes),
            "uncompressed_high_bytes": bounded_if_known(size.high_bytes),
            "uncompressed_reason": size.reason,
        }
    return columns


_NEW: Final = BulkInsert(
    disputes,
    "scope_id",
    "manifest_id",
    "blob_id",
    "source",
    "claimed_bytes",
    "seen_at",
)
_KNOWN: Final = (
    select(disputes.c.blob_id, disputes.c.claimed_bytes, disputes.c.source)
    .where(
        disputes.c.scope_id == _SCOPE,
        among_ids(disputes.c.blob_id),
    )
    .distinct()
)


class Dispute(NamedTuple):
    """A claim that is not what the registry says.

    manifest_id: whose claim it is
    blob_id:     what it is about; of a bulk listing's size the image itself
    """

    manifest_id: int
    blob_id: int
    claimed_bytes: int
    source: Source = "manifest"


def note_disputes(
    connection: Connection, scope_id: int, found: Sequence[Dispute], now: datetime
) -> int:
    """Keep what is new of these. Returns how many claims of a blob's size nobody knew
    in this scope before, whoever makes them."""
    if not found:
        return 0
    blob_ids = listed(sorted({dispute.blob_id for dispute in found}))
    rows = connection.execute(_KNOWN, {"scope": scope_id, "ids": blob_ids})
    known = {(row.blob_id, row.claimed_bytes, row.source) for row in rows}
    bound = [one._replace(claimed_bytes=bounded(one.claimed_bytes)) for one in found]
    learned = {(d.blob_id, d.claimed_bytes, d.source) for d in bound} - known
    _NEW.add(
        connection,
        [
            (scope_id, d.manifest_id, d.blob_id, d.source, d.claimed_bytes, now)
            for d in sorted(set(bound))
        ],
    )
    return len(learned)


_PIECE: Final = 500
"""Images whose layers are in memory at once."""
_size = manifest_sizes.c
_config = blobs.alias("config")
_COMPARED: Final = (
    select(
        blobs.c.id,
        blobs.c.digest,
        _size.compressed_bytes,
        func.coalesce(_config.c.read_bytes, _config.c.compressed_bytes, 0).label(
            "config_bytes"
        ),
        disputes.c.claimed_bytes,
    )
    .select_from(
        join_in_order(
            join_in_order(
                blobs,
                manifest_sizes,
                weighs_in(_SCOPE),
            ),
            images,
            images.c.id == blobs.c.id,
        )
        .join(_config, _config.c.id == images.c.config_id)
        .outerjoin(
            disputes,
            and_(
                disputes.c.scope_id == _SCOPE,
                disputes.c.manifest_id == blobs.c.id,
                disputes.c.blob_id == blobs.c.id,
                disputes.c.source == "bulk",
            ),
        )
    )
    .where(
        among_bytes(blobs.c.digest),
        _size.is_whole,
        _size.compressed_confidence != "claimed",
    )
    .order_by(blobs.c.id)
)
_SETTLE: Final = delete(disputes).where(
    disputes.c.scope_id == _SCOPE,
    disputes.c.source == "bulk",
    among_ids(disputes.c.manifest_id),
)


def find_listed(
    connection: Connection, scope_id: int, sizes: Mapping[Digest, int]
) -> tuple[list[Dispute], list[int]]:
    """Hold a listing's sizes of images, by the digests of their manifests, against the
    word of the scope's registry.

    Returns the sizes that are not yet known to be false, and the images whose size was
    false and is not any more. Only images of which that word is known for every layer
    are compared; of one whose size is known to be false the first size stays.
    """
    hashes = sorted(raw(digest) for digest in sizes)
    parameters = {"scope": scope_id, "hashes": listed(hashes)}
    rows = connection.execute(_COMPARED, parameters).all() if hashes else []
    # Most are plainly right: no layer of them is read.
    doubtful = [row for row in rows if sizes[row.digest] != row.compressed_bytes]
    false: set[int] = set()
    for start in range(0, len(doubtful), _PIECE):
        piece = doubtful[start : start + _PIECE]
        layers = load_layers(connection, [row.id for row in piece], scope_id)
        false |= {
            row.id
            for row in piece
            if _is_false(sizes[row.digest], layers.get(row.id, []), row.config_bytes)
        }
    return (
        [
            Dispute(row.id, row.id, sizes[row.digest], "bulk")
            for row in rows
            if row.id in false and row.claimed_bytes is None
        ],
        [
            row.id
            for row in rows
            if row.id not in false and row.claimed_bytes is not None
        ],
    )


def keep_listed(
    connection: Connection,
    scope_id: int,
    sizes: Mapping[Digest, int],
    now: datetime,
) -> int:
    """Keep what `find_listed` finds. Returns how many false sizes were not known."""
    lock(connection, Purpose.PRUNE, shared=True)
    false, settled = find_listed(connection, scope_id, sizes)
    if settled:
        connection.execute(_SETTLE, {"scope": scope_id, "ids": listed(sorted(settled))})
    return note_disputes(connection, scope_id, false, now)


def _is_false(
    listed_bytes: int, layers: Sequence[StoredLayer], config_bytes: int
) -> bool:
    """Whether no way of counting makes a listing's size of these layers. It is not
    written down whether the listing counts layers that are called foreign."""
    known = [
        (one.layer.digest, one.measured.registry_bytes)
        for one in layers
        if one.measured is not None and one.measured.registry_bytes is not None
    ]
    if len(known) < len(layers) or any(one.layer.is_foreign for one in layers):
        return False
    return not is_explained(listed_bytes, known, config_bytes)
