"""The repository's row of the read model, as far as batches count it.

The other columns are made anew by `summaries` when all batches of a look are over.
"""

from collections.abc import Collection
from typing import Final

from sqlalchemy import BigInteger, Connection, bindparam, case, select, true, update

from weighbridge.store.models import repository_summaries
from weighbridge.store.types import LARGEST

_summary = repository_summaries.c
_referenced = _summary.referenced_bytes
# NULL, which is no number yet, fits nowhere.
_FITS: Final = _referenced.between(
    bindparam("least", type_=BigInteger), bindparam("most", type_=BigInteger)
)
_COUNT: Final = (
    update(repository_summaries)
    .where(_summary.repository_id == bindparam("repository"))
    .values(
        tag_count=_summary.tag_count + bindparam("tags"),
        image_count=_summary.image_count + bindparam("images"),
        referenced_bytes=case(
            (_FITS, _referenced + bindparam("referenced", type_=BigInteger)),
            else_=_referenced,
        ),
        is_uncounted=case((_FITS, _summary.is_uncounted), else_=true()),
        is_stale=True,
        is_unmeasured=True,
        revision=_summary.revision + 1,
    )
)
_MARK: Final = (
    update(repository_summaries)
    .where(
        _summary.repository_id == bindparam("repository"),
        _summary.is_stale.is_(False) | _summary.is_unmeasured.is_(False),
    )
    .values(is_stale=True, is_unmeasured=True)
)
_UNCOUNTED: Final = (
    update(repository_summaries)
    .where(
        _summary.repository_id == bindparam("repository"),
        _summary.is_uncounted.is_(False) | _summary.is_stale.is_(False),
    )
    .values(is_stale=True, is_uncounted=True)
)
_UNMEASURED: Final = (
    update(repository_summaries)
    .where(
        _summary.repository_id == bindparam("repository"),
        _summary.is_unmeasured.is_(False),
    )
    .values(is_unmeasured=True)
)
_IS_COUNTED: Final = select(
    _referenced.is_not(None) & _summary.is_uncounted.is_(False)
).where(_summary.repository_id == bindparam("repository"))


def add_counts(
    connection: Connection,
    repository_id: int,
    *,
    tag_delta: int = 0,
    image_delta: int = 0,
    referenced_delta: int = 0,
) -> None:
    """Add to the repository's row of the read model, which is to be made anew.

    A sum of referenced bytes that would leave what a column holds stays, and is
    counted from scratch then.
    """
    if tag_delta == image_delta == referenced_delta == 0:
        connection.execute(_MARK, {"repository": repository_id})
        return
    # The bounds are made in Python: no order of evaluation keeps a sum of SQL from
    # leaving 64 bits. The largest number stands for all above it as well.
    least = max(-referenced_delta, 0)
    most = LARGEST - 1 - max(referenced_delta, 0)
    fits = least <= LARGEST and most >= 0
    parameters = {
        "repository": repository_id,
        "tags": tag_delta,
        "images": image_delta,
        "referenced": referenced_delta if fits else 0,
        "least": least if fits else 1,
        "most": most if fits else 0,
    }
    connection.execute(_COUNT, parameters)


def mark_uncounted(connection: Connection, repository_ids: Collection[int]) -> None:
    """Have the referenced bytes of these repositories counted from scratch: what their
    tags lead to has got another size."""
    for repository in sorted(repository_ids):
        connection.execute(_UNCOUNTED, {"repository": repository})


def mark_unmeasured(connection: Connection, repository_ids: Collection[int]) -> None:
    """Have what these repositories lead to looked through for what is to be asked."""
    for repository in sorted(repository_ids):
        connection.execute(_UNMEASURED, {"repository": repository})


def is_counted(connection: Connection, repository_id: int) -> bool:
    """Whether the repository's referenced bytes are known, so that it makes sense to
    add to them."""
    parameters = {"repository": repository_id}
    return bool(connection.execute(_IS_COUNTED, parameters).scalar())
