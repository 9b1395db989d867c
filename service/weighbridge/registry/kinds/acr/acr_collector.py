"""What Azure Container Registry does with what is not needed any more."""

from collections.abc import Iterator
from typing import Final

from weighbridge.registry.exchange.collector import (
    UNTAGGED,
    Collector,
    Deletion,
    shell,
)


def _commands(deletion: Deletion) -> Iterator[str]:
    name, repository = deletion.host.partition(".")[0], deletion.repository
    for tag in deletion.untagged:
        image = f"{repository}:{tag}"
        yield shell("az", "acr", "repository", "untag", "-n", name, "--image", image)
    for digest, _ in deletion.manifests:
        image = f"{repository}@{digest}"
        yield shell(
            "az", "acr", "repository", "delete", "-n", name, "--image", image, "--yes"
        )


COLLECTOR: Final = Collector(
    # learn.microsoft.com, container-registry-delete, container-registry-oras-artifacts
    removes=(
        "Azure frees the layers of a deleted manifest by itself, some time later; "
        "a manifest that has lost its last tag stays until it is deleted, and the "
        "referrers of a deleted manifest go with it. Where soft delete is on, "
        "both stay until its days are over"
    ),
    unseen=UNTAGGED,
    commands=_commands,
)
