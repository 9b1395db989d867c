"""What Google's registries do with what is not needed any more."""

from collections.abc import Iterator
from typing import Final

from weighbridge.registry.exchange.collector import (
    UNTAGGED,
    Collector,
    Deletion,
    shell,
)

_DOCKER: Final = ("gcloud", "artifacts", "docker")


def _commands(deletion: Deletion) -> Iterator[str]:
    image = deletion.image
    for tag in deletion.untagged:
        yield shell(*_DOCKER, "tags", "delete", f"{image}:{tag}", "--quiet")
    for digest, _ in deletion.manifests:
        named = f"{image}@{digest}"
        yield shell(*_DOCKER, "images", "delete", named, "--delete-tags", "--quiet")


COLLECTOR: Final = Collector(
    # cloud.google.com/sdk/gcloud/reference/artifacts/docker/images/delete
    removes=(
        "Google frees the layers of a deleted image by itself; an image without a "
        "tag stays until it is deleted or a cleanup policy removes it"
    ),
    unseen=UNTAGGED,
    commands=_commands,
)
