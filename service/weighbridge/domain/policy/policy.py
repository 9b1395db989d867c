"""Policies: which limits hold for which images, and whose images these are; one alone,
and all of them, asked for a hundred thousand repositories at once; and the verdict on
one image, limit by limit."""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from typing import Annotated, Final, Literal, TypeAlias, get_args

from msgspec import Meta, Struct, convert, field
from msgspec.structs import astuple

from weighbridge.domain.policy.base_limits import CertainBase, allows
from weighbridge.domain.size.weighing import WeighedImage
from weighbridge.domain.text.globs import PatternIndex, fits

Severity: TypeAlias = Literal["critical", "warning", "info"]
LimitKey: TypeAlias = Literal[
    "max_compressed",
    "max_uncompressed",
    "max_growth",
    "max_layers",
    "max_layer_compressed",
    "allowed_bases",
    "max_base_age",
    "notify_base_moved",
    "max_deduplicated",
]
"""The keys that set a limit; `max_deduplicated` is one of a repository."""
PolicyKey: TypeAlias = Literal[
    "team",
    "max_compressed",
    "max_uncompressed",
    "max_growth",
    "min_growth",
    "max_layers",
    "max_layer_compressed",
    "allowed_bases",
    "max_base_age",
    "notify_base_moved",
    "max_deduplicated",
    "severity",
]
"""What a policy may say of the images that it matches."""
Value: TypeAlias = str | int | float | tuple[str, ...] | None
Amount: TypeAlias = Annotated[int, Meta(ge=0, le=2**63 - 1)]
"""Bytes, seconds, or a number of layers."""

KEYS: Final[tuple[PolicyKey, ...]] = get_args(PolicyKey)
LIMIT_KEYS: Final[tuple[LimitKey, ...]] = get_args(LimitKey)
IMAGE_KEYS: Final = tuple(key for key in LIMIT_KEYS if key != "max_deduplicated")
"""Limits of an image."""
TOLD_KEYS: Final[frozenset[LimitKey]] = frozenset({"notify_base_moved"})
"""No limits of an image's own: something else has happened, and whoever builds it is to
know. No gate asks for them."""
BASE_KEYS: Final[tuple[LimitKey, ...]] = (
    "allowed_bases",
    "max_base_age",
    "notify_base_moved",
)
"""Limits on what an image stands on."""
STANDING: Final[tuple[LimitKey, ...]] = (
    "max_compressed",
    "max_uncompressed",
    "max_layers",
    "max_layer_compressed",
    "allowed_bases",
    "max_base_age",
)
"""Limits that a tag stands over as long as it is there; growth is a push's."""
DEFAULT_SEVERITY: Final = "warning"
COMMAND_LINE: Final = "command line"
"""Who sets the limits that are options."""


class Match(Struct, frozen=True):
    """Patterns of names; `*` stands for any text, slashes included."""

    registry: str = "*"
    repository: str = "*"
    tag: str = "*"


class Limits(Struct, frozen=True):
    """What holds for an image; None: there is no such limit, no such team.

    max_growth:       of compressed bytes against the baseline; 0.25 is a quarter
    min_growth_bytes: growth below it is never too much
    max_layers:       layers of one image
    max_layer_compressed_bytes: of each of its layers
    allowed_bases:    patterns of references of bases, see `domain.policy.base_limits`
    max_base_age_s:   so long after its base was replaced an image may stand on it
    notify_base_moved: whether somebody is to know once its base was replaced
    max_deduplicated_bytes: of the whole repository, not of an image
    """

    team: str | None = None
    max_compressed_bytes: Amount | None = None
    max_uncompressed_bytes: Amount | None = None
    max_growth: Annotated[float, Meta(ge=0, le=1_000_000)] | None = None
    min_growth_bytes: Amount | None = None
    max_layers: Amount | None = None
    max_layer_compressed_bytes: Amount | None = None
    allowed_bases: tuple[str, ...] | None = None
    max_base_age_s: Amount | None = None
    notify_base_moved: bool | None = None
    max_deduplicated_bytes: Amount | None = None
    severity: Severity = DEFAULT_SEVERITY

    @property
    def by_key(self) -> Mapping[PolicyKey, Value]:
        """The values under the keys of the configuration."""
        return dict(zip(KEYS, astuple(self), strict=True))


