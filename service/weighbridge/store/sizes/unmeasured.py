"""What waits to be asked of a registry: images and artifacts that are not summed up in
their storage scope, and their blobs.

Only repositories to which something came since they were looked through are, their live
manifests once, in pieces, by the keys of the tables. From the blobs no index leads to
the images that have them: it would be as large as the layers.
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Final, NamedTuple

from msgspec import Struct
from sqlalchemy import (
    BigInteger,
    BindParameter,
    ColumnElement,
    Connection,
    FromClause,
    Row,
    and_,
    bindparam,
    func,
    or_,
    select,
    union,
)

from weighbridge.domain.image.digest import Digest, raw
from weighbridge.domain.image.document import Layer
from weighbridge.domain.size.blob_format import claimed_format
from weighbridge.domain.size.confidence import Seen
from weighbridge.domain.size.weigh_image import NOT_HELD
from weighbridge.store.dialect import (
    BulkUpdate,
    among_bytes,
    among_ids,
    join_in_order,
    listed,
)
from weighbridge.store.facts.interned import media_types_of
from weighbridge.store.ledger.expressions import HAS_BLOBS, in_doubt, sized, weighs_in
from weighbridge.store.models import (
    artifacts,
    blob_sizes,
    blobs,
    images,
    index_members,
    layers,
    manifest_sizes,
    repositories,
    repository_blobs,
    repository_manifests,
    repository_summaries,
    storage_scopes,
)
from weighbridge.store.models.types import Moment


class LiveManifest(NamedTuple):
    """An image or artifact in a repository that has it live."""

    repository_id: int
    manifest_id: int
    scope_id: int


START: Final = LiveManifest(0, 0, 0)
"""Before the first one."""

_live = repository_manifests.c
_size = manifest_sizes.c
_held = repository_blobs.c
_summary = repository_summaries.c
_SCOPE: Final = bindparam("scope", type_=BigInteger)
_MOST: Final[BindParameter[int]] = bindparam("most")
_NOW: Final = bindparam("moment", type_=Moment())
_IS_OPEN: Final = func.coalesce(_size.is_whole, False).is_(False)


def _open_manifests(tables: FromClause, scope: ColumnElement[int]) -> FromClause:
    """Live manifests, with the row of each in the scope of its repository."""
    return join_in_order(tables, blobs, blobs.c.id == _live.manifest_id).outerjoin(
        manifest_sizes,
        and_(_size.scope_id == scope, _size.manifest_id == _live.manifest_id),
    )


# SQLite keeps these orders: a repository's manifests follow one another in the key.
_REST: Final = (
    select(_live.repository_id, _live.manifest_id, _SCOPE)
    .select_from(_open_manifests(repository_manifests, _SCOPE))
    .where(
        _live.repository_id == bindparam("repository"),
        _live.manifest_id > bindparam("manifest"),
        HAS_BLOBS,
        _IS_OPEN,
    )
    .order_by(_live.manifest_id)
    .limit(_MOST)
)
_NEXT: Final = (
    select(_live.repository_id, _live.manifest_id, repositories.c.scope_id)
    .select_from(
        _open_manifests(
            join_in_order(
                repositories,
                repository_manifests,
                _live.repository_id == repositories.c.id,
            ),
            repositories.c.scope_id,
        )
    )
    .where(
        # Not by the index of a registry's repositories, which is in another order.
        repositories.c.registry_id + 0 == bindparam("registry"),
        repositories.c.id > bindparam("repository"),
        select(_summary.is_unmeasured)
        .where(_summary.repository_id == repositories.c.id)
        .scalar_subquery(),
        HAS_BLOBS,
        _IS_OPEN,
    )
    .order_by(repositories.c.id, _live.manifest_id)
    .limit(_MOST)
)
_UNMEASURED: Final = (
    select(repositories.c.id)
    .join(repository_summaries, _summary.repository_id == repositories.c.id)
    .where(repositories.c.registry_id == bindparam("registry"), _summary.is_unmeasured)
    .order_by(repositories.c.id)
)
_LOCK: Final = (
    select(_summary.repository_id)
    .where(among_ids(_summary.repository_id), _summary.is_unmeasured)
    .order_by(_summary.repository_id)
    .with_for_update()
)
_SET_MEASURED: Final = BulkUpdate(
    repository_summaries, key=["repository_id"], values=["is_unmeasured"]
)
_SCOPE_OF: Final = select(repositories.c.scope_id).where(
    repositories.c.id == bindparam("repository")
)
_IMAGE_IDS: Final = (
    select(blobs.c.id)
    .outerjoin(manifest_sizes, weighs_in(_SCOPE))
    .where(HAS_BLOBS, _IS_OPEN)
)
_index = blobs.alias("index_blob")
_THESE: Final = _IMAGE_IDS.where(among_bytes(blobs.c.digest))
_THEIR_CHILDREN: Final = _IMAGE_IDS.where(
    blobs.c.id.in_(
        select(index_members.c.child_id)
        .join(_index, _index.c.id == index_members.c.index_id)
        .where(among_bytes(_index.c.digest))
    )
)
# Never asked; or asked, and the answer will not do; or asked for its length only, when
# no image had it.
_TO_ASK: Final = or_(
    blob_sizes.c.blob_id.is_(None),
    blob_sizes.c.ask_again_at <= _NOW,
    and_(
        blobs.c.is_layer,
        blob_sizes.c.uncompressed_confidence.is_(None),
        blob_sizes.c.ask_again_at.is_(None),
    ),
    in_doubt(blobs),
)
_BLOB: Final = (
    blobs.c.id,
    blobs.c.digest,
    blobs.c.compressed_bytes,
    blobs.c.is_layer,
    blobs.c.is_foreign,
    blobs.c.has_conflict,
    blobs.c.has_format_conflict,
    blobs.c.media_type_id,
)
_LARGEST_FIRST: Final = (blobs.c.compressed_bytes.desc(), blobs.c.id)
_LAYERS: Final = (
    select(*_BLOB, func.min(layers.c.image_id).label("manifest_id"))
    .select_from(
        sized(join_in_order(layers, blobs, blobs.c.id == layers.c.blob_id), _SCOPE)
    )
    .where(among_ids(layers.c.image_id), _TO_ASK)
    .group_by(blobs.c.id)
    .order_by(*_LARGEST_FIRST)
    .limit(_MOST)
)
_configs = union(
    *(
        select(t.c.id.label("manifest_id"), t.c.config_id).where(
            among_ids(t.c.id), t.c.config_id.is_not(None)
        )
        for t in (images, artifacts)
    )
).subquery("configs")
_CONFIGS: Final = (
    select(*_BLOB, func.min(_configs.c.manifest_id).label("manifest_id"))
    .select_from(
        sized(_configs.join(blobs, blobs.c.id == _configs.c.config_id), _SCOPE)
    )
    .where(blobs.c.read_bytes.is_(None), _TO_ASK)
    .group_by(blobs.c.id)
    .order_by(*_LARGEST_FIRST)
    .limit(_MOST)
)
# One probe of the key, the same for one holder and for 40,000.
_HOLDER: Final = (
    select(_held.repository_id)
    .where(
        _held.scope_id == blob_sizes.c.scope_id, _held.blob_id == blob_sizes.c.blob_id
    )
    .order_by(_held.repository_id)
    .limit(1)
    .scalar_subquery()
)
_AGAIN: Final = (
    select(*_BLOB, blob_sizes.c.scope_id, _HOLDER.label("repository_id"))
    .select_from(
        join_in_order(
            join_in_order(
                storage_scopes,
                blob_sizes,
                blob_sizes.c.scope_id == storage_scopes.c.id,
            ),
            blobs,
            blobs.c.id == blob_sizes.c.blob_id,
        )
    )
    .where(
        storage_scopes.c.registry_id == bindparam("registry"),
        blob_sizes.c.ask_again_at <= _NOW,
        _HOLDER.is_not(None),
    )
    .order_by(*_LARGEST_FIRST)
    .limit(_MOST)
)
_ANSWERED: Final = (
    select(blobs.c.digest, blob_sizes.c.claim_reason, blob_sizes.c.seen_format)
    .select_from(sized(blobs, _SCOPE))
    .where(among_bytes(blobs.c.digest), ~func.coalesce(_TO_ASK, False))
)
_NAMES: Final = select(repositories.c.id, repositories.c.name).where(
    among_ids(repositories.c.id)
)
_CLAIMS: Final = (
    select(layers.c.blob_id, layers.c.claimed_bytes)
    .where(among_ids(layers.c.blob_id), layers.c.claimed_bytes.is_not(None))
    .distinct()
    .order_by(layers.c.blob_id, layers.c.claimed_bytes)
)


class Unmeasured(Struct, frozen=True):
    """A blob to ask for, and a repository of the registry that serves it.

    is_layer:     of an image: its content is measured, and not its length alone
    other_claims: what other manifests say of its size: the first claim is as likely
        to be the false one
    """

    scope_id: int
    layer: Layer
    repository: str
    is_layer: bool = True
    other_claims: tuple[int, ...] = ()


def waiting_manifests(
    connection: Connection, registry_id: int, after: LiveManifest, most: int
) -> Sequence[LiveManifest]:
    """The registry's next live images and artifacts that are not summed up; fewer than
    `most` at the end.

    One is named once for each repository that has it.
    """
    parameters = {
        "registry": registry_id,
        "repository": after.repository_id,
        "manifest": after.manifest_id,
        "scope": after.scope_id,
    }
    found: list[LiveManifest] = []
    for statement in (_REST, _NEXT):
        if len(found) < most:
            limited = {**parameters, "most": most - len(found)}
            found += [
                LiveManifest(*row) for row in connection.execute(statement, limited)
            ]
    return found


def waiting_of(
    connection: Connection, repository_id: int, digests: Collection[Digest]
) -> Sequence[LiveManifest]:
    """Those of these digests that are images or artifacts which are not summed up,
    served by this repository; of an index its children."""
    scope_id = connection.execute(_SCOPE_OF, {"repository": repository_id}).scalar()
    if scope_id is None or not digests:
        return []
    parameters = {"scope": scope_id, "hashes": listed(map(raw, digests))}
    found: set[int] = set()
    for statement in (_THESE, _THEIR_CHILDREN):
        found |= set(connection.execute(statement, parameters).scalars())
    return [
        LiveManifest(repository_id, manifest, scope_id) for manifest in sorted(found)
    ]


def unmeasured_repositories(connection: Connection, registry_id: int) -> Sequence[int]:
    """The repositories of a registry to which something came since they were looked
    through."""
    parameters = {"registry": registry_id}
    return list(connection.execute(_UNMEASURED, parameters).scalars())


def note_measured(connection: Connection, repository_ids: Collection[int]) -> None:
    """Look these repositories through no more, unless something waits there still."""
    for repository_id in sorted(repository_ids):
        # Who brings something has committed by then, or waits for us.
        ids = {"ids": listed([repository_id])}
        if connection.execute(_LOCK, ids).scalar() is None:
            continue
        of_it = {"repository": repository_id}
        scope_id = connection.execute(_SCOPE_OF, of_it).scalar_one()
        first = {**of_it, "manifest": 0, "scope": scope_id, "most": 1}
        if connection.execute(_REST, first).first() is None:
            _SET_MEASURED.set(connection, [(repository_id, False)])


def unmeasured_blobs(
    connection: Connection, places: Collection[LiveManifest], most: int, now: datetime
) -> list[Unmeasured]:
    """Blobs of these manifests that are to be asked for, largest first; at most so
    many of each kind in each scope."""
    found: list[Unmeasured] = []
    for scope_id in sorted({place.scope_id for place in places}):
        serving = {
            p.manifest_id: p.repository_id for p in places if p.scope_id == scope_id
        }
        parameters = {
            "scope": scope_id,
            "ids": listed(sorted(serving)),
            "most": most,
            "moment": now,
        }
        for statement in (_LAYERS, _CONFIGS):
            rows = connection.execute(statement, parameters).all()
            held = [(row, scope_id, serving[row.manifest_id]) for row in rows]
            found += _unmeasured(connection, held)
    return found


def blobs_to_ask_again(
    connection: Connection, registry_id: int, most: int, now: datetime
) -> list[Unmeasured]:
    """Blobs that a registry's repositories hold and of which the last answer will not
    do, where it is time to ask again; at most so many."""
    parameters = {"registry": registry_id, "most": most, "moment": now}
    rows = connection.execute(_AGAIN, parameters).all()
    return _unmeasured(
        connection, [(row, row.scope_id, row.repository_id) for row in rows]
    )


def find_unasked(
    connection: Connection,
    scope_id: int,
    layers: Collection[Layer],
    now: datetime,
) -> Sequence[Digest]:
    """Those of these layers that are to be asked for in a scope: also where an answer
    came that rests on what other manifests say."""
    hashes = listed(raw(layer.digest) for layer in layers)
    parameters = {"scope": scope_id, "hashes": hashes, "moment": now}
    rows = connection.execute(_ANSWERED, parameters)
    answers = {row.digest: (row.claim_reason, row.seen_format) for row in rows}
    return [y.digest for y in layers if not _will_do(y, answers.get(y.digest))]


def _will_do(layer: Layer, answer: tuple[str | None, Seen | None] | None) -> bool:
    if answer is None:
        return False
    reason, seen = answer
    is_missed = reason == NOT_HELD and not layer.is_foreign
    is_by_end = seen == "gzip_end" and claimed_format(layer.media_type) != "gzip"
    return not is_missed and not is_by_end


def _unmeasured(
    connection: Connection,
    rows: Sequence[tuple[Row[*tuple[object, ...]], int, int]],
) -> list[Unmeasured]:
    """rows: of `_BLOB`, each with its scope and the repository that serves it"""
    serving = listed(sorted({repository for _, _, repository in rows}))
    found = connection.execute(_NAMES, {"ids": serving})
    names = {number: name for number, name in found}
    kinds = media_types_of(connection, {row.media_type_id for row, _, _ in rows})
    disputed = [row.id for row, _, _ in rows if row.has_conflict]
    claims = _other_claims(connection, disputed)
    return [
        Unmeasured(
            scope_id,
            Layer(
                media_type=_hint(row, kinds),
                digest=row.digest,
                compressed_bytes=row.compressed_bytes or 0,
                is_foreign=row.is_foreign,
            ),
            names[repository],
            row.is_layer,
            tuple(claims.get(row.id, ())),
        )
        for row, scope_id, repository in rows
    ]


def _hint(row: Row[*tuple[object, ...]], kinds: Mapping[int | None, str]) -> str:
    """Which bytes are read first: where documents disagree, those of the beginning."""
    return "" if row.has_format_conflict else kinds.get(row.media_type_id, "")


def _other_claims(
    connection: Connection, blob_ids: Sequence[int]
) -> dict[int, list[int]]:
    found: dict[int, list[int]] = {}
    if not blob_ids:
        return found
    for row in connection.execute(_CLAIMS, {"ids": listed(blob_ids)}):
        found.setdefault(row.blob_id, []).append(row.claimed_bytes)
    return found
