"""Rows of `registries`: what is configured, how the last crawl went, and which
repositories its catalog did not list any more.

An address is one registry, whatever it is called: names are taken over with all that is
known.
"""

import json
from collections.abc import Collection, Mapping
from datetime import datetime
from typing import TypeVar

from msgspec import Struct
from sqlalchemy import (
    BigInteger,
    Column,
    ColumnElement,
    Connection,
    case,
    delete,
    literal,
    or_,
    select,
    type_coerce,
    update,
)

from weighbridge.domain.registry.listing import registry_address
from weighbridge.domain.registry.rate_limit import RateLimit
from weighbridge.domain.report.inventory import RegistryState
from weighbridge.store.dialect import BulkInsert
from weighbridge.store.ledger.holdings import resettle
from weighbridge.store.ledger.scopes import scopes_beside
from weighbridge.store.models import jobs, pushes, registries, repositories, waivers
from weighbridge.store.models.types import Moment
from weighbridge.store.registries.scope_rows import change_scopes

T = TypeVar("T")
_table = registries.c


class RegistryEntry(Struct, frozen=True):
    """A registry as it is configured; no secrets.

    storage_scope: the set inside which it keeps a blob once: registry, project,
                   repository
    address_class: public, private or loopback where configured or just seen for
                   the first time; None leaves what is stored
    configured:    the names of all entries; what is known of its address under
                   another name is taken over. None: under its own name only
    main_url:      the same registry's URL by the name of its host that counts, ""
                   where that is `url`
    knows_kind:    whether `kind` and `storage_scope` are certain; else what is stored
                   of its address stays
    kind_found, kind_sign: the kind that its answers have shown, and what showed it;
                   "" leaves what is stored of its address
    """

    name: str
    kind: str
    url: str
    storage_scope: str
    address_class: str | None
    interval_s: int
    configured: frozenset[str] | None = None
    main_url: str = ""
    knows_kind: bool = True
    kind_found: str = ""
    kind_sign: str = ""

    @property
    def address(self) -> str:
        """What the registry is known by, whatever it is called."""
        return registry_address(self.main_url or self.url)


def put_registry(connection: Connection, entry: RegistryEntry, now: datetime) -> int:
    """Add the registry or bring its row up to date; returns its id.

    A new address is a new host: which class of addresses the old one had is forgotten,
    and what it was found to be, and what its repositories share with other entries is
    settled anew. Where it keeps a blob once is counted anew where that has changed.
    """
    if entry.configured is not None:
        adopt_name(connection, entry.name, entry.address, entry.configured)
    found = connection.execute(
        select(registries).where(_table.name == entry.name)
    ).one_or_none()
    configured: dict[str, object] = {
        "kind": entry.kind,
        "url": entry.url,
        "address": entry.address,
        "storage_scope": entry.storage_scope,
        "address_class": entry.address_class,
        "interval_s": entry.interval_s,
        "kind_found": entry.kind_found or None,
        "kind_sign": entry.kind_sign or None,
    }
    if found is None:
        return _add(connection, entry.name, configured, now)
    has_moved = configured["address"] != found.address
    if not has_moved:
        configured |= _kept(entry, found._asdict())
    registry_id: int = found.id
    left = scopes_beside(connection, registry_id) if has_moved else []
    if any(found._mapping[key] != value for key, value in configured.items()):
        change_registry(connection, _table.id == registry_id, **configured)
    if configured["storage_scope"] != found.storage_scope:
        change_scopes(connection, registry_id, now)
    if entry.interval_s < found.interval_s:
        _have_due_sooner(connection, registry_id, entry.interval_s)
    if has_moved:
        resettle(connection, {*left, *scopes_beside(connection, registry_id)})
    return registry_id


def _kept(entry: RegistryEntry, stored: Mapping[str, object]) -> Mapping[str, object]:
    """What is stored of an address and stays, as the entry does not know it."""
    unknown: list[str] = []
    if entry.address_class is None:
        unknown.append("address_class")
    if not entry.knows_kind:
        unknown += ["kind", "storage_scope"]
    if not entry.kind_found:
        unknown += ["kind_found", "kind_sign"]
    return {key: stored[key] for key in unknown}


def find_site(connection: Connection, name: str) -> tuple[str, str]:
    """The kind and the URL of a registry that was crawled."""
    row = connection.execute(
        select(_table.kind, _table.url).where(_table.name == name)
    ).one()
    return row.kind, row.url


def names_at(connection: Connection, address: str) -> list[str]:
    """The entries of one address (`RegistryEntry.address`), by name."""
    named = select(_table.name).where(_table.address == address).order_by(_table.name)
    return list(connection.execute(named).scalars())


