"""What Harbor does with what is not needed any more."""

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
    yield "# the user and the password of Harbor are in ~/.netrc"
    project, _, name = deletion.repository.partition("/")
    # A slash in a name is encoded twice (goharbor/harbor, api/v2.0/swagger.yaml).
    place = (
        f"{deletion.url}/api/v2.0/projects/{in_path(project)}"
        f"/repositories/{in_path(in_path(name))}/artifacts"
    )
    delete = ("curl", "-fsS", "--netrc", "-X", "DELETE")
    for tag in deletion.untagged:
        yield shell(*delete, f"{place}/{in_path(tag)}/tags/{in_path(tag)}")
    for digest, tags in deletion.manifests:
        # What an index alone lists goes with it.
        if tags:
            yield shell(*delete, f"{place}/{digest}")
    yield "# then: Administration, Clean Up, GC Now"


COLLECTOR: Final = Collector(
    # goharbor.io/docs, "Deleting Artifacts" and "Garbage Collection"
    removes=(
        "an artifact goes with its tags, its signatures and other accessories, "
        "and with what it alone lists; blobs are removed by the garbage "
        "collection of the administrator, which leaves what was pushed within two "
        "hours, and removes artifacts without a tag only where that is switched "
        "on"
    ),
    unseen=UNTAGGED,
    commands=_commands,
)
