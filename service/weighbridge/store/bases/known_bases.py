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
from weighbridge.domain.image.reference import Reference
from weighbridge.store.dialect import among_bytes, among_ids, listed
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
_IS_NAMED = select(_name.base_chain_id).where(
    _name.host == bindparam("host", type_=UTF8),
    _name.repository == bindparam("repository", type_=UTF8),
    _name.tag == bindparam("tag", type_=UTF8),
)
# A name may have led to thousands of builds: whether it is known is one row, and which
# of a few bases it led to, a few.
_BY_NAME: Final = _IS_NAMED.limit(1)
_AMONG_BASES: Final = _IS_NAMED.where(among_ids(_name.base_chain_id)).distinct()
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
    candidates = {
        base.id
        for known in (by_layers, by_lines)
        for some in known.values()
        for base in some
    }
    named = _named(
        connection,
        {b for q in asked if (b := q.image.manifest.base) is not None},
        candidates,
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
    connection: Connection,
    annotated: Collection[AnnotatedBase],
    candidates: Collection[int],
) -> dict[AnnotatedBase, NamedBases]:
    """What is known under each of them: of the candidates all, of others one."""
    if not annotated:
        return {}
    by_digest = _by_digest(connection, {b.digest for b in annotated if b.digest})
    by_name = {
        name: _led_to(connection, name, candidates)
        for name in {base.name for base in annotated if base.name is not None}
    }
    return {
        base: NamedBases(
            by_digest.get(base.digest, ()) if base.digest else (),
            by_name[base.name] if base.name is not None else (),
        )
        for base in annotated
    }


def _led_to(
    connection: Connection, name: Reference, candidates: Collection[int]
) -> set[int]:
    if name.tag is None:
        return set()
    of_name = {"host": name.registry, "repository": name.repository, "tag": name.tag}
    found = set(connection.execute(_BY_NAME, of_name).scalars())
    if found and candidates:
        parameters = {**of_name, "ids": listed(sorted(candidates))}
        found.update(connection.execute(_AMONG_BASES, parameters).scalars())
    return found


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
