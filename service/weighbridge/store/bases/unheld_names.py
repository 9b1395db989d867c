"""Names of bases that annotations of images have not been held against yet."""

from collections.abc import Set
from datetime import timedelta
from typing import Final

from msgspec import Struct
from sqlalchemy import Connection, select

from weighbridge.domain.base.names import written
from weighbridge.domain.image.digest import Digest
from weighbridge.ports.job_names import CLAIMS
from weighbridge.store.leases.jobs import Job, done_at
from weighbridge.store.models import base_names

_LATE: Final = timedelta(minutes=10)
"""So long may it take from a name's time until it can be seen, and an image that was
looked at before it."""
_name = base_names.c
_NAMES: Final = select(
    _name.host, _name.repository, _name.tag, _name.digest, _name.index_digest
)


class BaseNames(Struct, frozen=True):
    """Names of bases, as annotations say them."""

    references: Set[str]
    digests: Set[Digest]

    def has(self, reference: str | None, digest: Digest | None) -> bool:
        """Whether one of them is what an annotation says."""
        return reference in self.references or digest in self.digests


def unheld_names(connection: Connection) -> BaseNames:
    """Those that have come since annotations were last held against all of them, and
    some from before."""
    before = done_at(connection, Job(CLAIMS))
    chosen = _NAMES
    if before is not None:
        chosen = chosen.where(_name.last_seen_at >= before - _LATE)
    references: set[str] = set()
    digests: set[Digest] = set()
    for host, repository, tag, *some in connection.execute(chosen):
        references.add(written(host, repository, tag))
        digests.update(filter(None, some))
    return BaseNames(references, digests)