def limits_from(values: Mapping[PolicyKey, object]) -> Limits:
    """The limits of these keys. Raises msgspec.ValidationError for a value that is none
    of its key's."""
    fields = zip(KEYS, Limits.__struct_fields__, strict=True)
    return convert({f: values[key] for key, f in fields if key in values}, Limits)


NO_LIMITS: Final = Limits()


class KeyPlace(Struct, frozen=True):
    """Where a key was written; a policy that is built in has no file."""

    file: str = ""
    line: int = 0

    def __str__(self) -> str:
        return f"{self.file}:{self.line}" if self.file else "built in"


class Policy(Struct, frozen=True):
    """Limits of the images that it matches.

    places: the keys that it sets, with where each stands. A key that is set to
            None says that there is no such limit, and no later policy is asked
    """

    name: str
    match: Match = field(default_factory=Match)
    limits: Limits = NO_LIMITS
    places: Mapping[PolicyKey, KeyPlace] = field(default_factory=dict)


class Decided(Struct, frozen=True):
    """One key with the policy that decides it; None: no policy sets it."""

    key: PolicyKey
    value: Value
    policy: Policy | None

    @property
    def place(self) -> KeyPlace | None:
        """Where the key was written."""
        return None if self.policy is None else self.policy.places[self.key]


DEFAULT_POLICY: Final = Policy(
    "default",
    limits=Limits(max_growth=0.25, min_growth_bytes=50_000_000),
    places={
        "max_growth": KeyPlace(),
        "min_growth": KeyPlace(),
        "severity": KeyPlace(),
    },
)
"""What holds where nothing was written. Of 114,012 recorded updates of Docker official
images (2016 to 2018) 411, or 0.36 %, grew by more than both."""


def is_matched(match: Match, registry: str, repository: str, tag: str) -> bool:
    """Whether all three patterns fit; tag: "" where there is none."""
    return fits_repository(match, registry, repository) and _fits(match.tag, tag)


def fits_repository(match: Match, registry: str, repository: str) -> bool:
    """Whether it is about any tag of a repository."""
    return _fits(match.repository, repository) and _fits(match.registry, registry)


def _fits(pattern: str, name: str) -> bool:
    # Most patterns are a star, and a snapshot asks about every repository.
    return pattern == "*" or fits(pattern, name)


def decide(matching: Sequence[Policy]) -> tuple[Decided, ...]:
    """Every key with its value: the first policy that sets a key wins, key by key.

    matching: the policies that match an image, in their order
    """
    return tuple(_decided(key, matching) for key in KEYS)


def limits_of(matching: Sequence[Policy]) -> Limits:
    """The same as one value."""
    return limits_from({each.key: each.value for each in decide(matching)})


def _decided(key: PolicyKey, matching: Sequence[Policy]) -> Decided:
    policy = next((policy for policy in matching if key in policy.places), None)
    limits = NO_LIMITS if policy is None else policy.limits
    return Decided(key, limits.by_key[key], policy)


_KEPT: Final = 10_000
"""Different sets of matching policies whose limits are remembered."""


