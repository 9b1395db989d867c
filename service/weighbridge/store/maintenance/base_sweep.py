"""Images that were kept before their base was: what is new among the bases is looked
for in what repositories hold already, in the background.

Only repositories that hold its last layer are walked through, as the ledger names them;
of a base whose layers are all foreign, which no ledger has, all of them are. It goes in
pieces: whoever is killed begins again with the bases that were not done.

What annotations say of a base is held against its name and digest once these are known,
whether or not the layers show it: else what was pushed first would be believed.
"""

from collections.abc import Callable, Collection, Iterator, Sequence, Set
from datetime import datetime
from typing import Final

from msgspec import Struct
from sqlalchemy import (
    Connection,
    and_,
    bindparam,
    case,
    exists,
    func,
    or_,
    select,
    update,
)

from weighbridge.domain.base.chain import layer_chains
from weighbridge.domain.image.digest import Digest
from weighbridge.ports.job_names import CLAIMS
from weighbridge.store.bases.image_bases import find_image_bases_anew
from weighbridge.store.bases.unheld_names import unheld_names
from weighbridge.store.connection.deadlines import unhurried
from weighbridge.store.dialect import (
    BulkUpdateReturning,
    Purpose,
    Rows,
    among_ids,
    listed,
    lock,
)
from weighbridge.store.facts.interned import platform_ids
from weighbridge.store.facts.stored_images import load_images
from weighbridge.store.leases.jobs import Job, note_done
from weighbridge.store.ledger.holdings import settle_all
from weighbridge.store.models import (
    base_chains,
    base_repositories,
    blobs,
    image_bases,
    images,
    layers,
    repository_blobs,
    repository_manifests,
    scope_blobs,
    tags,
)
from weighbridge.store.models.types import UTF8
from weighbridge.store.session import Database, alone, lock_repositories
from weighbridge.store.tags.base_tags import LedTag, note_base_tags

_TAGS: Final = 200
_BASES: Final = 500
_IMAGES: Final = 500
_CLAIMS_A_PIECE: Final = 5_000

_mark = base_repositories.c
_chain = base_chains.c
_layer = layers.c
_live = repository_manifests.c
_UNRECORDED: Final = (
    select(_mark.repository_id).where(_mark.is_recorded.is_(False)).limit(1)
)
_TAGS_OF: Final = (
    select(tags.c.name, case((tags.c.deleted_at.is_(None), tags.c.target_id)))
    .where(
        tags.c.repository_id == bindparam("repository"),
        tags.c.name > bindparam("after", type_=UTF8),
        # What is gone may have been a name of a base when this was one before.
        or_(tags.c.deleted_at.is_not(None), tags.c.target_id.is_not(None)),
    )
    .order_by(tags.c.name)
    .limit(_TAGS)
)
_RECORDED: Final = (
    update(base_repositories)
    .where(_mark.repository_id == bindparam("number"))
    .values(is_recorded=True)
)
# Its images whose facts are known: they change where a tag leads to more than before.
_HELD: Final = (
    select(func.count(), func.sum(_live.manifest_id))
    .join_from(repository_manifests, images, images.c.id == _live.manifest_id)
    .where(_live.repository_id == bindparam("repository"))
)
_UNSWEPT: Final = (
    select(_chain.id, _chain.chain, _chain.image_id, _chain.layer_count)
    .where(_chain.is_swept.is_(False))
    .order_by(_chain.id)
    .limit(_BASES)
)
_SWEPT: Final = BulkUpdateReturning(base_chains, key=("id",), values=("is_swept",))
_LAYERS_OF_BASES: Final = Rows(
    select(_layer.image_id, _layer.position, _layer.blob_id, _layer.is_foreign).where(
        among_ids(_layer.image_id)
    )
)
_held = repository_blobs.c
_HOLDERS: Final = (
    select(_held.repository_id)
    .join_from(
        scope_blobs,
        repository_blobs,
        and_(
            _held.scope_id == scope_blobs.c.scope_id,
            _held.blob_id == scope_blobs.c.blob_id,
        ),
    )
    .where(among_ids(scope_blobs.c.blob_id))
    .distinct()
)
_ALL: Final = select(_live.repository_id).distinct()
_LIVE: Final = (
    select(_live.manifest_id)
    .join(images, images.c.id == _live.manifest_id)
    .where(
        _live.repository_id == bindparam("repository"),
        _live.manifest_id > bindparam("after"),
    )
    .order_by(_live.manifest_id)
    .limit(_IMAGES)
)
_DIGESTS: Final = Rows(
    select(_layer.image_id, _layer.position, blobs.c.digest)
    .join_from(layers, blobs, blobs.c.id == _layer.blob_id)
    .where(among_ids(_layer.image_id))
)
_claim = image_bases.c
# Of live images that claim a base, and were not found to stand on that.
_CLAIMS: Final = (
    select(_claim.image_id, _claim.reference, _claim.digest)
    .where(
        _claim.image_id > bindparam("after"),
        or_(_claim.reference.is_not(None), _claim.digest.is_not(None)),
        or_(
            _claim.found_by.in_(("layers", "history")),
            and_(_claim.relation == "base", _claim.base_chain_id.is_(None)),
        ),
        exists().where(_live.manifest_id == _claim.image_id),
    )
    .order_by(_claim.image_id)
    .limit(_CLAIMS_A_PIECE)
)


