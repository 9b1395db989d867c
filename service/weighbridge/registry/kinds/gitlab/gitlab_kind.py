"""GitLab's container registry as a kind of registry, with the keys that it has besides
those of all.

GitLab gives its catalog to administrators alone: what is discovered there are the
repositories of groups and projects that somebody names.
"""

import re
from collections.abc import Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Annotated, ClassVar, Final, Self

from msgspec.structs import replace
from pydantic import Field, PlainValidator, model_validator
from pydantic_core import PydanticCustomError

from weighbridge.config import RegistrySettings
from weighbridge.config.file.regular_file import read_secret_file
from weighbridge.config.value.clashes import Clash, transport_clash, without
from weighbridge.config.value.value_types import (
    PATTERNS,
    PrefixedURL,
    SecretFile,
    SecretText,
)
from weighbridge.domain.image.reference import is_repository_name
from weighbridge.domain.limits import REPOSITORY_NAME_CHARACTERS
from weighbridge.domain.text.globs import EVERYTHING, Patterns
from weighbridge.domain.text.printable import Secret
from weighbridge.registry.exchange.kind_signs import KindSigns
from weighbridge.registry.exchange.registry_kind import RegistryKind
from weighbridge.registry.kinds.gitlab.gitlab_collector import COLLECTOR

if TYPE_CHECKING:
    from weighbridge.registry.exchange.endpoint import (
        Endpoint,
        KindAccess,
        KindRegistry,
    )

_HOST: Final = "registry.gitlab.com"
_PATH: Final = re.compile(
    r"[A-Za-z0-9_][A-Za-z0-9_.-]*(?:/[A-Za-z0-9_][A-Za-z0-9_.-]*)*", re.ASCII
)


def gitlab_patterns(
    include: Sequence[str], groups: Sequence[str], projects: Sequence[str]
) -> tuple[str, ...]:
    """`repositories.include` together with all that is in the groups and projects;
    where only these are given, they are all that is meant. A project's images have its
    own name or begin with it, in lower case."""
    is_all = (groups or projects) and tuple(include) == EVERYTHING
    given = () if is_all else tuple(include)
    of_groups = (f"{group.lower()}/*" for group in groups)
    own = (project.lower() for project in projects)
    of_projects = (name for p in own for name in (p, f"{p}/*"))
    return (*given, *of_groups, *of_projects)


def outermost(groups: Sequence[str], paths: Sequence[str]) -> tuple[str, ...]:
    """The paths that are in none of the groups, once each: the listing of a group has
    all that is below it."""
    above = tuple(f"{group.lower()}/" for group in groups)
    found = {p.lower(): p for p in reversed(paths)}
    return tuple(
        p for p in dict.fromkeys(found.values()) if not p.lower().startswith(above)
    )


def _path(value: object) -> str:
    is_short = isinstance(value, str) and len(value) <= REPOSITORY_NAME_CHARACTERS
    if isinstance(value, str) and is_short and _PATH.fullmatch(value):
        return value
    raise PydanticCustomError(
        "invalid_name", "must be the path of a group or project, such as acme/shop"
    )


Paths = Annotated[
    tuple[Annotated[str, PlainValidator(_path)], ...], Field(max_length=PATTERNS)
]


class GitLabSettings(RegistrySettings):
    """An entry of GitLab's container registry.

    api_url:   `scheme://host[:port]` of GitLab itself; None: gitlab.com for its own
               registry, and unknown for others
    api_token: shown to that alone; without one, the password of `auth` is
    groups:    whose repositories are crawled, those of all groups and projects below
    projects:  whose repositories are crawled
    """

    hosts: ClassVar = MappingProxyType({_HOST: _HOST})

    api_url: PrefixedURL | None = None
    api_token: SecretText | None = None
    api_token_file: SecretFile | None = None
    groups: Paths = ()
    projects: Paths = ()

    @property
    def wanted_repositories(self) -> Patterns:
        chosen = self.repositories
        include = gitlab_patterns(chosen.include, self.groups, self.projects)
        return Patterns(include, chosen.exclude)

    @property
    def named_repositories(self) -> tuple[str, ...]:
        """Not those of projects: many have images only below their own name."""
        return tuple(filter(is_repository_name, self.repositories.include))

    def current_api_token(self) -> Secret | None:
        """The token as it is now: its file is read again, because it may have been
        rotated. Raises ConfigError(secret_file)."""
        if self.api_token_file is not None:
            return read_secret_file(self.api_token_file)
        return self.api_token

    @model_validator(mode="after")
    def _names_its_api(self) -> Self:
        return without(self, self._clash())

    def _clash(self) -> Clash | None:
        """Whether the API is asked in the clear, or nobody knows where it is; and what
        GitLab has no name for."""
        if self.api_token is not None and self.api_token_file is not None:
            words = "excludes api_token_file: keep one"
            return Clash("api_token", "invalid_auth", words)
        for project in self.projects:
            if "/" not in project:
                words = "must have a group before its project: acme/shop"
                return Clash("projects", "invalid_name", words, project)
        if self.api_url is not None and not self.api_url.startswith("https:"):
            clash = transport_clash(self.api_url, plain_http=self.plain_http)
            return None if clash is None else replace(clash, key="api_url")
        has_token = self.api_token is not None or self.api_token_file is not None
        needs_api = bool(self.groups or self.projects or has_token)
        if not needs_api or self.host in self.hosts or self.api_url is not None:
            return None
        words = "is missing: name the GitLab that this registry belongs to"
        return Clash("api_url", "missing_key", words)


def _open(endpoint: "Endpoint", access: "KindAccess") -> "KindRegistry":
    # Late: who only reads the configuration asks no registry.
    from weighbridge.registry.kinds.gitlab.gitlab_registry import open_gitlab

    return open_gitlab(endpoint, access)


GITLAB: Final = RegistryKind(
    settings=GitLabSettings,
    open=_open,
    # As in distribution, which it was made from: its storage has blobs by digest under
    # one root, and repositories name them (gitlab-org/container-registry,
    # docs/gitlab/database-schema.md, `blobs` and `repository_blobs`).
    storage_scope="registry",
    collector=COLLECTOR,
    signs=KindSigns(
        # lib/gitlab's `Auth::ContainerRegistryAuthenticationService::AUDIENCE`
        services=frozenset({"container_registry"}),
        # gitlab-org/container-registry, "Custom Headers on GET /v2/"
        headers=frozenset({"gitlab-container-registry-version"}),
    ),
)
