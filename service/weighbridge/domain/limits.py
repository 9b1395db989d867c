"""Every cap on what a registry may make us read, in one table; and how long history is
kept that nothing needs any more."""

from datetime import timedelta
from typing import Final

from msgspec import Struct


class Retention(Struct, frozen=True):
    """None: for ever.

    crawls:          records of crawls of a repository, from the end of each
    untagged_images: what images are made of, from when no tag led to them any more
    pushes:          what webhooks told, from when it was handled
    notifications:   violations, with what was told of them, from the end of each
    """

    crawls: timedelta | None
    untagged_images: timedelta | None
    pushes: timedelta | None = None
    notifications: timedelta | None = None


KIB: Final = 1024
MIB: Final = 1024 * KIB

MANIFEST_BODY_BYTES: Final = 4 * MIB
"""A manifest or index; exactly this much is accepted."""
CONFIG_BODY_BYTES: Final = 4 * MIB
"""A config; a larger one leaves the image without history."""
IN_FLIGHT_BYTES: Final = 24 * MIB
"""Manifests, indexes and configs that one process holds at any time, on their way and
not stored yet; see `engine.documents.reading`."""
USUAL_DOCUMENT_BYTES: Final = 256 * KIB
"""A manifest whose length nobody has said is asked for with this limit, and where it
is longer once more with the whole one."""
TOKEN_BODY_BYTES: Final = 64 * KIB
ERROR_BODY_BYTES: Final = 64 * KIB
PAGE_BODY_BYTES: Final = 8 * MIB
"""One page of a listing."""
SMALL_BLOB_BYTES: Final = 64 * KIB
"""A gzip blob up to here is read whole and decompressed."""
SMALL_BLOB_INFLATED_BYTES: Final = MIB
"""Of one blob, whichever image names it: about a millisecond of work, as much as
asking for it. An image has at most `LAYERS` of them."""

INDEX_DEPTH: Final = 4
"""Levels of manifests below a tag, the tag's own included."""
INDEX_CHILDREN: Final = 1_000
LAYERS: Final = 4_096
TAGS_PER_REPOSITORY: Final = 100_000
REPOSITORIES_PER_REGISTRY: Final = 1_000_000

DESCRIPTOR_BYTES: Final = 2**44
"""The largest size that a descriptor may claim (16 TiB), so that sums over a
million rows stay within 64 bits."""

JSON_DEPTH: Final = 64
JSON_CONTAINERS: Final = 200_000
"""Brackets in a document, those in its strings included; the longest index and config
that are read have half as many."""
MEDIA_TYPE_CHARACTERS: Final = 255
"""RFC 6838 4.2: 127 for each half."""
ANNOTATION_CHARACTERS: Final = 256
"""Of the annotations that are read; a value that is longer is left out."""
PLATFORM_CHARACTERS: Final = 64
"""Each of os, architecture, variant and os.version."""
HISTORY_ENTRIES: Final = 2 * LAYERS
INSTRUCTION_CHARACTERS: Final = 8 * KIB
"""A history line is cut here, with a marker."""
REPOSITORY_NAME_CHARACTERS: Final = 255
TAG_CHARACTERS: Final = 128

REDIRECTS: Final = 5
ATTEMPTS: Final = 5
"""Tries of one request, the first included."""
RETRY_AFTER_MIN_S: Final = 1.0
RETRY_AFTER_MAX_S: Final = 15 * 60.0
REQUEST_DEADLINE_S: Final = 60.0
CONNECT_DEADLINE_S: Final = 10.0
TOKEN_LIFE_MIN_S: Final = 60.0
TOKEN_LIFE_MAX_S: Final = 60 * 60.0
