"""Limits on what an image stands on: which bases are allowed, and how long after it was
replaced one may be stood on.

Both need a base that is certain. The layers of an image are those of its base, or they
are not: nobody can make them up. What whoever pushed the image wrote into it, an
annotation or the lines of its history, is no evidence: without layers that agree the
base counts as unknown.
"""

import re
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Final

from msgspec import Struct

from weighbridge.domain.text.globs import fits

_PATTERN: Final = re.compile(r"[A-Za-z0-9._/:*\[\]-]+", re.ASCII)
_HUB: Final = ("docker.io/", "index.docker.io/")
PATTERN_CHARACTERS: Final = 400


class CertainBase(Struct, frozen=True):
    """What an image stands on, for certain.

    references:     every name of the base, as people write it in `FROM`, without the
                    host of Docker Hub: `library/python:3.12-slim`; the one that is
                    shown first
    replaced_for_s: seconds since we saw its tag lead to another build; 0: it leads here
    """

    references: tuple[str, ...]
    replaced_for_s: int


def parse_base_pattern(text: str) -> str | None:
    """A pattern of references as they are compared; None: it is none.

    `*` stands for any text. `python:*-slim*` is `library/python:*-slim*`, a name
    without a tag is meant with any.
    """
    if len(text) > PATTERN_CHARACTERS or not _PATTERN.fullmatch(text):
        return None
    for host in _HUB:
        text = text.removeprefix(host)
    if "/" not in text and not text.startswith("*"):
        text = f"library/{text}"
    name = text.rpartition("/")[2]
    return text if ":" in name or text.endswith("*") else f"{text}:*"


def allows(patterns: Iterable[str], base: CertainBase) -> bool:
    """Whether a name of the base fits one of the patterns."""
    every = list(base.references)
    return any(fits(pattern, name) for pattern in patterns for name in every)


class BaseTag(Struct, frozen=True):
    """A tag that leads to a base, or led there.

    left_at: when we saw it lead elsewhere; None: it leads there now
    """

    reference: str
    left_at: datetime | None


def certain_base(
    chosen: str, names: Sequence[BaseTag], now: datetime
) -> CertainBase | None:
    """The base of which these are all the names. None: it has none.

    chosen: the name that is shown of it. It says whether the base was replaced: another
            tag, such as that of a full version, may lead there for ever. Where it is
            none of the names, the base was replaced once none of them leads there.
    """
    if not names:
        return None
    own = [name for name in names if name.reference == chosen] or list(names)
    left = [name.left_at for name in own]
    ended = [moment for moment in left if moment is not None]
    is_current = len(ended) < len(left)
    since = 0 if is_current else max(int((now - max(ended)).total_seconds()), 0)
    references = tuple(dict.fromkeys(name.reference for name in (*own, *names)))
    return CertainBase(references, since)
