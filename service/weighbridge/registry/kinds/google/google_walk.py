"""From the names where repositories are looked for to all that is below them."""

from collections import deque
from collections.abc import Iterable, Sequence
from typing import TypeAlias

from weighbridge.domain import limits
from weighbridge.domain.registry.listing import RepositoryListing
from weighbridge.domain.text.globs import Patterns, fits
from weighbridge.errors import (
    DocumentError,
    ListingError,
    NotFound,
    RateLimited,
    RegistryError,
)
from weighbridge.registry.kinds.google.google_listing import GoogleFolder

Failure: TypeAlias = DocumentError | RegistryError


class LookedAt:
    """Which names are worth a question, where these repositories are wanted."""

    def __init__(self, wanted: Patterns) -> None:
        self._starts = [include.partition("*")[0] for include in wanted.include]
        self._cut = [exclude for exclude in wanted.exclude if exclude.endswith("*")]

    def __call__(self, name: str) -> bool:
        """Whether it, or a name below it, may be a wanted repository."""
        folder = f"{name}/"
        if any(fits(p, name) and fits(p, folder) for p in self._cut):
            return False
        return any(
            name.startswith(start) or start.startswith(folder) for start in self._starts
        )


class GoogleWalk:
    """Names that are to be looked at, each once, and what was found there.

    failed: the first error of a name that could not be looked at
    """

    def __init__(self, is_looked_at: LookedAt, roots: Sequence[str]) -> None:
        self._is_looked_at = is_looked_at
        self._roots = frozenset(roots)
        self._seen: set[str] = set()
        self._waiting: deque[str] = deque()
        self._names: list[str] = []
        self._invalid = 0
        self.failed: Failure | None = None
        self._add(roots)

    def take(self, most: int) -> list[str]:
        """The names to look at next."""
        count = min(most, len(self._waiting))
        return [self._waiting.popleft() for _ in range(count)]

    def listing(self) -> RepositoryListing:
        """What was found since the last time."""
        listing = RepositoryListing(tuple(self._names), self._invalid)
        self._names, self._invalid = [], 0
        return listing

    def note(self, name: str, found: GoogleFolder | BaseException) -> None:
        """Raises what is not about this name alone."""
        if isinstance(found, NotFound) and name not in self._roots:
            # The name above says that it is there: its own crawl tells what it is.
            self._names.append(name)
        elif isinstance(found, RateLimited) or not isinstance(
            found, GoogleFolder | DocumentError | RegistryError
        ):
            raise found
        elif isinstance(found, GoogleFolder):
            self._note_folder(name, found)
        else:
            self.failed = self.failed or found

    def _note_folder(self, name: str, folder: GoogleFolder) -> None:
        self._invalid += folder.invalid
        self._add(folder.children)
        is_root = name in self._roots
        if is_root and folder.is_empty:
            self.failed = self.failed or nothing_below(name)
        elif folder.has_images or not (is_root or folder.children):
            self._names.append(name)

    def _add(self, names: Iterable[str]) -> None:
        for name in names:
            if name in self._seen or not self._is_looked_at(name):
                continue
            if len(self._seen) >= limits.REPOSITORIES_PER_REGISTRY:
                raise ListingError(
                    "there are more than"
                    f" {limits.REPOSITORIES_PER_REGISTRY} names below the first ones",
                    code="too_large",
                )
            self._seen.add(name)
            self._waiting.append(name)


def nothing_below(name: str) -> ListingError:
    """The error for a listing of nothing: it may be one of what we may not see."""
    return ListingError(
        f"the registry shows nothing below {name}",
        code="empty_listing",
        hint="check the name, and that this user may read it: what was there before"
        " is kept",
    )
