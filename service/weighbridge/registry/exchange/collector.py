"""What a kind of registry does with what is not needed any more, and the commands by
which a person deletes it. Weighbridge runs none of them.

Names of tags come from strangers: every word of a command is quoted for a POSIX shell.
"""

import shlex
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple, TypeAlias
from urllib.parse import quote, urlsplit

from msgspec import Struct

from weighbridge.domain.image.digest import Digest, is_digest


class UnneededManifest(NamedTuple):
    """A manifest that nothing leads to once the tags are gone, with the tags that name
    it: none, where an index alone listed it."""

    digest: Digest
    tags: Sequence[str]


class Deletion(Struct, frozen=True):
    """What would go from one repository.

    url:       of the registry
    host:      of it, `host[:port]`, as references begin
    untagged:  tags of what stays
    manifests: in the order in which a registry takes it: what lists others before these
    """

    url: str
    host: str
    repository: str
    untagged: Sequence[str]
    manifests: Sequence[UnneededManifest]

    @property
    def image(self) -> str:
        """`host/repository`."""
        return f"{self.host}/{self.repository}"

    @property
    def tags(self) -> list[str]:
        """All that go."""
        return [*self.untagged, *(tag for each in self.manifests for tag in each.tags)]


Commands: TypeAlias = Callable[[Deletion], Iterator[str]]


class Collector(Struct, frozen=True):
    """removes:  what its collection of garbage removes, and when; a sentence
    unseen:   what its storage may hold that a crawl does not see
    commands: lines for a shell; those that begin with `#` are for people
    """

    removes: str
    unseen: str
    commands: Commands


def shell(*words: str) -> str:
    """One command, each word of it quoted where that is needed."""
    return shlex.join(words)


def in_path(text: str) -> str:
    """A text as one part of the path of a URL, its slashes too."""
    return quote(text, safe="")


def delete_by_api(deletion: Deletion, reference: str) -> str:
    """A tag or a digest, by the registry's own API (distribution-spec, "Content
    Management"): with regctl, of the project regclient; with curl where the registry is
    below a path, which no reference can say."""
    if urlsplit(deletion.url).path.strip("/"):
        url = f"{deletion.url.rstrip('/')}/v2/{deletion.repository}/manifests"
        command = ("curl", "-fsS", "--netrc", "-X", "DELETE")
        return shell(*command, f"{url}/{reference}")
    if is_digest(reference):
        return shell("regctl", "manifest", "delete", f"{deletion.image}@{reference}")
    return shell("regctl", "tag", "delete", f"{deletion.image}:{reference}")


UNTAGGED: str = (
    "manifests that no tag reaches, such as those that a tag has left; what they hold "
    "stays as long as they do"
)


def _of_distribution(deletion: Deletion) -> Iterator[str]:
    for reference in (*deletion.untagged, *(one.digest for one in deletion.manifests)):
        yield delete_by_api(deletion, reference)
    yield "# then, on the registry's machine and while nothing is pushed:"
    yield "# registry garbage-collect /etc/docker/registry/config.yml"


DISTRIBUTION_COLLECTOR = Collector(
    # distribution/distribution, docs/content/about/garbage-collection.md
    removes=(
        "`registry garbage-collect` removes blobs that no manifest refers to; a "
        "manifest without a tag stays unless it is run with -m, and so do "
        "referrers and the signatures of cosign until they are deleted themselves"
    ),
    unseen=UNTAGGED,
    commands=_of_distribution,
)
