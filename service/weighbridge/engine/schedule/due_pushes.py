"""Asks again for what waits in the inbox: a job that was lost has left it there."""

from datetime import datetime
from typing import Final

from weighbridge.engine.context.site import Sites, asked_repository
from weighbridge.errors import JobDropped
from weighbridge.store.pushes.push_queue import PushedTo, drop_waiting, pushed_to
from weighbridge.store.session import Database

AT_ONCE: Final = 1_000
"""Repositories that are asked for in one tick."""


def waiting_pushes(sites: Sites, database: Database, now: datetime) -> list[str]:
    """`registry/repository`, wherever a push is due. What is not configured any more is
    not looked at. Raises StoreError."""
    wanted: list[str] = []
    with database.read() as connection:
        found = pushed_to(connection, now, AT_ONCE)
    unwanted: dict[PushedTo, str] = {}
    for to in found:
        name = f"{to.registry}/{to.repository}"
        try:
            asked_repository(sites, name)
        except JobDropped as exc:
            unwanted[to] = exc.code
        else:
            wanted.append(name)
    if unwanted:
        with database.write() as connection:
            for to, why in unwanted.items():
                drop_waiting(connection, to, why, now)
    return wanted
