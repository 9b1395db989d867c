"""Which repositories are crawled to know bases: the names that people write."""

from typing import Final

from msgspec import Struct

from weighbridge.domain.image.reference import parse_reference, without_login
from weighbridge.errors import InvalidReference

DEFAULT_BASES: Final = (
    "debian",
    "ubuntu",
    "alpine",
    "busybox",
    "buildpack-deps",
    "python",
    "node",
    "golang",
    "eclipse-temurin",
    "openjdk",
    "nginx",
    "php",
    "ruby",
)
"""Docker's official images that others start from most."""


class BaseRepository(Struct, frozen=True, order=True):
    """A repository whose images are bases of others.

    registry:   a configured name, or `host[:port]`; `docker.io` of Docker Hub
    repository: a checked name, as the registry knows it
    """

    registry: str
    repository: str

    def __str__(self) -> str:
        return f"{self.registry}/{self.repository}"


class BasePlace(Struct, frozen=True, order=True):
    """A base's repository, at the registry that is asked for it.

    name: as that registry knows it
    host, repository: what people write of it in `FROM`: `docker.io` and
          `library/debian`, though it may be a mirror that is asked
    """

    name: str
    host: str
    repository: str


def parse_base_repository(
    text: str, configured: frozenset[str] | None = frozenset()
) -> BaseRepository:
    """The repository that a person names: `python`, `quay.io/acme/base`,
    `harbor/shop/base`.

    configured: names of registries, which win over hosts as in `parse_reference`; None:
                they are not known yet, and a first component may be one
    Raises InvalidReference.
    """
    if configured is None:
        configured = frozenset({text.partition("/")[0]}) if "/" in text else frozenset()
    try:
        found = parse_reference(text, configured)
    except InvalidReference as exc:
        raise _refused(text, exc.message.partition(": ")[2], exc.hint) from exc
    if found.digest is not None:
        raise _refused(text, "it has a digest", "name the repository alone")
    # A tag of `latest` that nobody wrote is no fault.
    if ":" in text.rpartition("/")[2]:
        raise _refused(text, "it has a tag", "name the repository alone")
    return BaseRepository(found.registry, found.repository)


def _refused(text: str, why: str, hint: str) -> InvalidReference:
    shown = ascii(without_login(text)[:80])
    return InvalidReference(f"{shown} is no base's repository: {why}", hint=hint)
