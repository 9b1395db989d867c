"""Pruning: removing what is older than its time and needed by nothing.

What a tag leads to is never touched, and neither is the history of tags. Everything
goes in small transactions, so that it may run beside crawls and be stopped and begun
again at any point.
"""

from collections.abc import Callable
from datetime import datetime

from msgspec import Struct

from weighbridge.domain.retention import Retention
from weighbridge.store.connection.deadlines import unhurried
from weighbridge.store.ledger.settler import settle_all
from weighbridge.store.maintenance.pruning.blobs import prune_blobs
from weighbridge.store.maintenance.pruning.crawls import prune_crawls, prune_requests
from weighbridge.store.maintenance.pruning.manifests import prune_manifests
from weighbridge.store.maintenance.pruning.notifications import prune_notifications
from weighbridge.store.maintenance.pruning.pushes import prune_pushes
from weighbridge.store.session import Database

__all__ = ["Pruned", "prune"]


class Pruned(Struct, frozen=True):
    """What was removed.

    crawls:    records of crawls
    manifests: manifests whose contents (layers, lines, and so on) are not kept now
    blobs:     things that nothing refers to any more
    pushes:    what webhooks told
    violations: those that are over, with what was told of them
    """

    crawls: int
    manifests: int
    blobs: int
    pushes: int = 0
    violations: int = 0


@unhurried()
def prune(
    database: Database,
    retention: Retention,
    now: datetime,
    *,
    is_stopped: Callable[[], bool] = lambda: False,
) -> Pruned:
    """Remove what is older than `retention` says and needed by no tag.

    is_stopped: asked between transactions; once True, the rest is left for the next
        time. Raises StoreError(database_busy, ...); what was removed before that
        stays removed.
    """
    settle_all(database)  # what waits to be settled counts as held
    crawls = prune_crawls(database, retention.crawls, now, is_stopped)
    prune_requests(database, retention.crawls, now)
    pushes = prune_pushes(database, retention.pushes, now, is_stopped)
    violations = prune_notifications(database, retention.notifications, now, is_stopped)
    manifests = prune_manifests(database, retention.untagged_images, now, is_stopped)
    blobs = prune_blobs(database, is_stopped)
    return Pruned(crawls, manifests, blobs, pushes, violations)
