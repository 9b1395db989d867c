"""Whether patterns of names match anything that is known."""

from typing import Final

from sqlalchemy import Connection, exists, select

from weighbridge.domain.policy.policy import Match
from weighbridge.domain.text.globs import fits
from weighbridge.store.models import registries, repositories, tags
from weighbridge.store.reports.inventory import name_fits, text_fits

_AT_ONCE: Final = 100


def matches_anything(connection: Connection, match: Match) -> bool:
    """Whether a repository that is not gone fits and, where not every tag is meant, one
    of its live tags."""
    known = connection.execute(select(registries.c.id, registries.c.name)).all()
    these = (
        repositories.c.registry_id.in_(
            [row.id for row in known if fits(match.registry, row.name)]
        ),
        repositories.c.deleted_at.is_(None),
        name_fits(match.repository),
    )
    if match.tag == "*":
        found: bool = connection.execute(select(exists().where(*these))).scalar_one()
        return found
    fitting = (
        select(tags.c.name)
        .join(repositories, repositories.c.id == tags.c.repository_id)
        .where(*these, tags.c.deleted_at.is_(None), text_fits(tags.c.name, match.tag))
        .execution_options(yield_per=_AT_ONCE)
    )
    with connection.execute(fitting).scalars() as names:
        # SQLite's LIKE takes `A` for `a`, which no tag does.
        return any(fits(match.tag, name) for name in names)
