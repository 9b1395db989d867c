"""What a Weighbridge answers about the limits of one image, read strictly."""

from collections.abc import Mapping
from datetime import UTC, datetime

from msgspec import Struct, ValidationError, convert

from weighbridge.domain.check.image_check import Earlier, EarlierImage
from weighbridge.domain.policy.policy import (
    KEYS,
    LIMIT_KEYS,
    Amount,
    KeyPlace,
    LimitKey,
    Policy,
    limits_from,
)
from weighbridge.domain.text.strict_json import parse_json
from weighbridge.errors import DocumentError


class ServiceLimits(Struct, frozen=True):
    """What holds for an image, as the service says it.

    policies:  one for each key that somebody sets, under the name of who sets it
    waived:    limits that are not minded, and until when
    earlier:   what tags like this one have pointed to
    """

    policies: tuple[Policy, ...]
    waived: Mapping[LimitKey, datetime]
    earlier: Earlier


class _Item(Struct):
    key: object = None
    value: object = None
    policy: str | None = None
    waived_until: datetime | None = None


class _Image(Struct):
    platform: str
    digest: str
    compressed_bytes: Amount


class _LimitsAnswer(Struct):
    items: list[_Item]
    images: list[_Image]
    images_known: bool
    platforms: list[str]


def parse_service_limits(raw: bytes) -> ServiceLimits:
    """The answer of `GET /api/v1/limits`. Keys that we do not know are left out: a
    newer service may have more. Raises DocumentError."""
    try:
        answer = convert(parse_json(raw), _LimitsAnswer)
        policies = [_policy(item) for item in answer.items]
    except ValidationError as exc:
        raise DocumentError(
            f"what the service answers about limits cannot be read: {exc}",
            code="invalid_limits",
        ) from exc
    earlier: dict[str, list[EarlierImage]] = {}
    for image in answer.images:
        seen = EarlierImage(image.digest, image.compressed_bytes)
        earlier.setdefault(image.platform, []).append(seen)
    return ServiceLimits(
        policies=tuple(policy for policy in policies if policy is not None),
        waived={
            key: item.waived_until.replace(tzinfo=item.waived_until.tzinfo or UTC)
            for item in answer.items
            if item.waived_until is not None
            for key in LIMIT_KEYS
            if key == item.key
        },
        earlier=Earlier(
            earlier,
            is_known=answer.images_known,
            platforms=frozenset(answer.platforms),
            why="the service has not crawled this repository to its end yet",
        ),
    )


def _policy(item: _Item) -> Policy | None:
    """None for a key that no policy sets, or that says nothing of an image."""
    for key in KEYS:
        is_limit = key in LIMIT_KEYS or key == "min_growth"
        if key == item.key and is_limit and item.policy is not None:
            try:
                limits = limits_from({key: item.value})
            except ValidationError as exc:
                raise ValidationError(
                    f"the value of {key} is none that it has"
                ) from exc
            return Policy(item.policy, limits=limits, places={key: KeyPlace()})
    return None
