"""Registries as members of teams see them: those that hold a repository of theirs, with
the sums over these alone."""

import json
from datetime import datetime
from typing import Final

from sqlalchemy import Connection, func, select

from weighbridge.domain.access.principal import Sight
from weighbridge.domain.report.inventory import RegistryReport
from weighbridge.store.dialect import among_ids, listed
from weighbridge.store.ledger.counted import totals_among
from weighbridge.store.ledger.counts import SUMS, states_of
from weighbridge.store.models import registries, repositories
from weighbridge.store.named_rows import from_row

_repository = repositories.c
_REGISTRIES: Final = select(registries).order_by(registries.c.name)
_CRAWLED: Final = (
    select(
        _repository.registry_id,
        registries.c.name,
        func.max(_repository.last_complete_crawl_at).label("last"),
        func.min(_repository.last_complete_crawl_at).label("oldest"),
    )
    .join(registries, registries.c.id == _repository.registry_id)
    .where(among_ids(_repository.id), _repository.deleted_at.is_(None))
    .group_by(_repository.registry_id, registries.c.name)
)
_NOT_TOLD: Final = dict.fromkeys(
    (
        "images",
        "weighed_bytes",
        "deduplicated_bytes",
        "shared_bytes",
        "exclusive_bytes",
        "repeated_bytes",
        "requests",
        "bytes_read",
        "rate_limit",
        "rate_limit_remaining",
        "rate_limit_window_s",
        "rate_limit_seen_at",
    )
)
"""What repositories share with those of others counts once for all of them, and so do
requests: by the difference each would tell what the others have."""
_NONE: Final = dict.fromkeys((*SUMS, "newest", "referenced"), 0)


def last_crawls(connection: Connection, sight: Sight) -> dict[str, datetime | None]:
    """By the names of their registries when one of the repositories that are seen was
    last crawled in full."""
    given = {"ids": listed(sorted(sight.ids))}
    return {row.name: row.last for row in connection.execute(_CRAWLED, given)}


def seen_registries(connection: Connection, sight: Sight) -> list[RegistryReport]:
    """By name. What is there once for all repositories is None."""
    totals = totals_among(connection, sight.ids)
    given = {"ids": listed(sorted(sight.ids))}
    crawled = {row.registry_id: row for row in connection.execute(_CRAWLED, given)}
    reports = []
    for row in connection.execute(_REGISTRIES):
        if row.name not in sight.registries:
            continue
        sums, times = totals.get(row.id, _NONE), crawled.get(row.id)
        held = len(sight.among(json.loads(row.held or "[]")))
        report = from_row(
            RegistryReport,
            row._mapping,
            **_NOT_TOLD,
            storage_scope_kind=row.storage_scope,
            last_success_at=times and times.last,
            oldest_crawl_at=times and times.oldest,
            repositories=sums["repositories"],
            repositories_pending=sums["repositories"] - sums["are_crawled"],
            repository_states=states_of(sums),
            removals_held=held + sums["tags_held"],
            repositories_held=held,
            tags=sums["tags"],
            tags_failed=sums["tags_failed"],
            newest_compressed_bytes=sums["newest"] if sums["with_image"] else None,
            referenced_bytes=sums["referenced"] if sums["summed_up"] else None,
        )
        reports.append(report)
    return reports
