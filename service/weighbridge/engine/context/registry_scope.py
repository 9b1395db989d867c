"""What of a registry is looked at."""

from collections.abc import Callable

from msgspec import Struct

from weighbridge.domain.image.platform import DEFAULT, Platform


def _everything(name: str) -> bool:
    return True


class Scope(Struct, frozen=True):
    """What of a registry is looked at.

    wants_repository, wants_tag: the include and exclude patterns
    always: names to look at even where the catalog does not list them
    only:   exactly these repositories, without discovery; None for all
    """

    wants_repository: Callable[[str], bool] = _everything
    wants_tag: Callable[[str], bool] = _everything
    always: tuple[str, ...] = ()
    only: tuple[str, ...] | None = None
    platforms: tuple[Platform, ...] = (DEFAULT,)

    def looks_at(self, name: str) -> bool:
        """Whether a crawl looks at a repository of this name, once it knows it."""
        if self.only is not None:
            return name in self.only
        return name in self.always or self.wants_repository(name)
