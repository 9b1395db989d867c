"""The shape of what the API tells a gate about one image."""

from collections.abc import Iterable
from dataclasses import dataclass

from weighbridge.domain.image.digest import Digest
from weighbridge.domain.policy.policy import Decided, PolicyKey


@dataclass(frozen=True, slots=True)
class PolicyDecision:
    """One key of policies for the newest image. Bytes and shares are numbers; null is
    no limit, and `policy` is null where no policy sets the key."""

    key: PolicyKey
    value: str | int | float | None
    policy: str | None


def policy_rows(decided: Iterable[Decided]) -> list[dict[str, object]]:
    """Every key. Where it is written is told on the command line only: who may read
    what images weigh need not know the files of this machine."""
    return [
        {
            "key": each.key,
            "value": each.value,
            "policy": None if each.policy is None else each.policy.name,
        }
        for each in decided
    ]


def written_at(decided: Decided) -> dict[str, object]:
    """The file and line of a key; null where it is in none."""
    place = decided.place
    if place is None or not place.file:
        return {"file": None, "line": None}
    return {"file": place.file, "line": place.line}


@dataclass(frozen=True, slots=True)
class ImageLimit(PolicyDecision):
    """One key of policies. `waived_until`: until then it is waived; null: it is not."""

    waived_until: str | None


@dataclass(frozen=True, slots=True)
class EarlierImageRow:
    """An image that a tag like this one has pointed to, compressed. Of a tag without
    any platform that is configured it is its reference image."""

    platform: str
    digest: Digest
    compressed_bytes: int


@dataclass(frozen=True, slots=True)
class ImageLimits:
    """What holds for an image; `images` are those before it, of each platform that is
    configured (`platforms`) the latest first. Growth is counted from the median of ten.
    `images_known`: whether there are no others, since the repository was crawled to its
    end, or the registry does not have it."""

    registry: str
    repository: str
    tag: str | None
    items: list[ImageLimit]
    images: list[EarlierImageRow]
    images_known: bool
    platforms: list[str]
