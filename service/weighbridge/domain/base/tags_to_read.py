"""Which tags of a base's repository are worth reading: what others stand on, and the
newest of each kind."""

import re
from collections.abc import Collection, Iterable, Sequence
from typing import Final

from weighbridge.domain.base.variants import best_variants
from weighbridge.domain.growth.newest import natural_key
from weighbridge.domain.registry.listing import TagSeen

NEWEST: Final = 50
"""So many images of a repository are read though nothing is known to stand on them."""
IN_USE: Final = 100
"""So many tags of a repository are read because something stands on them."""
_LATEST: Final = "latest"
_WINDOWS: Final = re.compile("windows|nanoserver|servercore")
_NUMBER: Final = re.compile("[0-9]+", re.ASCII)


def tags_to_read(
    listed: Iterable[TagSeen],
    in_use: Collection[str],
    *,
    systems: Collection[str] = (),
    newest: int = NEWEST,
    most_in_use: int = IN_USE,
) -> list[TagSeen]:
    """Tags in the order in which they are worth reading, each once.

    1. Those in use, the latest version first, then their slimmer variants.
    2. `latest`, then of each kind of tag (`3.12-slim` and `3.13-slim` are one kind, and
       `3.12.1-slim` is of another) the newest, the shortest kinds first, then the
       second of each kind, and so on.
    3. Other tags of the same images, as far as the listing says that they are: these
       cost nothing.

    systems: whose images are wanted. Tags of images for Windows alone say so: they are
             left out unless it is one of these
    newest: images of the second group; tags of which the listing says no digest are
            counted each
    """
    tags = {tag.name: tag for tag in listed}
    used = sorted((t for t in tags if t in in_use), key=natural_key, reverse=True)
    used += [slim for full in used[:most_in_use] for slim in best_variants(tags, full)]
    chosen = {name: tags[name] for name in dict.fromkeys(used[:most_in_use])}
    digests = {tag.digest for tag in chosen.values() if tag.digest is not None}
    left = newest
    for name in _by_kind(tags):
        tag = tags[name]
        if _WINDOWS.search(name) and "windows" not in systems:
            continue
        if name in chosen or (tag.digest is not None and tag.digest in digests):
            continue
        if not left:
            break
        left -= 1
        chosen[name] = tag
        if tag.digest is not None:
            digests.add(tag.digest)
    same = (tag for tag in tags.values() if tag.digest in digests)
    return [*chosen.values(), *(tag for tag in same if tag.name not in chosen)]


def _by_kind(names: Iterable[str]) -> Sequence[str]:
    kinds: dict[str, list[str]] = {}
    for name in names:
        kinds.setdefault(_NUMBER.sub("#", name), []).append(name)
    ranked = [
        (rank, name != _LATEST, len(kind), kind, name)
        for kind, some in kinds.items()
        for rank, name in enumerate(sorted(some, key=natural_key, reverse=True))
    ]
    return [name for *_, name in sorted(ranked)]
