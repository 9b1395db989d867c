"""Looking up bases: by the layers, lines and annotations of many images at once, and by
their names. What it costs does not depend on how many bases are known."""

from collections.abc import Collection, Iterable, Mapping
from datetime import datetime
from typing import Final, TypeAlias

from sqlalchemy import (
    Connection,
    Executable,
    bindparam,
    case,
    func,
    select,
    type_coerce,
)

from weighbridge.domain.base.detection import (
    BaseQuestion,
    FoundBase,
    KnownBase,
    NamedBases,
    find_base,
)
from weighbridge.domain.base.names import BaseName, choose_names
from weighbridge.domain.image.digest import Digest, raw
from weighbridge.domain.image.document import AnnotatedBase
from weighbridge.store.dialect import among_bytes, among_ids, among_texts, listed
from weighbridge.store.models import base_chains, base_names
from weighbridge.store.models.types import UTF8, Moment

_chain = base_chains.c
_name = base_names.c
_KNOWN = select(
    _chain.id,
    _chain.chain,
    _chain.layer_count,
    _chain.platform_id,
    _chain.history,
    _chain.line_count,
).order_by(_chain.id)
_BY_LAYERS: Final = _KNOWN.where(among_bytes(_chain.chain))
_BY_LINES: Final = _KNOWN.where(among_bytes(_chain.history))
_BY_DIGEST: Final = select(_name.digest.label("said"), _name.base_chain_id).where(
    among_bytes(_name.digest)
)
_BY_INDEX: Final = select(_name.index_digest.label("said"), _name.base_chain_id).where(
    among_bytes(_name.index_digest)
)
_BY_NAME: Final = (
    select(_name.tag, _name.base_chain_id)
    .where(
        _name.host == bindparam("host", type_=UTF8),
        _name.repository == bindparam("repository", type_=UTF8),
        among_texts(_name.tag),
    )
    .distinct()
)
# A tag that left a manifest for another one of this base has not left the base.
_LEFT_AT = case((func.count() == func.count(_name.left_at), func.max(_name.left_at)))
_NAMES: Final = (
    select(
        *(_name.base_chain_id, _name.host, _name.repository, _name.tag),
        type_coerce(func.min(_name.first_seen_at), Moment).label("first_seen_at"),
        type_coerce(_LEFT_AT, Moment).label("left_at"),
    )
    .where(among_ids(_name.base_chain_id))
    .group_by(_name.base_chain_id, _name.host, _name.repository, _name.tag)
)

References: TypeAlias = tuple[str, tuple[str, ...]]
"""What a base is called in FROM, and its other names."""


def find_bases(
    connection: Connection, asked: Collection[BaseQuestion]
) -> list[FoundBase | None]:
    """What each image stands on, see `detection.find_base`; in their order."""
    if not asked:
        return []
    by_layers = _known(connection, _BY_LAYERS, (c for q in asked for c in q.layers))
    bare = [q for q in asked if not any(c in by_layers for c in q.layers)]
    by_lines = _known(connection, _BY_LINES, (c for q in bare for c in q.lines[:-1]))
    named = _named(
        connection, {b for q in asked if (b := q.image.manifest.base) is not None}
    )
    return [
        find_base(
            each,
            by_layers,
            by_lines,
            named.get(base, NamedBases())
            if (base := each.image.manifest.base)
            else NamedBases(),
        )
        for each in asked
    ]


def _known(
    connection: Connection, statement: Executable, hashes: Iterable[bytes]
) -> dict[bytes, list[KnownBase]]:
    wanted = sorted(set(hashes))
    found: dict[bytes, list[KnownBase]] = {}
    if wanted:
        for row in connection.execute(statement, {"hashes": listed(wanted)}):
            base = KnownBase(*row)
            key = base.chain if statement is _BY_LAYERS else base.history
            found.setdefault(key, []).append(base)
    return found


def _named(
    connection: Connection, annotated: Collection[AnnotatedBase]
) -> dict[AnnotatedBase, NamedBases]:
    """Those of them under which a base is known."""
    if not annotated:
        return {}
    by_digest = _by_digest(connection, {b.digest for b in annotated if b.digest})
    by_name: dict[tuple[str, str, str], set[int]] = {}
    tags: dict[tuple[str, str], set[str]] = {}
    for base in annotated:
        name = base.name
        if name is not None and name.tag is not None:
            tags.setdefault((name.registry, name.repository), set()).add(name.tag)
    for (host, repository), some in sorted(tags.items()):
        parameters = {
            "host": host,
            "repository": repository,
            "names": listed(sorted(some)),
        }
        for tag, number in connection.execute(_BY_NAME, parameters):
            by_name.setdefault((host, repository, tag), set()).add(number)
    return {
        base: NamedBases(
            by_digest.get(base.digest, ()) if base.digest else (),
            by_name.get((base.name.registry, base.name.repository, base.name.tag), ())
            if base.name is not None and base.name.tag is not None
            else (),
        )
        for base in annotated
    }


def _by_digest(
    connection: Connection, digests: Collection[Digest]
) -> Mapping[Digest, set[int]]:
    found: dict[Digest, set[int]] = {}
    if digests:
        parameters = {"hashes": listed(sorted(map(raw, digests)))}
        for statement in (_BY_DIGEST, _BY_INDEX):
            for row in connection.execute(statement, parameters):
                found.setdefault(row.said, set()).add(row.base_chain_id)
    return found


def names_of(
    connection: Connection, base_ids: Collection[int]
) -> dict[int, list[BaseName]]:
    """What each base is called, and was ever."""
    found: dict[int, list[BaseName]] = {}
    if base_ids:
        parameters = {"ids": listed(sorted(base_ids))}
        for number, *name in connection.execute(_NAMES, parameters):
            found.setdefault(number, []).append(BaseName(*name))
    return found


def references_of(
    connection: Connection, base_ids: Collection[int], now: datetime
) -> dict[int, References]:
    """The name of each base that people write in FROM, and its others; see
    `names.choose_names`."""
    named = names_of(connection, base_ids)
    chosen = {number: choose_names(some, now) for number, some in named.items()}
    return {number: names for number, names in chosen.items() if names is not None}
