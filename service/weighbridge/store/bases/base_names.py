"""Rows of `base_chains` and `base_names`: what the images of base repositories are made
of and called. Rows are added and dated, never removed."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime
from operator import itemgetter
from typing import Final, NamedTuple, TypeAlias

from msgspec import Struct
from sqlalchemy import Connection, bindparam, select

from weighbridge.domain.base.chain import layer_chains, line_chains, tells_apart
from weighbridge.domain.image.digest import Digest
from weighbridge.domain.image.document import Image
from weighbridge.store.dialect import (
    BulkInsert,
    BulkUpdateReturning,
    Rows,
    among_bytes,
    among_ids,
    among_texts,
    listed,
)
from weighbridge.store.models import base_chains, base_names, base_repositories
from weighbridge.store.models.types import UTF8, bounded

_chain = base_chains.c
_name = base_names.c
_mark = base_repositories.c
_MARKED: Final = select(_mark.repository_id, _mark.host, _mark.repository).where(
    among_ids(_mark.repository_id)
)
_CHAINS: Final = Rows(
    select(_chain.chain, _chain.history, _chain.id).where(among_bytes(_chain.chain))
)
_NEW_CHAINS: Final = BulkInsert(
    base_chains,
    "chain",
    "history",
    "line_count",
    "layer_count",
    "platform_id",
    "compressed_bytes",
    "image_id",
    "is_swept",
    "first_seen_at",
    "last_seen_at",
)
_SEEN: Final = BulkUpdateReturning(base_chains, key=("id",), values=("last_seen_at",))
# Thousands of tags may have led to one chain: those alone that are asked about.
_OF_TAGS: Final = Rows(
    select(
        _name.id,
        _name.base_chain_id,
        _name.host,
        _name.repository,
        _name.tag,
        _name.digest,
        _name.index_digest,
        _name.left_at.is_not(None).label("has_left"),
    ).where(
        among_ids(_name.base_chain_id),
        _name.host == bindparam("host", type_=UTF8),
        _name.repository == bindparam("repository", type_=UTF8),
        among_texts(_name.tag),
    )
)
_LEADING: Final = select(_name.id, _name.base_chain_id).where(
    _name.host == bindparam("host", type_=UTF8),
    _name.repository == bindparam("repository", type_=UTF8),
    among_texts(_name.tag),
    _name.left_at.is_(None),
)
IMAGES_OF_NAMES: Final = (
    select(_chain.image_id)
    .join(base_names, _name.base_chain_id == _chain.id)
    .where(_chain.image_id.is_not(None), _name.left_at.is_(None))
)
"""Images of which it matters what their layers are, though no tag that is crawled may
lead to them."""
_KEY: Final = ("base_chain_id", "host", "repository", "tag", "digest")
_NEW_NAMES: Final = BulkInsert(
    base_names, *_KEY, "index_digest", "first_seen_at", "last_seen_at"
)
_BACK: Final = BulkUpdateReturning(
    base_names, key=("id",), values=("index_digest", "last_seen_at", "left_at")
)
_LEFT: Final = BulkUpdateReturning(
    base_names, key=("id",), values=("last_seen_at", "left_at")
)


class WrittenRepository(Struct, frozen=True, order=True):
    """A base's repository as it is written in FROM."""

    host: str
    repository: str


class BaseBuild(Struct, frozen=True):
    """An image of a base repository.

    history, line_count: of its lines; empty and 0 where they tell nothing
    index:               the index by which a tag leads to it, if one does
    """

    image_id: int
    digest: Digest
    index: Digest | None
    platform_id: int
    chain: bytes
    layer_count: int
    history: bytes
    line_count: int
    compressed_bytes: int

    @property
    def key(self) -> tuple[bytes, bytes]:
        """What tells a base apart."""
        return self.chain, self.history


def build_of(
    image: Image, image_id: int, platform_id: int, index: Digest | None
) -> BaseBuild | None:
    """An image as a base; None where it has no layers, or more than any base has."""
    chains = layer_chains(layer.digest for layer in image.layers)
    if not chains or len(chains) < len(image.layers):
        return None
    lines = line_chains(image.lines) if tells_apart(image.lines) else []
    is_whole = len(lines) == len(image.lines)
    return BaseBuild(
        image_id,
        image.digest,
        index,
        platform_id,
        chains[-1],
        len(chains),
        lines[-1] if lines and is_whole else b"",
        len(lines) if is_whole else 0,
        image.compressed_bytes,
    )


