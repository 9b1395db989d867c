"""What GitHub's container registry does with what is not needed any more."""

import json
from collections.abc import Iterator
from typing import Final

from weighbridge.registry.exchange.collector import (
    Collector,
    Deletion,
    in_path,
    shell,
)

_BATCH: Final = 100


def _commands(deletion: Deletion) -> Iterator[str]:
    owner, _, package = deletion.repository.partition("/")
    place = f"/orgs/{in_path(owner)}/packages/container/{in_path(package)}/versions"
    yield f"# of a user write /users/{in_path(owner)} in place of /orgs/..."
    digests = [digest for digest, _ in deletion.manifests]
    for start in range(0, len(digests), _BATCH):
        some = ", ".join(map(json.dumps, digests[start : start + _BATCH]))
        wanted = f".[] | select(.name | IN({some})) | .id"
        listing = shell(
            "gh", "api", "--paginate", f"{place}?per_page=100", "--jq", wanted
        )
        deleting = shell("xargs", "-I{}", "gh", "api", "-X", "DELETE", f"{place}/{{}}")
        yield f"{listing} | {deleting}"
    for tag in deletion.untagged:
        yield f"# a tag alone cannot be deleted at GitHub: {tag} stays with its version"


COLLECTOR: Final = Collector(
    # docs.github.com, "Deleting and restoring a package"
    removes=(
        "GitHub removes a version when it is deleted, and can restore it for 30 "
        "days; what an index lists are versions of their own, which stay without "
        "a tag until they are deleted themselves"
    ),
    unseen="versions without a tag",
    commands=_commands,
)