class SweptBases(Struct, frozen=True):
    """What was done.

    tags:   of base repositories that were there before these were bases
    bases:  that were looked for
    images: that begin with one of them
    claims: annotations that were held against the names of bases anew
    """

    tags: int = 0
    bases: int = 0
    images: int = 0
    claims: int = 0


@unhurried()
def sweep_bases(
    database: Database,
    now: datetime,
    *,
    is_stopped: Callable[[], bool] = lambda: False,
) -> SweptBases:
    """Note the tags of repositories that were there before these were bases, and find
    the images that stand on bases that are new.

    is_stopped: asked between transactions; once True, the rest is left for the next
        time. Raises StoreError(database_busy, ...); what was found before that stays.
    """
    recorded = _record(database, now, is_stopped)
    bases = found = 0
    while not is_stopped():
        with database.read() as connection:
            if connection.execute(_UNSWEPT).first() is None:
                break
        # What is on its way is there once we are alone, and who comes later finds the
        # bases that we see.
        settle_all(database)
        with alone(database) as connection:
            rows = connection.execute(_UNSWEPT).all()
        new = [_NewBase(*row) for row in rows]
        count = _find_images(database, new, is_stopped)
        if count is None:
            break
        with database.write() as connection:
            _SWEPT.take(connection, [(base.id, True) for base in new])
        bases += len(new)
        found += count
    claims = _hold_claims(database, now, is_stopped)
    return SweptBases(recorded, bases, found, claims)


class _NewBase(Struct, frozen=True):
    id: int
    chain: bytes
    image_id: int | None
    layer_count: int


def _record(database: Database, now: datetime, is_stopped: Callable[[], bool]) -> int:
    count = 0
    while not is_stopped():
        with database.read() as connection:
            repository = connection.execute(_UNRECORDED).scalar()
        if repository is None:
            break
        after: str | None = ""
        before = held = None
        while after is not None and not is_stopped():
            with database.write() as connection:
                # What a crawl moves meanwhile we would put back where it was.
                lock_repositories(connection, [repository])
                held = connection.execute(_HELD, {"repository": repository}).one()
                before = held if before is None else before
                of_piece = {"repository": repository, "after": after}
                rows = connection.execute(_TAGS_OF, of_piece).all()
                led = [LedTag(repository, name, target) for name, target in rows]
                note_base_tags(connection, led, now)
                after = rows[-1].name if len(rows) == _TAGS else None
                if after is None and held == before:
                    connection.execute(_RECORDED, {"number": repository})
            count += len(rows)
        if held != before:
            break  # Images became known behind us: the next sweep begins again.
    return count


