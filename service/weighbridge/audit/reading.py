"""What a tag or digest led to."""

from dataclasses import dataclass, field

from weighbridge.domain.digest import Digest
from weighbridge.domain.document import Document


@dataclass(frozen=True, slots=True)
class Reading:
    """What a tag or digest led to.

    digest:    computed from what was served
    documents: the new ones among all that is reachable; those that the store
               knows are left out
    missing:   children that could not be had, with the code that says why
    """

    digest: Digest
    documents: tuple[Document, ...] = ()
    missing: dict[Digest, str] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
