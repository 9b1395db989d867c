"""What would make an image lighter, from its lines and their bytes alone.

Conservative: what is said must be true of every image with such a line, or say of what
it depends. Nothing is said of the lines of a base, which are not its builder's to
change, nor where it is not known which line made which layer.
"""

from collections.abc import Mapping, Sequence

from weighbridge.domain.advice.commit_tags import commit_tags
from weighbridge.domain.advice.files import large_copies, written_twice
from weighbridge.domain.advice.own_lines import Advice, bounded, own_lines
from weighbridge.domain.advice.packages import (
    build_tools,
    package_caches,
    package_lists,
)
from weighbridge.domain.image.digest import Digest
from weighbridge.domain.size.weighing import WeighedImage


def advise(
    image: WeighedImage,
    base_layers: int = 0,
    *,
    tag: str | None = None,
    tags: Mapping[str, Digest] | None = None,
) -> Sequence[Advice]:
    """The advice for one image, what saves most first.

    base_layers: how many of its leading layers are those of its base; 0 where no base
        is known, so that all its lines are looked at
    tag:  the tag that leads to it, if any
    tags: tags of its repository, each with what it points to
    """
    lines = own_lines(image, base_layers)
    texts = [line.instruction for line in image.lines]
    found = [
        *package_lists(lines),
        *package_caches(lines, texts),
        *build_tools(lines),
        *written_twice(lines),
        *large_copies(lines),
    ]
    sizes = {
        line.layer: line.compressed_bytes for line in lines if line.layer is not None
    }
    return [*bounded(found, sizes), *commit_tags(tag, tags or {})]
