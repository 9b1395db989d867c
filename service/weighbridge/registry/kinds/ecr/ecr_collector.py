"""What Amazon ECR does with what is not needed any more."""

import re
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Final

from weighbridge.registry.exchange.collector import Collector, Deletion, shell

_PLACE: Final = re.compile(
    r"(?P<account>[0-9]{12})\.dkr[.-]ecr(?:-fips)?\.(?P<region>[a-z0-9-]{1,40})\.",
    re.ASCII,
)
_BATCH: Final = 100
"""ECR API reference, BatchDeleteImage."""


def _commands(deletion: Deletion) -> Iterator[str]:
    words = ["aws", "ecr-public", "batch-delete-image", "--region", "us-east-1"]
    if (place := _PLACE.match(deletion.host)) is not None:
        words = ["aws", "ecr", "batch-delete-image", "--region", place["region"]]
        words += ["--registry-id", place["account"]]
    words += ["--repository-name", deletion.repository, "--image-ids"]
    tagged = [f"imageDigest={digest}" for digest, tags in deletion.manifests if tags]
    listed = [f"imageDigest={d}" for d, tags in deletion.manifests if not tags]
    # An image that an index still lists is refused: what has tags goes first.
    for ids in ([f"imageTag={tag}" for tag in deletion.untagged], tagged, listed):
        for batch in _batches(ids):
            yield shell(*words, *batch)


def _batches(ids: Iterable[str]) -> Iterator[list[str]]:
    waiting = iter(ids)
    while batch := list(islice(waiting, _BATCH)):
        yield batch


COLLECTOR: Final = Collector(
    removes=(
        "ECR frees what a deleted image alone refers to by itself; an image that "
        "has lost its tags stays until it is deleted or a lifecycle policy "
        "removes it. Since a repository is billed by itself, layers that others "
        "have too are counted as freed"
    ),
    unseen="images without a tag, and images in the archive storage class",
    commands=_commands,
)
