"""An address is one registry, whatever it is called: names are taken over with all
that is known, and repositories follow the entry that crawls them."""

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Final

from sqlalchemy import Connection, bindparam, delete, select, update

from weighbridge.domain.registry.listing import registry_address
from weighbridge.store.dialect import among_texts, listed
from weighbridge.store.ledger.counts import mark_uncounted, mark_unmeasured
from weighbridge.store.ledger.holdings import move_holdings
from weighbridge.store.locks import lock_repositories
from weighbridge.store.models import (
    crawls,
    jobs,
    pushes,
    registries,
    repositories,
    waivers,
)
from weighbridge.store.registries.scopes import put_scopes

_registry = registries.c
_OTHERS: Final = (
    select(repositories.c.id, repositories.c.name, repositories.c.scope_id)
    .join(registries, _registry.id == repositories.c.registry_id)
    .where(
        _registry.id != bindparam("registry"),
        _registry.address
        == select(_registry.address)
        .where(_registry.id == bindparam("registry"))
        .scalar_subquery(),
        among_texts(repositories.c.name),
    )
    .order_by(repositories.c.id)
)


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
        select(_registry.id, _registry.name, _registry.url, _registry.address)
        .where((_registry.address == address) | (_registry.name == name))
        .order_by(_registry.id)
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
        _rename(connection, named.id, name, named.url.partition("://")[2])
    _rename(connection, known.id, known.name, name)


def _rename(connection: Connection, registry_id: int, before: str, now: str) -> None:
    connection.execute(
        update(registries)
        .where(_registry.id == registry_id)
        .values(name=now, revision=_registry.revision + 1)
    )
    for table in (pushes, waivers):
        connection.execute(
            update(table).where(table.c.registry == before).values(registry=now)
        )
    # All of its jobs are due anew.
    connection.execute(delete(jobs).where(jobs.c.argument == before))


def adopt_repositories(
    connection: Connection, registry_id: int, names: Collection[str], now: datetime
) -> None:
    """Take over repositories that another entry of the same address has brought in.

    Entries of one address never want the same repository, so whoever crawls it now is
    the one whose it is. A crawl of it that goes on elsewhere finds its fence stale.
    """
    parameters = {"registry": registry_id, "names": listed(names)}
    found = connection.execute(_OTHERS, parameters).all()
    if not found:
        return
    lock_repositories(connection, [row.id for row in found])
    scopes = put_scopes(connection, registry_id, [row.name for row in found])
    for row in found:
        scope_id = scopes[row.name]
        move_holdings(connection, row.id, row.scope_id, scope_id)
        # What was answered there was not answered here.
        mark_uncounted(connection, [row.id])
        mark_unmeasured(connection, [row.id])
        connection.execute(
            update(crawls)
            .where(crawls.c.repository_id == row.id)
            .values(registry_id=registry_id)
        )
        connection.execute(
            update(repositories)
            .where(repositories.c.id == row.id)
            .values(
                registry_id=registry_id,
                scope_id=scope_id,
                due_at=now,
                lease_until=None,
                lease_owner=None,
                fence=repositories.c.fence + 1,
                revision=repositories.c.revision + 1,
            )
        )
