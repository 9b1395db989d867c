"""The size that a registry's own API names for an image, held against its layers.

Docker Hub describes it as the compressed size, the sum of all layers (docker/docs,
content/reference/api/hub/latest.yaml, `full_size`), and recorded answers are that sum
without the config. It is not written down whether a layer that a manifest names twice
counts twice, nor that the config will never be added: what either would explain is not
called false.
"""

from collections.abc import Sequence

from weighbridge.domain.image.digest import Digest


def is_explained(
    listed_bytes: int, layers: Sequence[tuple[Digest, int]], config_bytes: int
) -> bool:
    """Whether a listing's size is what these layers make.

    listed_bytes: as the listing names it
    layers:       digest and compressed bytes of every layer, repeated ones too
    config_bytes: length of the image's config
    """
    once = sum(dict(layers).values())
    each = sum(length for _, length in layers)
    return listed_bytes - once in (0, config_bytes) or listed_bytes - each in (
        0,
        config_bytes,
    )