def _find_images(
    database: Database, bases: Sequence[_NewBase], is_stopped: Callable[[], bool]
) -> int | None:
    """How many images begin with one of them; None: it was stopped."""
    chains = {base.chain for base in bases}
    with database.read() as connection:
        repositories = _repositories(connection, bases)
    seen: set[int] = set()
    count = 0
    for repository in repositories:
        for piece in _live_images(database, repository):
            if is_stopped():
                return None
            new = [number for number in piece if number not in seen]
            seen.update(new)
            with database.read() as connection:
                begun = _beginning(connection, new, chains)
            if begun:
                with database.write() as connection:
                    _keep(connection, begun)
            count += len(begun)
    return count


def _hold_claims(
    database: Database, now: datetime, is_stopped: Callable[[], bool]
) -> int:
    """Look again for the base of images that claim one of which names have come since
    the last time; how many these are."""
    with database.read() as connection:
        names = unheld_names(connection)
    count, after = 0, -1
    while names.references and not is_stopped():
        with database.read() as connection:
            of_piece = {"after": after}
            rows = connection.execute(_CLAIMS, of_piece).all()
            claimed = [row.image_id for row in rows if names.has(*row[1:])]
        for start in range(0, len(claimed), _IMAGES):
            with database.write() as connection:
                _keep(connection, claimed[start : start + _IMAGES])
        count += len(claimed)
        if len(rows) < _CLAIMS_A_PIECE:
            break
        after = rows[-1].image_id
    if not is_stopped():
        with database.write() as connection:
            note_done(connection, Job(CLAIMS), now)
    return count


def _repositories(connection: Connection, bases: Sequence[_NewBase]) -> list[int]:
    """Those that may have images on them."""
    ids = sorted({base.image_id for base in bases if base.image_id is not None})
    of_image: dict[int, dict[int, tuple[int, bool]]] = {}
    for image, place, *layer in _LAYERS_OF_BASES.read(connection, {"ids": listed(ids)}):
        of_image.setdefault(image, {})[place] = (layer[0], layer[1])
    tops: set[int] = set()
    for base in bases:
        # What was pruned has no layers any more, and nothing that stands on it.
        stored = of_image.get(base.image_id or 0)
        if stored is None:
            continue
        own = [
            blob for _, (blob, is_foreign) in sorted(stored.items()) if not is_foreign
        ]
        if not own:
            return list(connection.execute(_ALL).scalars())
        tops.add(own[-1])
    found = connection.execute(_HOLDERS, {"ids": listed(sorted(tops))})
    return sorted(found.scalars())


def _live_images(database: Database, repository: int) -> Iterator[Sequence[int]]:
    after = -1
    while True:
        with database.read() as connection:
            of_piece = {"repository": repository, "after": after}
            ids = list(connection.execute(_LIVE, of_piece).scalars())
        if ids:
            yield ids
        if len(ids) < _IMAGES:
            return
        after = ids[-1]


def _beginning(
    connection: Connection, image_ids: Collection[int], chains: Set[bytes]
) -> list[int]:
    """Those of the images that begin with one of the chains, or are one."""
    digests: dict[int, list[tuple[int, Digest]]] = {}
    rows = _DIGESTS.read(connection, {"ids": listed(image_ids)}) if image_ids else []
    for image, place, digest in rows:
        digests.setdefault(image, []).append((place, digest))
    return [
        image
        for image, of_image in digests.items()
        if not chains.isdisjoint(layer_chains(d for _, d in sorted(of_image)))
    ]


def _keep(connection: Connection, image_ids: Sequence[int]) -> None:
    # As in `keep_documents`: what is found now stays.
    lock(connection, Purpose.PRUNE, shared=True)
    stored = load_images(connection, image_ids)
    images = {number: each.image for number, each in stored.items()}
    platforms = platform_ids(connection, (i.platform for i in images.values()))
    find_image_bases_anew(connection, images, platforms)