def base_places(
    connection: Connection, repository_ids: Collection[int]
) -> dict[int, WrittenRepository]:
    """Those of the repositories whose images are bases."""
    parameters = {"ids": listed(sorted(repository_ids))}
    rows = connection.execute(_MARKED, parameters)
    return {number: WrittenRepository(host, name) for number, host, name in rows}


class _StoredName(NamedTuple):
    """A row of `base_names`."""

    id: int
    base_chain_id: int
    host: str
    repository: str
    tag: str
    digest: Digest
    index_digest: Digest | None
    has_left: bool

    @property
    def key(self) -> "_Key":
        return self[1:6]


_Key: TypeAlias = tuple[int, str, str, str, Digest]


def note_names(
    connection: Connection,
    leading: Mapping[WrittenRepository, Mapping[str, Sequence[BaseBuild]]],
    now: datetime,
) -> None:
    """Keep where tags of base repositories lead from now on: to these images, and to no
    others. A tag that is gone leads to none.

    Rows are written for what is new and for what was left; nothing where a tag leads
    where it did.
    """
    builds = [b for tags in leading.values() for some in tags.values() for b in some]
    ids = _chain_ids(connection, builds, now)
    wanted: dict[_Key, Digest | None] = {
        (ids[build.key], place.host, place.repository, tag, build.digest): build.index
        for place, tags in leading.items()
        for tag, some in tags.items()
        for build in some
    }
    known = [_StoredName(*row) for row in _known(connection, leading, ids.values())]
    stored = {name.key: name for name in known if name.key in wanted}
    stay = {name.id for name in stored.values()}
    left = {n: c for n, c in _led_to(connection, leading) if n not in stay}
    new = [key for key in sorted(wanted) if key not in stored]
    back = [
        name
        for key, name in stored.items()
        if name.has_left or name.index_digest != wanted[key]
    ]
    _NEW_NAMES.add(connection, [(*key, wanted[key], now, now) for key in new])
    _BACK.take(
        connection, [(name.id, wanted[name.key], now, None) for name in sorted(back)]
    )
    _LEFT.take(connection, [(number, now, now) for number in sorted(left)])
    seen = {key[0] for key in new} | {name.base_chain_id for name in back}
    seen.update(left.values())
    _SEEN.take(connection, [(number, now) for number in sorted(seen)])


def _chain_ids(
    connection: Connection, builds: Sequence[BaseBuild], now: datetime
) -> dict[tuple[bytes, bytes], int]:
    """The id of each base; those that are new are stored."""
    by_key = {build.key: build for build in builds}
    hashes = {"hashes": listed(sorted({chain for chain, _ in by_key}))}
    for is_last in (False, True):
        rows = _CHAINS.read(connection, hashes) if by_key else []
        # What is empty comes as nothing.
        known = {(chain, history or b""): number for chain, history, number in rows}
        new = [by_key[key] for key in sorted(by_key) if key not in known]
        if is_last or not new:
            break
        _NEW_CHAINS.add(connection, [_chain_row(build, now) for build in new])
    return known


def _chain_row(build: BaseBuild, now: datetime) -> tuple[object, ...]:
    return (
        build.chain,
        build.history,
        build.line_count,
        build.layer_count,
        build.platform_id,
        bounded(build.compressed_bytes),
        build.image_id,
        False,
        now,
        now,
    )


_Tags: TypeAlias = Mapping[WrittenRepository, Collection[str]]


def _known(
    connection: Connection, tags: _Tags, chain_ids: Collection[int]
) -> Iterator[tuple[int, int, str, str, str, Digest, Digest | None, bool]]:
    """What of these chains these tags lead to, or have led to."""
    chains = listed(sorted(set(chain_ids)))
    for of_place in _by_place(tags) if chain_ids else ():
        yield from _OF_TAGS.read(connection, {**of_place, "ids": chains})


def _led_to(connection: Connection, tags: _Tags) -> Iterator[tuple[int, int]]:
    """Names that tags had until now, each with its base."""
    for of_place in _by_place(tags):
        for row in connection.execute(_LEADING, of_place):
            yield row.id, row.base_chain_id


def _by_place(tags: _Tags) -> Iterator[Mapping[str, object]]:
    """What a statement is told of each repository's tags."""
    for place, names in sorted(tags.items(), key=itemgetter(0)):
        yield {
            "host": place.host,
            "repository": place.repository,
            "names": listed(sorted(names)),
        }
