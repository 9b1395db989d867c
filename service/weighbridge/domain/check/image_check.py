"""A gate's answer: every limit held against the image of every platform, and what is
known of the images before it; and what a Weighbridge answers about the limits of one
image, read strictly."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Final, Literal, TypeAlias, get_args

from msgspec import Struct, ValidationError, convert, field

from weighbridge.domain.growth.cause import Cause, compare_images
from weighbridge.domain.growth.newest import baseline_of
from weighbridge.domain.image.platform import Platform, matches
from weighbridge.domain.policy.base_limits import CertainBase
from weighbridge.domain.policy.policy import (
    IMAGE_KEYS,
    KEYS,
    LIMIT_KEYS,
    TOLD_KEYS,
    Amount,
    Decided,
    Finding,
    KeyPlace,
    LimitKey,
    Limits,
    LimitState,
    Policy,
    PolicySet,
    limits_from,
    measured_image,
    verdict,
)
from weighbridge.domain.policy.quantity import (
    BASE_LIMITS,
    QUANTITIES,
    Quantity,
    unit_of,
)
from weighbridge.domain.size.weighing import WeighedImage, Weighing
from weighbridge.domain.text.strict_json import parse_json
from weighbridge.errors import DocumentError


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


Outcome: TypeAlias = Literal["pass", "warn", "unknown", "fail"]
"""The worst is the last. `unknown`: a size that a limit is about is not known."""

_BY_WEIGHT: Final[tuple[Outcome, ...]] = get_args(Outcome)
_OUTCOMES: Final[Mapping[LimitState, Outcome]] = {
    "kept": "pass",
    "maybe": "warn",
    "unknown": "unknown",
    "over": "fail",
}
NOT_JUDGED: Final = Finding("max_growth", "unknown", None, 0)
"""Growth, where the images before cannot be known."""


class Rules(Struct, frozen=True):
    """What an image is held against.

    decided:   each key with the policy that sets it
    waived:    limits that are not minded, and until when
    earlier:   the images before it
    bases:     by digest, what images stand on where that is certain
    """

    limits: Limits
    decided: tuple[Decided, ...]
    waived: Mapping[LimitKey, datetime] = field(default_factory=dict)
    earlier: Earlier = NOBODY_KNOWS
    bases: Mapping[str, CertainBase] = field(default_factory=dict)

    @property
    def keys(self) -> tuple[LimitKey, ...]:
        """The limits of an image that are set."""
        by_key = self.limits.by_key
        return tuple(
            key
            for key in IMAGE_KEYS
            if by_key[key] is not None and key not in TOLD_KEYS
        )

    def policy_of(self, key: LimitKey) -> Policy | None:
        """Who sets this limit."""
        return next((each.policy for each in self.decided if each.key == key), None)


class Held(Struct, frozen=True):
    """One limit held against one image.

    is_claimed:   whether it is kept by sizes that only a manifest claims
    policy:       who set it
    waived_until: when it is minded again, None: it is
    """

    finding: Finding
    outcome: Outcome
    policy: Policy | None
    waived_until: datetime | None
    is_claimed: bool = False

    @property
    def limit_amount(self) -> int | None:
        """None for growth of which nobody knows what to count it from."""
        return None if self.finding == NOT_JUDGED else self.finding.limit_amount


class CheckedImage(Struct, frozen=True):
    """One platform's image with every limit.

    before:   the same platform's image that it was compared with
    baseline_compressed_bytes: what its growth is counted from, None: not known
    base:     what it stands on, where that is certain
    """

    image: WeighedImage
    held: tuple[Held, ...]
    before: WeighedImage | None = None
    baseline_compressed_bytes: int | None = None
    base: CertainBase | None = None

    @property
    def outcome(self) -> Outcome:
        return worst(each.outcome for each in self.held)

    @property
    def quantities(self) -> tuple[Quantity, ...]:
        """What the limits count that are not kept, the worst first; compressed bytes
        where all of them are."""
        ordered = sorted(self.held, key=lambda each: -_BY_WEIGHT.index(each.outcome))
        keys = [e.finding.key for e in ordered if e.outcome != "pass"]
        found = [QUANTITIES[key] for key in keys if key not in BASE_LIMITS]
        return tuple(dict.fromkeys(found)) or ("compressed_bytes",)

    def cause(self, quantity: Quantity) -> Cause | None:
        """What changed since `before`, in this quantity; None without one."""
        if self.before is None:
            return None
        return compare_images(self.before, self.image, quantity)

    @property
    def grown_bytes(self) -> int | None:
        """Compressed, since the baseline; below 0 where it got lighter."""
        if self.baseline_compressed_bytes is None:
            return None
        return self.image.compressed_bytes - self.baseline_compressed_bytes


class ImageCheck(Struct, frozen=True):
    """One reference, checked.

    images:       in the order of the weighing
    not_weighed:  platforms that are listed and could not be read
    not_before:   platforms that `against` does not have
    missing:      platforms that only `against` has
    """

    weighing: Weighing
    against: Weighing | None
    rules: Rules
    images: tuple[CheckedImage, ...]
    not_weighed: tuple[Platform, ...] = ()
    not_before: tuple[Platform, ...] = ()
    missing: tuple[Platform, ...] = ()

    @property
    def outcome(self) -> Outcome:
        """A limit that is exceeded for sure decides, whatever else is unknown."""
        found = [image.outcome for image in self.images]
        if self.not_weighed or not found or not self.weighing.is_whole:
            found.append("unknown")
        return worst(found)

    @property
    def without_baseline(self) -> tuple[WeighedImage, ...]:
        """The images before which there are too few to limit growth, though there is a
        limit: that is known, and no fault of theirs."""
        if "max_growth" not in self.rules.keys or self.against is not None:
            return ()
        return tuple(
            checked.image
            for checked in self.images
            if checked.baseline_compressed_bytes is None
            and self.rules.earlier.knows(str(checked.image.platform))
        )


def worst(outcomes: Iterable[Outcome]) -> Outcome:
    """The worst of them, `pass` of none."""
    return max(outcomes, key=_BY_WEIGHT.index, default="pass")


def rules_of(policies: PolicySet, registry: str, repository: str, tag: str) -> Rules:
    """What these policies say of one image; tag: "" where there is none."""
    return Rules(
        limits=policies.limits_of(registry, repository, tag),
        decided=policies.explain(registry, repository, tag),
    )


def checked(
    weighing: Weighing,
    against: Weighing | None,
    rules: Rules,
    *,
    platform: Platform | None = None,
    allow_unknown: bool = False,
    allow_foreign: bool = False,
) -> ImageCheck:
    """Hold the rules against every image that was weighed.

    An image is compared with the same platform's image of `against`; without one its
    growth is counted from the rules' baseline.

    platform:      what was asked for, None for every platform
    allow_unknown: a size that is not known, or only claimed, is worth a warning only
    allow_foreign: of foreign layers that the registry does not hold, the claim counts
    """
    before = {image.platform: image for image in against.images} if against else {}
    shown = {image.platform for image in weighing.images}
    allowed = _Allowed(unknown=allow_unknown, foreign=allow_foreign)
    images = tuple(
        _checked_image(
            image,
            before.get(image.platform),
            rules,
            allowed,
            has_against=against is not None,
        )
        for image in weighing.images
    )
    return ImageCheck(
        weighing=weighing,
        against=against,
        rules=rules,
        images=images,
        not_weighed=tuple(
            listed
            for listed in weighing.platforms
            if listed not in shown and (platform is None or matches(listed, platform))
        ),
        not_before=tuple(sorted(shown - before.keys())) if against else (),
        missing=tuple(sorted(before.keys() - {*weighing.platforms, *shown})),
    )


class _Allowed(Struct, frozen=True):
    """What is minded less: see `checked`."""

    unknown: bool
    foreign: bool

    def claims(self, image: WeighedImage | None) -> bool:
        """Whether sizes of this image rest on nothing but its manifest."""
        return image is not None and any(
            layer.compressed_confidence == "claimed"
            and not (self.foreign and layer.claim_reason == "foreign")
            for layer in image.layers
        )


def _checked_image(
    image: WeighedImage,
    before: WeighedImage | None,
    rules: Rules,
    allowed: _Allowed,
    *,
    has_against: bool,
) -> CheckedImage:
    platform = str(image.platform)
    if before is None:
        baseline = rules.earlier.baseline(platform, image.digest)
    else:
        baseline = before.compressed_bytes
    base = rules.bases.get(image.digest)
    found = verdict(rules.limits, measured_image(image, baseline, base))
    findings = tuple(each for each in found if each.key not in TOLD_KEYS)
    claims = allowed.claims(image), allowed.claims(before)
    is_judged = baseline is not None or has_against or rules.earlier.knows(platform)
    if "max_growth" in rules.keys and not is_judged:
        findings = (*findings, NOT_JUDGED)
    return CheckedImage(
        image=image,
        held=tuple(
            _held(finding, rules, allowed, is_claimed=_rests_on_claims(finding, claims))
            for finding in findings
        ),
        before=before,
        baseline_compressed_bytes=baseline,
        base=base,
    )


def _rests_on_claims(finding: Finding, claims: tuple[bool, bool]) -> bool:
    """Whether it is kept only if manifests are honest: the image's, or, for growth,
    that of the image before it. A limit that is exceeded by claims is exceeded."""
    is_of_bytes = unit_of(finding.key) == "bytes"
    if not is_of_bytes or finding.keeping == "over":
        return False
    of_image, of_before = claims
    return of_image or (finding.key == "max_growth" and of_before)


def _held(
    finding: Finding, rules: Rules, allowed: _Allowed, *, is_claimed: bool
) -> Held:
    waived_until = rules.waived.get(finding.key)
    outcome = worst([_OUTCOMES[finding.keeping], "unknown" if is_claimed else "pass"])
    is_minded = waived_until is None and not (outcome == "unknown" and allowed.unknown)
    if not is_minded:
        outcome = min(outcome, "warn", key=_BY_WEIGHT.index)
    policy = rules.policy_of(finding.key)
    return Held(finding, outcome, policy, waived_until, is_claimed)


def by_outcome(images: Iterable[CheckedImage]) -> list[CheckedImage]:
    """The worst first; else in their order."""
    return sorted(images, key=lambda each: -_BY_WEIGHT.index(each.outcome))


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
