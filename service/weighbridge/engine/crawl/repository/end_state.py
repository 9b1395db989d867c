"""What a repository is after a look at it that broke off."""

from typing import Final

from weighbridge.domain import limits
from weighbridge.domain.report.inventory import RepositoryState
from weighbridge.errors import (
    NotFound,
    RegistryError,
    TransportError,
    WeighbridgeError,
)

_TOO_MANY: Final = "too_many_tags"
_UNAUTHORIZED: Final = frozenset(
    {"unauthorized", "denied", "auth_error", "realm_refused"}
)


def state_after(broken: WeighbridgeError, *, saw_pages: bool) -> RepositoryState:
    """broken: what ended it; saw_pages: whether some of the listing came before"""
    if saw_pages or broken.code == _TOO_MANY:
        return "partial"
    if broken.code in _UNAUTHORIZED:
        return "unauthorized"
    if isinstance(broken, NotFound):
        return "missing"
    return "unreachable" if isinstance(broken, TransportError) else "error"


def too_many_tags() -> WeighbridgeError:
    """The error of a repository with more tags than are read."""
    return RegistryError(f"more than {limits.TAGS_PER_REPOSITORY} tags", code=_TOO_MANY)
