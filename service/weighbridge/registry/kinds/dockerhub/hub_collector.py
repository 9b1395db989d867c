"""What Docker Hub does with what is not needed any more."""

from collections.abc import Iterator
from typing import Final

from weighbridge.registry.exchange.collector import (
    UNTAGGED,
    Collector,
    Deletion,
    in_path,
    shell,
)


def _commands(deletion: Deletion) -> Iterator[str]:
    yield "# header.txt has one line: Authorization: Bearer TOKEN"
    namespace, _, name = deletion.repository.partition("/")
    place = f"https://hub.docker.com/v2/repositories/{in_path(namespace)}"
    for tag in deletion.tags:
        url = f"{place}/{in_path(name)}/tags/{in_path(tag)}/"
        yield shell("curl", "-fsS", "-H", "@header.txt", "-X", "DELETE", url)


COLLECTOR: Final = Collector(
    removes=(
        "Docker does not say when Docker Hub removes what no tag reaches; by its "
        "registry's API nothing can be deleted, by the API of Docker Hub tags can"
    ),
    unseen=UNTAGGED,
    commands=_commands,
)
