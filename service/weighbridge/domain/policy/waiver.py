"""Waivers: violations that are accepted for a while, with a reason; and what one is
asked for, as a person writes it."""

import re
from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Final, Literal, TypeAlias

from msgspec import Struct

from weighbridge.domain import limits
from weighbridge.domain.image.reference import without_login
from weighbridge.domain.policy.policy import LIMIT_KEYS, LimitKey, Match, is_matched
from weighbridge.domain.text.globs import PatternIndex, fits
from weighbridge.domain.text.printable import printable
from weighbridge.domain.text.units import parse_duration
from weighbridge.errors import UsageError

WaiverState: TypeAlias = Literal["active", "expired", "revoked"]


class NewWaiver(Struct, frozen=True):
    """What is to be waived. The names are patterns, as those of a policy are.

    limit_key:  of this limit only, None for every limit
    author:     `cli:USER`, or the name of a token
    expires_at: aware; from then on it says nothing
    """

    registry: str
    repository: str
    tag: str
    limit_key: LimitKey | None
    reason: str
    author: str
    expires_at: datetime

    def __str__(self) -> str:
        return waived_name(self.registry, self.repository, self.tag)


class Waiver(Struct, frozen=True):
    """A waiver as it is kept; it is never changed, but it may be revoked."""

    id: int
    registry: str
    repository: str
    tag: str
    limit_key: LimitKey | None
    reason: str
    author: str
    created_at: datetime
    expires_at: datetime
    revoked_at: datetime | None = None
    revoked_by: str | None = None

    @property
    def match(self) -> Match:
        return Match(self.registry, self.repository, self.tag)

    def __str__(self) -> str:
        return waived_name(self.registry, self.repository, self.tag)

    def state(self, now: datetime) -> WaiverState:
        if self.revoked_at is not None:
            return "revoked"
        return "expired" if self.expires_at <= now else "active"


def waived_name(registry: str, repository: str, tag: str) -> str:
    """`hub/acme/*`, or `hub/acme/app:1.*` where not every tag is meant."""
    name = f"{registry}/{repository}"
    return name if tag == "*" else f"{name}:{tag}"


class ActiveWaivers:
    """The waivers that are in force, asked for every repository at once."""

    def __init__(self, waivers: Iterable[Waiver] = ()) -> None:
        self.waivers: Final[Sequence[Waiver]] = tuple(waivers)
        self._index = PatternIndex(waiver.repository for waiver in self.waivers)

    def at(self, now: datetime) -> "ActiveWaivers":
        """Those of them that are still in force; the same object if all are."""
        left = [waiver for waiver in self.waivers if waiver.state(now) == "active"]
        return self if len(left) == len(self.waivers) else ActiveWaivers(left)

    def find(
        self,
        registry: str,
        repository: str,
        tag: str,
        limit_key: LimitKey,
        now: datetime,
    ) -> Waiver | None:
        """What waives this limit there; of several the one that holds longest.

        tag: "" for a limit of the repository, which only a waiver for all tags waives
        """
        # Asked of everything that is over: mostly nothing is about it.
        if not (candidates := self._candidates(repository)):
            return None
        found = [
            waiver
            for waiver in candidates
            if waiver.limit_key in (None, limit_key)
            and waiver.state(now) == "active"
            and is_matched(waiver.match, registry, repository, tag)
        ]
        return max(found, key=lambda w: (w.expires_at, -w.id), default=None)

    def may_cover(self, repository: str) -> bool:
        """Whether any of them is about this repository, whatever its registry."""
        return bool(self.waivers and self._candidates(repository))

    def _candidates(self, repository: str) -> list[Waiver]:
        """Those that are about this repository."""
        found = [self.waivers[n] for n in self._index.candidates(repository)]
        return [waiver for waiver in found if fits(waiver.repository, repository)]


NO_WAIVERS: Final = ActiveWaivers()


REASON_CHARACTERS: Final = 500
LONGEST: Final = timedelta(days=3660)
"""No waiver holds longer: it would be a policy."""

_REGISTRY: Final = re.compile(r"[A-Za-z0-9._:*\[\]-]+", re.ASCII)
_REPOSITORY: Final = re.compile(r"[a-z0-9._/*-]+", re.ASCII)
_TAG: Final = re.compile(r"[A-Za-z0-9_.*-]+", re.ASCII)
_DATE: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", re.ASCII)
# RFC 3339 5.6; a space for the T is allowed by its note.
_MOMENT: Final = re.compile(
    rf"{_DATE.pattern}[Tt ][0-9]{{2}}:[0-9]{{2}}:[0-9]{{2}}(?:\.[0-9]{{1,9}})?"
    r"(?:[Zz]|[+-][0-9]{2}:[0-9]{2})",
    re.ASCII,
)
_EXAMPLE: Final = "write it like hub/acme/app, hub/acme/*, or hub/acme/app:1.*"


