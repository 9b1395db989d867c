"""What a Weighbridge answers about the limits of one image, read strictly."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final

from msgspec import Struct

from weighbridge.domain.check.image_check import Earlier, EarlierImage
from weighbridge.domain.policy.policy import (
    KEYS,
    LIMIT_KEYS,
    KeyPlace,
    LimitKey,
    Limits,
    Policy,
    PolicyKey,
)
from weighbridge.domain.text.strict_json import parse_json
from weighbridge.errors import DocumentError

_MOST: Final = 2**63 - 1
_MOST_SHARE: Final = 1_000_000
_LIMITS: Final = frozenset({*LIMIT_KEYS, "min_growth"})


class ServiceLimits(Struct, frozen=True):
    """What holds for an image, as the service says it.

    policies:  one for each key that somebody sets, under the name of who sets it
    waived:    limits that are not minded, and until when
    earlier:   what tags like this one have pointed to
    """

    policies: tuple[Policy, ...]
    waived: Mapping[LimitKey, datetime]
    earlier: Earlier


def parse_service_limits(raw: bytes) -> ServiceLimits:
    """The answer of `GET /api/v1/limits`. Keys that we do not know are left out: a
    newer service may have more. Raises DocumentError."""
    value = parse_json(raw)
    items = _list_in(value, "items")
    earlier: dict[str, list[EarlierImage]] = {}
    for platform, image in map(_image, _list_in(value, "images")):
        earlier.setdefault(platform, []).append(image)
    return ServiceLimits(
        policies=tuple(policy for item in items if (policy := _policy(item))),
        waived={
            key: until
            for item in items
            if (until := _waived(item))
            for key in _key(item)
        },
        earlier=Earlier(
            earlier,
            is_known=_flag_in(value, "images_known"),
            platforms=frozenset(_texts_in(value, "platforms")),
            why="the service has not crawled this repository to its end yet",
        ),
    )


def _flag_in(value: object, name: str) -> bool:
    found = value.get(name) if isinstance(value, dict) else None
    if not isinstance(found, bool):
        raise _refused(f"{name} is neither true nor false")
    return found


def _texts_in(value: object, name: str) -> list[str]:
    found = value.get(name) if isinstance(value, dict) else None
    if not isinstance(found, list) or not all(isinstance(i, str) for i in found):
        raise _refused(f"{name} is no list of texts")
    return found


def _list_in(value: object, name: str) -> list[dict[str, object]]:
    found = value.get(name) if isinstance(value, dict) else None
    if not isinstance(found, list) or not all(isinstance(i, dict) for i in found):
        raise _refused(f"{name} is no list of objects")
    return found


def _policy(item: Mapping[str, object]) -> Policy | None:
    """None for a key that no policy sets, or that says nothing of an image."""
    key, value, name = item.get("key"), item.get("value"), item.get("policy")
    if name is None:
        return None
    if not isinstance(name, str):
        raise _refused("a policy has no name")
    for known in KEYS:
        if key == known and known in _LIMITS:
            return Policy(
                name, limits=_limits(known, value), places={known: KeyPlace()}
            )
    return None


def _limits(key: PolicyKey, value: object) -> Limits:
    if key == "max_growth":
        return Limits(max_growth=_share(value))
    amount = _whole(value, key)
    return Limits(
        max_compressed_bytes=amount if key == "max_compressed" else None,
        max_uncompressed_bytes=amount if key == "max_uncompressed" else None,
        min_growth_bytes=amount if key == "min_growth" else None,
        max_layers=amount if key == "max_layers" else None,
        max_layer_compressed_bytes=amount if key == "max_layer_compressed" else None,
        max_deduplicated_bytes=amount if key == "max_deduplicated" else None,
    )


def _whole(value: object, name: str) -> int | None:
    if value is None:
        return None
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= _MOST:
        return value
    raise _refused(f"{name} is no whole number")


def _share(value: object) -> float | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise _refused("max_growth is no number")
    if 0 <= value <= _MOST_SHARE:
        return float(value)
    raise _refused("max_growth is no share")


def _waived(item: Mapping[str, object]) -> datetime | None:
    text = item.get("waived_until")
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text if isinstance(text, str) else "")
    except ValueError as exc:
        raise _refused("waived_until is no time") from exc
    return moment.replace(tzinfo=moment.tzinfo or UTC)


def _key(item: Mapping[str, object]) -> list[LimitKey]:
    return [key for key in LIMIT_KEYS if key == item.get("key")]


def _image(item: Mapping[str, object]) -> tuple[str, EarlierImage]:
    platform, digest = item.get("platform"), item.get("digest")
    weight = _whole(item.get("compressed_bytes"), "the size of an image")
    if not isinstance(platform, str) or not isinstance(digest, str) or weight is None:
        raise _refused("an image has no platform, no digest or no bytes")
    return platform, EarlierImage(digest, weight)


def _refused(why: str) -> DocumentError:
    return DocumentError(
        f"what the service answers about limits cannot be read: {why}",
        code="invalid_limits",
    )
