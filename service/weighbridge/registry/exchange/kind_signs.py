"""By what a kind of registry is told from the others, where nobody has written which
one it is. A host that is known for a kind is a matter of its settings; what is here
shows in answers to somebody without credentials."""

import re
from collections.abc import Callable, Mapping
from typing import Final

from msgspec import Struct

from weighbridge.config import RegistrySettings

MOST_PROBES: Final = 4
"""So many questions, besides the one for `/v2/`, may be asked to recognise a registry:
of the kinds that have one, the first so many."""


class KindProbe(Struct, frozen=True):
    """One question that changes nothing, counts as no pull and needs no credentials.

    path:  at the registry's own host, from its root
    shows: whether this JSON object, of an answer with status 200, is one of this kind
    told:  what the answer is, for people: "that is Harbor's system information"
    """

    path: str
    shows: Callable[[Mapping[str, object]], bool]
    told: str


def _nothing(entry: RegistrySettings) -> str:
    return ""


class KindSigns(Struct, frozen=True):
    """Each is enough alone; a kind has those that no other registry shows.

    services: how it calls itself where it tells who gives tokens (`service` of the
              challenge)
    realm:    the whole URL of that token server, without its query
    headers:  names of fields of its answers, in lower case
    probe:    what is asked where nothing of this shows anything
    lacks:    what an entry of this kind that is right lacks to be taken for it where
              nobody has written the kind, for people: a key without which less would be
              found than by the specification; "" for nothing
    """

    services: frozenset[str] = frozenset()
    realm: re.Pattern[str] | None = None
    headers: frozenset[str] = frozenset()
    probe: KindProbe | None = None
    lacks: Callable[[RegistrySettings], str] = _nothing


NO_SIGNS: Final = KindSigns()