def parse_target(text: str) -> Match:
    """`registry/repository[:tag]`, in each part of which `*` stands for any text.
    Every tag where none is written. Raises UsageError(invalid_waiver)."""
    registry, slash, rest = text.partition("/")
    path, has_path, last = rest.rpartition("/")
    name, has_tag, tag = last.partition(":")
    if not slash:
        shown = printable(without_login(text), 80)
        raise refused(f"{shown!r} names no repository", _EXAMPLE)
    if "@" in text:
        raise refused("a waiver is about tags, and takes no digest", _EXAMPLE)
    return checked_target(registry, f"{path}{has_path}{name}", tag if has_tag else "*")


def checked_target(registry: str, repository: str, tag: str = "*") -> Match:
    """The same of its parts."""
    for text, allowed, what in (
        (registry, _REGISTRY, "registry"),
        (repository, _REPOSITORY, "repository"),
        (tag, _TAG, "tag"),
    ):
        is_long = len(text) > limits.REPOSITORY_NAME_CHARACTERS
        if is_long or not allowed.fullmatch(text):
            raise refused(
                f"{printable(text, 80)!r} is no name or pattern of a {what}", _EXAMPLE
            )
    return Match(registry, repository, tag)


def checked_limit(text: str) -> LimitKey:
    """The limit of this name. Raises UsageError(invalid_waiver)."""
    for key in LIMIT_KEYS:
        if key == text:
            return key
    raise refused(
        f"{printable(text, 40)!r} is no limit", f"there are {', '.join(LIMIT_KEYS)}"
    )


def checked_reason(text: str) -> str:
    """The reason, on one line. Raises UsageError(invalid_waiver)."""
    reason = printable(text.strip())
    if not reason or len(reason) > REASON_CHARACTERS:
        raise refused(
            f"a waiver needs a reason of 1 to {REASON_CHARACTERS} characters",
            "say why it is accepted, for the next person who reads it",
        )
    return reason


def parse_until(text: str, now: datetime) -> datetime:
    """The end of a day (`2026-12-31`), a moment with its zone (RFC 3339), or a time
    from now on (`30d`); in UTC.

    Raises UsageError(invalid_waiver).
    """
    moment = _find_moment(text)
    if moment is not None:
        return checked_until(moment, now)
    try:
        seconds = parse_duration(text)
    except UsageError as exc:
        raise refused(
            f"{printable(text, 40)!r} is neither a day, a moment nor a duration",
            "write 2026-12-31, 2026-12-31T12:00:00Z (with its zone), or 30d",
        ) from exc
    # Compared first: what is added to a date may be more than it can hold.
    return checked_until(now + min(timedelta(seconds=seconds), 2 * LONGEST), now)


def parse_moment(text: str, now: datetime) -> datetime:
    """The end of a day, or a moment with its zone (RFC 3339); in UTC.

    Raises UsageError(invalid_waiver).
    """
    moment = _find_moment(text)
    if moment is None:
        raise refused(
            f"{printable(text, 40)!r} is neither a day nor a moment",
            "write 2026-12-31, or 2026-12-31T12:00:00Z (with its zone)",
        )
    return checked_until(moment, now)


def checked_until(moment: datetime, now: datetime) -> datetime:
    """Raises UsageError(invalid_waiver) for what is over, or too far away."""
    if moment <= now:
        raise refused("a waiver has to end in the future", "take a later day")
    if moment - now > LONGEST:
        raise _too_far()
    return moment


def refused(message: str, hint: str) -> UsageError:
    return UsageError(message, code="invalid_waiver", hint=hint)


def _find_moment(text: str) -> datetime | None:
    """None: it is written as neither, or there is no such day or hour."""
    try:
        if _DATE.fullmatch(text):
            return _end_of(text)
        if _MOMENT.fullmatch(text):
            return datetime.fromisoformat(text.upper()).astimezone(UTC)
    except ValueError:
        return None
    except OverflowError as exc:
        raise _too_far() from exc
    return None


def _end_of(day: str) -> datetime:
    """The first moment of the next day: the day itself is waived to its end."""
    first = date.fromisoformat(day) + timedelta(days=1)
    return datetime(first.year, first.month, first.day, tzinfo=UTC)


def _too_far() -> UsageError:
    return refused(
        f"a waiver holds {LONGEST.days} days at most", "what is to stay is a policy"
    )
