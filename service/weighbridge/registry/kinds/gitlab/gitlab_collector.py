"""What GitLab's container registry does with what is not needed any more."""

from collections.abc import Iterator
from typing import Final

from weighbridge.registry.exchange.collector import (
    UNTAGGED,
    Collector,
    Deletion,
    delete_by_api,
)


def _commands(deletion: Deletion) -> Iterator[str]:
    for tag in deletion.tags:
        yield delete_by_api(deletion, tag)
    yield "# then, where the registry has no metadata database:"
    yield "# gitlab-ctl registry-garbage-collect -m"


COLLECTOR: Final = Collector(
    # docs.gitlab.com, "Reduce container registry storage"
    removes=(
        "with a metadata database, as on GitLab.com, GitLab removes manifests "
        "that no tag reaches and their layers by itself 24 hours later; else "
        "`gitlab-ctl registry-garbage-collect -m` does"
    ),
    unseen=UNTAGGED,
    commands=_commands,
)