def adopt_names(connection: Connection, urls: Mapping[str, str]) -> None:
    """Let each configured name have the registry that is known at its address.

    urls: of every configured entry, by its name
    """
    for name, url in urls.items():
        adopt_name(connection, name, url, urls.keys())


def adopt_name(
    connection: Connection, name: str, url: str, configured: Collection[str]
) -> None:
    """Give the name to what is known at the URL's address under a name that is not
    configured: an address that was crawled before it was configured, an entry that was
    renamed. Where the name had another address before, what is known of that one is
    called by it. Nothing happens where the name has this address already, or where
    nothing is known there.
    """
    address = registry_address(url)
    rows = connection.execute(
        select(_table.id, _table.name, _table.url, _table.address)
        .where((_table.address == address) | (_table.name == name))
        .order_by(_table.id)
        .with_for_update()
    ).all()
    named = next((row for row in rows if row.name == name), None)
    if named is not None and named.address == address:
        return
    nameless = (row for row in rows if row.name not in configured and row.name != name)
    known = next((row for row in nameless if row.address == address), None)
    if known is None:
        return
    if named is not None:
        # No name holds a slash: behind one, a repository is meant.
        place = named.url.partition("://")[2].replace("/", "+")
        _rename(connection, named.id, name, place)
    _rename(connection, known.id, known.name, name)


def _rename(connection: Connection, registry_id: int, before: str, now: str) -> None:
    change_registry(connection, _table.id == registry_id, name=now)
    for table in (pushes, waivers):
        connection.execute(
            update(table).where(table.c.registry == before).values(registry=now)
        )
    # All of its jobs are due anew.
    connection.execute(delete(jobs).where(jobs.c.argument == before))


def _add(
    connection: Connection, name: str, configured: dict[str, object], now: datetime
) -> int:
    row = {
        "name": name,
        **configured,
        "state": "new",
        "state_reason": "",
        "state_since": now,
        "removals_held": 0,
        "requests": 0,
        "bytes_read": 0,
        "revision": 0,
    }
    # Two processes that are told of the first push add it in the same moment.
    BulkInsert(registries, *row).add(connection, [tuple(row.values())])
    added: int = connection.execute(
        select(_table.id).where(_table.name == name)
    ).scalar_one()
    return added


def _have_due_sooner(connection: Connection, registry_id: int, interval_s: int) -> None:
    """Its repositories were due after a longer interval; those that wait for something
    else, for a quota or after failures, go on waiting."""
    table = repositories.c
    sooner = type_coerce(table.last_crawl_at, BigInteger) + interval_s * 1_000_000
    due_at = type_coerce(table.due_at, BigInteger)
    connection.execute(
        update(repositories)
        .where(
            table.registry_id == registry_id,
            table.deleted_at.is_(None),
            table.state_reason.not_in(("quota_spent", "rate_limited", "poison")),
            due_at > sooner,
        )
        .values(due_at=sooner)
    )


def find_address_class(connection: Connection, url: str) -> str | None:
    """The class of addresses that this URL's host had when first seen, by whatever
    name the registry was called."""
    is_at = _table.address == registry_address(url)
    return _read(
        connection, _table.address_class, is_at, _table.address_class.is_not(None)
    )


def find_kind(connection: Connection, url: str) -> tuple[str, str] | None:
    """The kind that the registry at this URL has shown to be, and what showed it; None
    where nobody has asked."""
    found = connection.execute(
        select(_table.kind_found, _table.kind_sign)
        .where(_table.address == registry_address(url), _table.kind_found.is_not(None))
        .order_by(_table.id)
        .limit(1)
    ).one_or_none()
    return None if found is None else (found.kind_found, found.kind_sign or "")


def note_kind(connection: Connection, url: str, kind: str, sign: str) -> None:
    """Keep what the registry at this URL has shown to be, in place of what it showed
    before; it is taken for that when it is crawled next."""
    change_registry(
        connection,
        _table.address == registry_address(url),
        kind_found=kind,
        kind_sign=sign,
    )


def find_registry_id(connection: Connection, name: str) -> int | None:
    """The id of a registry that was listed before; else None."""
    return _read(connection, _table.id, _table.name == name)


def find_state(connection: Connection, registry_id: int) -> str | None:
    """How the last crawl of a registry went; None: there is none of this id."""
    return _read(connection, _table.state, _table.id == registry_id)


def silent_since(connection: Connection, registry_id: int) -> datetime | None:
    """When a registry became unreachable; None: it is not."""
    is_silent = _table.state == "unreachable"
    return _read(connection, _table.state_since, _table.id == registry_id, is_silent)