class PolicySet:
    """The policies in force. It never changes: a reload makes another one.

    A policy is only tried where its pattern may fit, so that three hundred teams'
    policies cost as much as those few that can.
    """

    def __init__(self, policies: Iterable[Policy] = ()) -> None:
        self.policies: Final[Sequence[Policy]] = tuple(policies)
        self._index = PatternIndex(policy.match.repository for policy in self.policies)
        self._limits: dict[tuple[int, ...], Limits] = {}
        self._marks: dict[tuple[int, ...], str] = {}

    def limits_of(self, registry: str, repository: str, tag: str) -> Limits:
        """What holds for an image; tag: "" where there is none."""
        numbers = self._matching(registry, repository, tag)
        found = self._limits.get(numbers)
        if found is None:
            if len(self._limits) >= _KEPT:
                self._limits.clear()
            found = limits_of([self.policies[number] for number in numbers])
            self._limits[numbers] = found
        return found

    def has_any(self, registry: str, repository: str) -> bool:
        """Whether any of them is about a tag of this repository."""
        return any(
            fits_repository(self.policies[number].match, registry, repository)
            for number in self._index.candidates(repository)
        )

    def mark_of(self, registry: str, repository: str) -> str:
        """A text that is another one wherever a repository's tags may stand over other
        limits; "" where none of them has a limit of that kind."""
        numbers = tuple(
            number
            for number in self._index.candidates(repository)
            if fits_repository(self.policies[number].match, registry, repository)
        )
        found = self._marks.get(numbers)
        if found is None:
            found = _mark([self.policies[number] for number in numbers])
            self._marks[numbers] = found
        return found

    def explain(self, registry: str, repository: str, tag: str) -> tuple[Decided, ...]:
        """The same, key by key, each with the policy that decided."""
        numbers = self._matching(registry, repository, tag)
        return decide([self.policies[number] for number in numbers])

    @cached_property
    def teams(self) -> frozenset[str]:
        """Those to which `team_of` may ever give a repository."""
        said = {p.limits.team for p in self.policies if p.match.tag == "*"}
        return frozenset(team for team in said if team is not None)

    def team_of(self, registry: str, repository: str) -> str | None:
        """Whose a whole repository is, None where no policy says it: what the first
        policy that sets `team` says of it, of those that hold whatever a tag is called.
        A tag's name is its pusher's choice, so no pattern of tags hands a repository to
        anybody."""
        for number in self._index.candidates(repository):
            policy = self.policies[number]
            if (
                "team" in policy.places
                and policy.match.tag == "*"
                and fits_repository(policy.match, registry, repository)
            ):
                return policy.limits.team
        return None

    def _matching(self, registry: str, repository: str, tag: str) -> tuple[int, ...]:
        """The numbers of the policies that match, in their order."""
        return tuple(
            number
            for number in self._index.candidates(repository)
            if is_matched(self.policies[number].match, registry, repository, tag)
        )


def _mark(policies: Sequence[Policy]) -> str:
    if not any(policy.limits.by_key[key] for policy in policies for key in STANDING):
        return ""
    said = [(p.name, p.match.tag, p.limits, sorted(p.places)) for p in policies]
    return hashlib.sha256(repr(said).encode("utf-8", "surrogatepass")).hexdigest()[:32]


NO_POLICIES: Final = PolicySet()
"""Nothing has a limit."""
DEFAULT_POLICIES: Final = PolicySet([DEFAULT_POLICY])


def policy_set(policies: Sequence[Policy]) -> PolicySet:
    """These policies; the default one where there are none."""
    return PolicySet(policies) if policies else DEFAULT_POLICIES


LimitState: TypeAlias = Literal["kept", "over", "maybe", "unknown"]
"""`maybe`: an estimate whose low bound keeps it and whose high bound does not;
`unknown`: nothing is known that could be compared."""


class LimitedNumbers(Struct, frozen=True):
    """The numbers of an image, or of a repository, that limits are about. None: it is
    not known, or not of this.

    uncompressed_low_bytes, uncompressed_high_bytes: bounds of an estimate; the value
        itself where it is sure. high None: it has no bound
    baseline_compressed_bytes: what images before it weighed, None below three
    base: what it stands on, as far as that is certain
    """

    compressed_bytes: int | None = None
    uncompressed_bytes: int | None = None
    uncompressed_low_bytes: int | None = None
    uncompressed_high_bytes: int | None = None
    layers: int | None = None
    largest_layer_compressed_bytes: int | None = None
    baseline_compressed_bytes: int | None = None
    deduplicated_bytes: int | None = None
    base: CertainBase | None = None


class Finding(Struct, frozen=True):
    """One limit held against one number.

    amount:       in the limit's unit (`quantity.unit_of`); None where it is not known.
                  Of an estimate its low bound, where that is over the limit
    limit_amount: the same of the limit. Of `max_growth` the most compressed bytes that
                  the image might have
    """

    key: LimitKey
    keeping: LimitState
    amount: int | None
    limit_amount: int

    @property
    def excess(self) -> int:
        """How much it is over the limit; 0 where it is not."""
        return max((self.amount or 0) - self.limit_amount, 0)


def measured_image(
    image: WeighedImage,
    baseline: int | None = None,
    base: CertainBase | None = None,
) -> LimitedNumbers:
    """The numbers of a weighed image."""
    size = image.uncompressed
    return LimitedNumbers(
        compressed_bytes=image.compressed_bytes,
        uncompressed_bytes=size.uncompressed_bytes,
        uncompressed_low_bytes=size.low_bytes,
        uncompressed_high_bytes=size.high_bytes,
        layers=len(image.layers),
        largest_layer_compressed_bytes=max(
            (layer.compressed_bytes for layer in image.layers), default=0
        ),
        baseline_compressed_bytes=baseline,
        base=base,
    )


