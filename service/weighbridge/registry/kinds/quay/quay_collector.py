"""What Quay does with what is not needed any more."""

from collections.abc import Iterator
from typing import Final

from weighbridge.registry.exchange.collector import (
    Collector,
    Deletion,
    in_path,
    shell,
)


def _commands(deletion: Deletion) -> Iterator[str]:
    yield "# header.txt has one line: Authorization: Bearer TOKEN"
    for tag in deletion.tags:
        url = (
            f"{deletion.url}/api/v1/repository/{deletion.repository}/tag/{in_path(tag)}"
        )
        yield shell("curl", "-fsS", "-H", "@header.txt", "-X", "DELETE", url)


COLLECTOR: Final = Collector(
    # docs.redhat.com, Use Red Hat Quay, "Image tags overview"
    removes=(
        "Quay removes manifests that no tag reaches by itself, once the time "
        "machine of the namespace is over: until then a deleted tag can be "
        "restored, and nothing is freed"
    ),
    unseen="what deleted tags named whose time machine is not over",
    commands=_commands,
)
