"""The API of Amazon's public registry, `ecr-public`: the repositories and images of
whoever signs. Actions and shapes are of the service model of 2020-10-30 (botocore,
data/ecr-public).

It knows a repository without the alias of its owner, which the registry has before it:
its `app` is `public.ecr.aws/ALIAS/app`. A page of images holds those without a tag,
too, as the parts of an index are.
"""

from collections.abc import AsyncIterator
from typing import ClassVar, Final

from weighbridge.domain import limits
from weighbridge.domain.image.reference import is_repository_name
from weighbridge.registry.exchange.paging import ListingPage, page_members
from weighbridge.registry.kinds.ecr.ecr_api import (
    ECRAPI,
    listed_entries,
    next_token,
    page_key,
    parse_ecr_images,
)

_LISTING: Final = "the listing of ECR Public"


def parse_public_repositories(raw: bytes) -> ListingPage:
    """An answer to DescribeRepositories: names as the registry has them, `ALIAS/NAME`.
    Raises DocumentError(invalid_listing, ...)."""
    page = page_members(raw, _LISTING)
    names = [_repository(entry) for entry in listed_entries(page, "repositories")]
    good = tuple(dict.fromkeys(name for name in names if name is not None))
    following = next_token(page)
    key = page_key(good, following)
    return ListingPage(good, names.count(None), next=following, key=key)


def _repository(entry: object) -> str | None:
    if not isinstance(entry, dict):
        return None
    own, uri = entry.get("repositoryName"), entry.get("repositoryUri")
    if not isinstance(own, str) or not isinstance(uri, str):
        return None
    name = uri.partition("/")[2]
    is_right = own and name.partition("/")[2] == own and is_repository_name(name)
    return name if is_right else None


class PublicECRAPI(ECRAPI):
    """What is asked of it. Manifests are read from the registry."""

    service: ClassVar = "ecr-public"
    model_name: ClassVar = "SpencerFrontendService"
    needed: ClassVar[tuple[str, ...]] = tuple(
        f"ecr-public:{action}"
        for action in (
            "GetAuthorizationToken",
            "DescribeRepositories",
            "DescribeImages",
        )
    )

    def repositories(self) -> AsyncIterator[ListingPage]:
        """All repositories of whoever signs."""
        return self.pages_of(
            "DescribeRepositories",
            {},
            parse_public_repositories,
            limits.REPOSITORIES_PER_REGISTRY,
        )

    def tags(self, repository: str) -> AsyncIterator[ListingPage]:
        """The tags of one of them, `ALIAS/NAME`. Raises NotFound(name_unknown) too."""
        own = repository.partition("/")[2]
        return self.pages_of(
            "DescribeImages",
            {"repositoryName": own},
            lambda raw: parse_ecr_images(raw, own),
            limits.TAGS_PER_REPOSITORY,
        )