def verdict(limits: Limits, measured: LimitedNumbers) -> tuple[Finding, ...]:
    """A finding for each limit that is set, in the order of `LIMIT_KEYS`. Growth
    without a baseline and `max_deduplicated` of an image are left out: these limits
    say nothing of it."""
    found = (
        _most("max_compressed", measured.compressed_bytes, limits.max_compressed_bytes),
        _uncompressed(limits, measured),
        _growth(limits, measured),
        _most("max_layers", measured.layers, limits.max_layers),
        _most(
            "max_layer_compressed",
            measured.largest_layer_compressed_bytes,
            limits.max_layer_compressed_bytes,
        ),
        _allowed(limits, measured),
        _most(
            "max_base_age",
            None if measured.base is None else measured.base.replaced_for_s,
            limits.max_base_age_s,
        ),
        _most(
            "notify_base_moved",
            None if measured.base is None else measured.base.replaced_for_s,
            0 if limits.notify_base_moved else None,
        ),
        _of_repository(limits, measured),
    )
    return tuple(finding for finding in found if finding is not None)


def limits_images(limits: Limits) -> bool:
    """Whether any of them is about an image."""
    values = limits.by_key
    return any(values[key] is not None for key in IMAGE_KEYS)


def limits_base(limits: Limits) -> bool:
    """Whether any of them is about what an image stands on."""
    values = limits.by_key
    return any(values[key] is not None for key in BASE_KEYS)


def is_exceeded(findings: Sequence[Finding]) -> bool:
    """Whether any limit is."""
    return any(finding.keeping == "over" for finding in findings)


def _most(key: LimitKey, amount: int | None, limit: int | None) -> Finding | None:
    if limit is None:
        return None
    if amount is None:
        return Finding(key, "unknown", None, limit)
    return Finding(key, _kept(amount, limit), amount, limit)


def _kept(amount: int, limit: int) -> LimitState:
    """An image of exactly its limit is not over it."""
    return "over" if amount > limit else "kept"


def _uncompressed(limits: Limits, measured: LimitedNumbers) -> Finding | None:
    limit = limits.max_uncompressed_bytes
    if limit is None:
        return None
    value = measured.uncompressed_bytes
    low = measured.uncompressed_low_bytes
    high = measured.uncompressed_high_bytes
    low = value if low is None else low
    if low is not None and low > limit:
        return Finding(
            "max_uncompressed", "over", low if value is None else value, limit
        )
    if value is None:
        return Finding("max_uncompressed", "unknown", None, limit)
    if high is not None and high > limit:
        return Finding("max_uncompressed", "maybe", value, limit)
    return Finding("max_uncompressed", _kept(value, limit), value, limit)


def _growth(limits: Limits, measured: LimitedNumbers) -> Finding | None:
    baseline = measured.baseline_compressed_bytes
    share = limits.max_growth
    if share is None or baseline is None or measured.compressed_bytes is None:
        return None
    least = limits.min_growth_bytes or 0
    most_growth = max(int(baseline * share), least)
    grown = measured.compressed_bytes - baseline
    # `max_growth` is exceeded above it, `min_growth` is reached at it.
    is_over = grown > int(baseline * share) and grown >= least and grown > 0
    return Finding(
        "max_growth",
        "over" if is_over else "kept",
        measured.compressed_bytes,
        baseline + most_growth,
    )


def _allowed(limits: Limits, measured: LimitedNumbers) -> Finding | None:
    """No base that is not allowed is allowed."""
    if limits.allowed_bases is None:
        return None
    if measured.base is None:
        return Finding("allowed_bases", "unknown", None, 0)
    is_allowed = allows(limits.allowed_bases, measured.base)
    return _most("allowed_bases", 0 if is_allowed else 1, 0)


def _of_repository(limits: Limits, measured: LimitedNumbers) -> Finding | None:
    if measured.deduplicated_bytes is None:
        return None
    return _most(
        "max_deduplicated", measured.deduplicated_bytes, limits.max_deduplicated_bytes
    )