def find_last_listing(connection: Connection, registry_id: int) -> datetime | None:
    """When the catalog was last read to its end; None: never, or no such registry."""
    return _read(
        connection, _table.last_complete_discovery_at, _table.id == registry_id
    )


def find_false_head(connection: Connection, name: str) -> datetime | None:
    """When HEAD was last found to name another digest than GET serves; None: never."""
    return _read(connection, _table.false_head_at, _table.name == name)


def _read(
    connection: Connection, column: Column[T], *where: ColumnElement[bool]
) -> T | None:
    """What the first of these registries has."""
    found: T | None = connection.execute(
        select(column).where(*where).order_by(_table.id).limit(1)
    ).scalar()
    return found


def note_false_head(connection: Connection, repository_id: int, now: datetime) -> None:
    """Keep that HEAD named another digest than GET served, in this repository."""
    of_repository = (
        select(repositories.c.registry_id)
        .where(repositories.c.id == repository_id)
        .scalar_subquery()
    )
    change_registry(connection, _table.id == of_repository, false_head_at=now)


def note_registry(
    connection: Connection,
    registry_id: int,
    *,
    state: RegistryState,
    reason: str,
    now: datetime,
) -> None:
    """Keep the registry's state; nothing is written where it is the same.

    `state_since` is when the state began, whatever its reason was meanwhile.
    """
    is_same = _table.state == state
    change_registry(
        connection,
        _table.id == registry_id,
        ~(is_same & (_table.state_reason == reason)),
        state_since=case((is_same, _table.state_since), else_=literal(now, Moment())),
        state=state,
        state_reason=reason,
    )


def note_discovery(
    connection: Connection, registry_id: int, *, complete: bool, now: datetime
) -> None:
    """Keep when the catalog was last read, and whether to its end."""
    whole = {"last_complete_discovery_at": now} if complete else {}
    is_it = _table.id == registry_id
    change_registry(connection, is_it, last_discovery_at=now, **whole)


def note_cost(
    connection: Connection,
    registry_id: int,
    *,
    requests: int,
    bytes_read: int,
    rate_limit: RateLimit | None = None,
) -> None:
    """Add what was asked of a registry since the last note: listings, crawls and
    measuring, answered or not. A limit that was told takes the place of the last."""
    values: dict[str, object] = {}
    if rate_limit is not None:
        values = {
            "rate_limit": rate_limit.limit,
            "rate_limit_remaining": rate_limit.remaining,
            "rate_limit_window_s": rate_limit.window_s,
            "rate_limit_seen_at": rate_limit.seen_at,
        }
    change_registry(
        connection,
        _table.id == registry_id,
        requests=_table.requests + requests,
        bytes_read=_table.bytes_read + bytes_read,
        **values,
    )


def change_registry(
    connection: Connection, *where: ColumnElement[bool], **values: object
) -> None:
    """Set values of those registries, if there are any."""
    connection.execute(
        update(registries).where(*where).values(**values, revision=_table.revision + 1)
    )


def mark_unconfigured(
    connection: Connection, configured: Collection[str], now: datetime
) -> None:
    """Give every registry that is not configured the state `unconfigured`: what is
    known of it stays, and nothing speaks of it as if it were crawled."""
    rows = connection.execute(select(_table.id, _table.name)).all()
    for row in rows:
        if row.name not in configured:
            note_registry(connection, row.id, state="unconfigured", reason="", now=now)


def held_removals(connection: Connection, registry_id: int) -> frozenset[int]:
    """Repositories that the last catalog did not list any more."""
    kept: str | None = connection.execute(
        select(registries.c.held).where(registries.c.id == registry_id)
    ).scalar_one()
    return frozenset(json.loads(kept)) if kept else frozenset()


def hold_removals(
    connection: Connection, registry_id: int, held: Collection[int], waiting: int
) -> None:
    """Note what the catalog did not list any more, and how many of these wait for a
    second one that agrees; nothing is written where that is the same."""
    table = registries.c
    text = json.dumps(sorted(held)) if held else None
    change_registry(
        connection,
        table.id == registry_id,
        or_(table.held.is_distinct_from(text), table.removals_held != waiting),
        held=text,
        removals_held=waiting,
    )


def forget_held(connection: Connection, registry_id: int, repository_id: int) -> None:
    """Wait for nothing where a repository is removed from the database."""
    held = held_removals(connection, registry_id)
    if repository_id in held:
        waiting: int = connection.execute(
            select(registries.c.removals_held).where(registries.c.id == registry_id)
        ).scalar_one()
        rest = held - {repository_id}
        hold_removals(connection, registry_id, rest, max(0, waiting - 1))
