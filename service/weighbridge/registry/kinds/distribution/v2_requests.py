"""The questions of distribution-spec: what is asked for, under which address.

Names, tags and digests are checked here. Such as are well-formed hold no character that
needs escaping in a path; others never come into one.
"""

from weighbridge.domain.image.digest import Digest, is_digest
from weighbridge.domain.image.manifest import ACCEPT
from weighbridge.domain.image.reference import is_repository_name, is_tag
from weighbridge.domain.limits import (
    ERROR_BODY_BYTES,
    MANIFEST_BODY_BYTES,
    PAGE_BODY_BYTES,
)
from weighbridge.errors import InvalidReference
from weighbridge.registry.auth.authorizer import CATALOG_SCOPE, pull_scope
from weighbridge.registry.exchange.registry_request import (
    Method,
    Operation,
    RegistryRequest,
)


class Questions:
    """url: the registry's, without a slash at its end. All raise InvalidReference."""

    def __init__(self, url: str) -> None:
        self._url = url

    def ping(self) -> RegistryRequest:
        """Whether it speaks this protocol, and to us: distribution-spec, "Determining
        Support"."""
        return RegistryRequest("ping", f"{self._url}/v2/", "", ERROR_BODY_BYTES)

    def catalog(self) -> RegistryRequest:
        """Without a length of its pages."""
        return self._listing("catalog", "_catalog", CATALOG_SCOPE)

    def tags(self, repository: str) -> RegistryRequest:
        """The same for a repository's tags."""
        path = f"{_checked(repository)}/tags/list"
        return self._listing("tags", path, pull_scope(repository))

    def manifest(
        self,
        operation: Operation,
        repository: str,
        reference: str,
        handles: frozenset[int],
        method: Method = "GET",
    ) -> RegistryRequest:
        """reference: a tag or a digest"""
        if not is_tag(reference) and not is_digest(reference):
            raise InvalidReference(f"{reference[:80]!r} is no tag and no digest")
        return RegistryRequest(
            operation,
            f"{self._url}/v2/{_checked(repository)}/manifests/{reference}",
            pull_scope(repository),
            MANIFEST_BODY_BYTES,
            method,
            accept=ACCEPT,
            handles=handles,
        )

    def blob(
        self,
        operation: Operation,
        repository: str,
        digest: Digest,
        body_limit: int,
        handles: frozenset[int],
        method: Method = "GET",
    ) -> RegistryRequest:
        """body_limit: what is wanted of it"""
        if not is_digest(digest):
            raise InvalidReference(f"{digest[:80]!r} is no digest")
        return RegistryRequest(
            operation,
            f"{self._url}/v2/{_checked(repository)}/blobs/{digest}",
            pull_scope(repository),
            body_limit,
            method,
            accept="*/*",
            handles=handles,
        )

    def _listing(self, operation: Operation, path: str, scope: str) -> RegistryRequest:
        return RegistryRequest(
            operation, f"{self._url}/v2/{path}", scope, PAGE_BODY_BYTES
        )


def _checked(repository: str) -> str:
    if not is_repository_name(repository):
        raise InvalidReference(f"{repository[:80]!r} is no repository name")
    return repository
