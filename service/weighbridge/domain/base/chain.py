"""What tells whether one image begins as another one does: a hash over its layers, and
one over its lines.

The chain of the first n layers is sha256 of the chain of the first n - 1 and of the
n-th layer's digest, in raw bytes, base first. Two images with a chain in common have
these layers in common, in this order. Of lines, the text and the time are hashed: what
was built apart differs in its times.
"""

import hashlib
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Final

from weighbridge.domain.image.digest import Digest, raw
from weighbridge.domain.image.document import Line

MOST_LAYERS: Final = 256
"""A base is looked for among so many layers: Docker takes 127 in all."""
_MOST_LINES: Final = 1_024
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_DOCKER: Final = datetime(2013, 1, 1, tzinfo=UTC)
"""Times before it are put in by builders that write no times."""


def layer_chains(layers: Iterable[Digest]) -> list[bytes]:
    """The chain of the first layer, of the first two, and so on; `MOST_LAYERS` at
    most."""
    chains: list[bytes] = []
    chain = b""
    for _, digest in zip(range(MOST_LAYERS), layers, strict=False):
        chain = hashlib.sha256(chain + raw(digest)).digest()
        chains.append(chain)
    return chains


def line_chains(lines: Sequence[Line]) -> list[bytes]:
    """The same over lines, `_MOST_LINES` at most."""
    chains: list[bytes] = []
    chain = b""
    for line in lines[:_MOST_LINES]:
        at = line.created_at
        since = "" if at is None else str(at - _EPOCH)
        text = f"{since}\n{line.instruction}"
        chain = hashlib.sha256(chain + text.encode(errors="replace")).digest()
        chains.append(chain)
    return chains


def tells_apart(lines: Sequence[Line]) -> bool:
    """Whether these lines are of one build alone: one of them has a time of its own.
    Builders that write none make the same lines for images that have nothing to do with
    each other."""
    return any(
        line.created_at is not None and line.created_at > _DOCKER for line in lines
    )
