"""What was read of a repository when it was opened, as long as that is true."""

from collections.abc import Mapping, Set

from weighbridge.engine.crawl.repository.write_steps import Meanwhile
from weighbridge.store.crawls.slices import Opened
from weighbridge.store.tags.applying import KnownTag


class KnownBefore:
    """Nothing of it counts once a push was looked at under the same claim."""

    def __init__(self, begun: Opened, meanwhile: Meanwhile) -> None:
        self._begun = begun
        self._meanwhile = meanwhile

    @property
    def known(self) -> Mapping[str, KnownTag] | None:
        """The live tags; None: they are to be read."""
        return None if self._meanwhile.has_pushes else self._begun.known

    @property
    def lacks_nothing(self) -> bool:
        """Whether all that tags lead to was whole."""
        return self._begun.is_whole and not self._meanwhile.has_pushes

    def has_only(self, seen: Set[str]) -> bool:
        """Whether every live tag is among these: none has vanished."""
        known = self.known
        return known is not None and known.keys() <= seen
