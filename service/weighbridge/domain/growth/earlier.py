"""The images before one: what its growth is counted from, and whether it is known."""

from collections.abc import Mapping, Sequence
from typing import Final

from msgspec import Struct, field

from weighbridge.domain.growth.newest import baseline_of


class EarlierImage(Struct, frozen=True):
    """An image that a tag like the one that is checked has pointed to."""

    digest: str
    compressed_bytes: int


class Earlier(Struct, frozen=True):
    """What somebody knows of the images before one.

    images:    by platform, the latest first
    is_known:  whether there are no others; False: there may be
    platforms: those that are looked for; another one may have images all the same,
               unless there are none at all
    why:       the reason where it is not known
    """

    images: Mapping[str, Sequence[EarlierImage]] = field(default_factory=dict)
    is_known: bool = False
    platforms: frozenset[str] = frozenset()
    why: str = "no earlier image is named, and no service or database knows them"

    def knows(self, platform: str) -> bool:
        """Whether all images of this platform are known: that there is none, too."""
        is_listed = platform in self.images or platform in self.platforms
        return self.is_known and (is_listed or not self.images)

    def why_unknown(self, platform: str) -> str:
        """The reason where `knows` is False."""
        return f"images of {platform} are not kept there" if self.is_known else self.why

    def before(self, platform: str, digest: str) -> Sequence[EarlierImage]:
        """Those before this image; where it is one of them, those before that."""
        found = self.images.get(platform, ())
        digests = [each.digest for each in found]
        return found[digests.index(digest) + 1 :] if digest in digests else found

    def baseline(self, platform: str, digest: str) -> int | None:
        """The median of the images before it, None below three."""
        earlier = self.before(platform, digest)
        return baseline_of([each.compressed_bytes for each in earlier])


NOBODY_KNOWS: Final = Earlier()
"""Neither a service nor a database was asked."""
