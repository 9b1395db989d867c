"""How long history is kept that nothing needs any more."""

from dataclasses import dataclass
from datetime import timedelta


@dataclass(frozen=True, slots=True)
class Retention:
    """None: for ever.

    passes:          records of looks at a repository, from the end of each
    untagged_images: what images are made of, from when no tag led to them any more
    """

    passes: timedelta | None
    untagged_images: timedelta | None
