"""What is told of one violation, before any medium has rendered it; who is told, what
is told together, and when: the first message at once, the rest gathered.

Routes lead from violations to channels. Two kinds of groups. One of a *route* holds
what has the same `group_by` values; one of a *cause* holds what has the same cause,
whoever's images these are: one base that changed behind fifty repositories is told
twice at most, once for the first of them and once for all others.

And a pace: a channel has so many new messages a minute, and what is due beyond that is
gathered into one once there is room again, whatever its groups are.
"""

import hashlib
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Final, Literal, TypeAlias, get_args
from urllib.parse import urlencode

from msgspec import Struct, field
from msgspec.structs import replace

from weighbridge.domain.growth.cause import Cause
from weighbridge.domain.image.digest import Digest
from weighbridge.domain.policy.policy import LimitKey, Severity
from weighbridge.domain.size.confidence import CompressedConfidence
from weighbridge.domain.text.globs import fits

NotificationEvent: TypeAlias = Literal["opened", "resolved"]


class SlimmerBase(Struct, frozen=True):
    """The variant of an image's base that would save it most, as it was last counted;
    names as people write them in FROM, bytes compressed."""

    base: str
    variant: str
    saved_bytes: int


class ViolationNotice(Struct, frozen=True):
    """One violation that was opened, or came to its end. Texts are a stranger's: each
    medium escapes them its own way.

    tag, digest, platform: of the image that did it, and of an end the image that is
        within; "" and None for a repository's
    amount, limit_amount: bytes, or layers for `max_layers`
    closed_by: `pushed`, `gone` or `policy`; None while it is open
    before_compressed_bytes: what the stream's image before it weighed
    compressed_confidence: whose word its compressed bytes are
    base: what it stands on, where the limit is about that
    slimmer: None where no lighter variant of its base is known, and of an end
    url: the page about it, None without `web.external_url`
    """

    violation_id: int
    event: NotificationEvent
    registry: str
    repository: str
    tag: str
    digest: Digest | None
    platform: str
    policy: str
    team: str | None
    severity: Severity
    limit_key: LimitKey
    limit_amount: int
    amount: int
    baseline_compressed_bytes: int | None
    before_compressed_bytes: int | None
    compressed_bytes: int | None
    uncompressed_bytes: int | None
    cause: Cause | None
    opened_at: datetime
    closed_at: datetime | None
    closed_by: str | None
    url: str | None
    compressed_confidence: CompressedConfidence | None = None
    base: str | None = None
    slimmer: SlimmerBase | None = None


class Message(Struct, frozen=True):
    """What one receiver is sent at once: everything of one group that waits.

    key:        the receiver's dedupe key: the same whenever this message is sent again
    group:      what the items have in common, for a headline; "" for nothing
    items:      the heaviest first; at most as many as a message can hold
    more:       items beyond these
    """

    key: str
    group: str
    items: tuple[ViolationNotice, ...]
    more: int
    sent_at: datetime
    is_test: bool = False


def with_link(notice: ViolationNotice, external_url: str | None) -> ViolationNotice:
    """With the page about its image, or about its repository where no image is meant.
    Without one where nobody said how pages are reached."""
    if external_url is None:
        return notice
    return replace(notice, url=f"{external_url.rstrip('/')}{_path(notice)}")


def _path(notice: ViolationNotice) -> str:
    name = f"{notice.registry}/{notice.repository}"
    if not notice.tag:
        return f"/repository?{urlencode({'ref': name})}"
    state = {"ref": f"{name}:{notice.tag}"}
    if notice.platform:
        state["platform"] = notice.platform
    return f"/image?{urlencode(state)}"


GroupBy: TypeAlias = Literal["severity", "team", "registry", "repository", "policy"]
"""What the violations of one message may have in common."""
GROUP_BY: Final[tuple[GroupBy, ...]] = get_args(GroupBy)

DEFAULT_GROUP_BY: Final[tuple[GroupBy, ...]] = ("registry", "repository")
DEFAULT_GROUP_WAIT_S: Final = 0
DEFAULT_GROUP_INTERVAL_S: Final = 5 * 60
DEFAULT_REPEAT_S: Final = 7 * 24 * 3600


class Routed(Struct, frozen=True):
    """What routes look at in a violation."""

    severity: Severity
    team: str | None
    registry: str
    repository: str
    policy: str


class RouteMatch(Struct, frozen=True):
    """Patterns, in which `*` stands for any text, slashes included.

    severities: any of them; () for all
    team:       a violation without a team is matched by `*` alone
    """

    severities: tuple[Severity, ...] = ()
    team: str = "*"
    registry: str = "*"
    repository: str = "*"
    policy: str = "*"


class Route(Struct, frozen=True):
    """Where violations go, and how they are gathered.

    group_by:         those that have these in common are told in one message
    group_wait_s:     before the first message of a group
    group_interval_s: between two messages of a group
    repeat_s:         for as long a group that goes on is not told again
    """

    channel: str
    match: RouteMatch = field(default_factory=RouteMatch)
    group_by: tuple[GroupBy, ...] = DEFAULT_GROUP_BY
    group_wait_s: int = DEFAULT_GROUP_WAIT_S
    group_interval_s: int = DEFAULT_GROUP_INTERVAL_S
    repeat_s: int = DEFAULT_REPEAT_S


def routes_for(
    routes: Iterable[Route], routed: Routed | ViolationNotice
) -> tuple[Route, ...]:
    """The routes that a violation takes: at most one a channel, the first that
    matches, so that nobody is told twice."""
    taken: dict[str, Route] = {}
    for route in routes:
        if route.channel not in taken and is_routed(route.match, routed):
            taken[route.channel] = route
    return tuple(taken.values())


def is_routed(match: RouteMatch, routed: Routed | ViolationNotice) -> bool:
    """Whether everything fits."""
    return (
        (not match.severities or routed.severity in match.severities)
        and (match.team == "*" or routed.team is not None)
        and fits(match.team, routed.team or "")
        and fits(match.registry, routed.registry)
        and fits(match.repository, routed.repository)
        and fits(match.policy, routed.policy)
    )


def group_values(route: Route, routed: Routed) -> tuple[str, ...]:
    """What the violations of one group have in common, in the order of `group_by`; ""
    for no team."""
    return tuple(getattr(routed, key) or "" for key in route.group_by)


CAUSE_WITHIN: Final = timedelta(days=30)
"""What has the same cause belongs together for so long."""
AHEAD: Final = timedelta(hours=1)
"""What was told later than that from now was told by a clock that was ahead, and nobody
knows when: it counts as not told. A crawl may take long between two reads."""
LONGEST_GATHERING: Final = timedelta(hours=24)
"""A gathered message goes out by then, however many more come in."""
GIVEN_UP_AFTER: Final = timedelta(hours=24)
"""A message that could not be handed over for so long is not tried again."""
MESSAGES_A_MINUTE: Final = 10
"""New ones on one channel; a try again is none."""
PACE_OVER: Final = timedelta(minutes=1)
FIRST_PAUSE: Final = timedelta(seconds=1)
LONGEST_PAUSE: Final = timedelta(minutes=15)

SHARE_CAUSE: Final[frozenset[LimitKey]] = frozenset(
    ("max_compressed", "max_uncompressed", "max_growth", "max_layer_compressed")
)
"""Limits on weight: what made an image too heavy may have made others so too."""


class GroupState(Struct, frozen=True):
    """What a group has told, and what waits in it.

    next_at:      when its next message is due; None: nothing waits
    last_sent_at: of its last message
    messages:     that told of something opened; of a cause's group, since it began
    is_tried:     a message is on its way, or could not be handed over
    """

    next_at: datetime | None = None
    last_sent_at: datetime | None = None
    messages: int = 0
    is_tried: bool = False


class GroupDue(Struct, frozen=True):
    """When a group's next message is due, now that one more waits in it.

    begins_anew: of a cause's group: what it told before was of another time
    """

    next_at: datetime
    begins_anew: bool = False


def route_group(route: Route, routed: Routed) -> bytes:
    """The key of all that has the same `group_by` values on a route's channel."""
    values = zip(route.group_by, group_values(route, routed), strict=True)
    return _key("route", route.channel, *(part for pair in values for part in pair))


BASE_WAIT_S: Final = 10 * 60
"""Of the images on a base that was replaced one is found after the other."""
BASE_INTERVAL_S: Final = 6 * 3600
"""What is found later is told together."""


def base_group(channel: str, base: str, replaced_on: str, team: str | None) -> bytes:
    """The key of all of a team's images on one base that was replaced.

    replaced_on: the day
    """
    return _key("base", channel, base, replaced_on, team or "")


def about_base(base: str, team: str | None) -> str:
    """What such a group has in common, for a headline."""
    return f"base {base}, team {team}" if team else f"base {base}"


def cause_group(channel: str, cause_key: bytes) -> bytes:
    """The key of all that has the same cause on a channel."""
    return _key("cause", channel, cause_key.hex())


def gathered_group(channel: str) -> bytes:
    """The key of all that a channel's pace did not let through as messages of its
    own."""
    return _key("gathered", channel)


def held_until(begun: Sequence[datetime], now: datetime) -> datetime | None:
    """Until when the channel has no new message, which may be over; None where it had
    too few of them.

    begun: when its last new messages were begun, in their order
    """
    # Later ones are of a clock that was ahead; two processes are never so far apart.
    known = [moment for moment in begun if moment <= now + PACE_OVER]
    if len(known) < MESSAGES_A_MINUTE:
        return None
    return known[-MESSAGES_A_MINUTE] + PACE_OVER


def can_share_cause(limit_key: LimitKey) -> bool:
    """Whether what exceeded this limit may be told by its cause."""
    return limit_key in SHARE_CAUSE


def about(route: Route, routed: Routed) -> str:
    """What a route's group has in common, for a headline; "" for nothing."""
    values = zip(route.group_by, group_values(route, routed), strict=True)
    return ", ".join(f"{name} {value}" for name, value in values if value)


def message_key(channel: str, parts: Iterable[tuple[int, datetime]]) -> str:
    """The dedupe key of a message: of which notifications it is made, by their ids and
    times. An id alone may come again once its row was pruned."""
    named = (f"{number}@{moment.isoformat()}" for number, moment in parts)
    return _key("message", channel, *named).hex()[:40]


def due_in_route(
    group: GroupState, now: datetime, *, wait_s: int, interval_s: int
) -> datetime:
    """One more waits in a group of a route: its first message goes after `wait_s`, the
    next ones `interval_s` after the one before. What waits there already, of a route
    with other times, goes with the one that is due first."""
    due = _due_alone(group.last_sent_at, now, wait_s=wait_s, interval_s=interval_s)
    if group.next_at is None:
        return due
    return group.next_at if group.is_tried else min(group.next_at, due)


def _due_alone(
    last_sent_at: datetime | None, now: datetime, *, wait_s: int, interval_s: int
) -> datetime:
    if last_sent_at is not None:
        interval = timedelta(seconds=interval_s)
        earliest = last_sent_at + interval
        if earliest > now:
            return min(earliest, now + interval)  # the clock may have been ahead
    return now + timedelta(seconds=wait_s)


def due_in_cause(group: GroupState, route: Route, now: datetime) -> GroupDue | None:
    """One more was opened by a known cause. None: the cause was told, and this is only
    listed.

    1. The first message of a cause goes at once. Mostly it was told by its route's
       group, before anybody knew that it has a cause in common with others
       (`notified_by_route`).
    2. The second one gathers all others: when nothing new came in for
       `group_interval_s`, and at most a day after the first.
    3. What comes later within `repeat_s` is not told; then the cause begins anew.
    """
    last = group.last_sent_at
    is_over = last is not None and (
        last + timedelta(seconds=route.repeat_s) <= now or last > now + AHEAD
    )
    if last is None or is_over:
        at_once = now + timedelta(seconds=route.group_wait_s)
        return GroupDue(group.next_at or at_once, begins_anew=is_over)
    if group.messages > 1:
        return None
    return GroupDue(gathered(group, now, interval_s=route.group_interval_s))


def notified_by_route(group: GroupState, notified_at: datetime) -> GroupState:
    """A cause's group, now that the channel was told of the cause by a route's: that
    was the first of its two messages, whatever this group told long ago."""
    return replace(group, last_sent_at=notified_at, messages=1)


def gathered(group: GroupState, now: datetime, *, interval_s: int) -> datetime:
    """When a cause's group tells all that came in: it is put off while more comes, but
    never beyond a day after its last message."""
    quiet = now + timedelta(seconds=interval_s)
    if group.is_tried and group.next_at is not None:
        return group.next_at
    if group.last_sent_at is None:
        return group.next_at or quiet
    latest = group.last_sent_at + LONGEST_GATHERING
    if latest > now:
        return min(quiet, latest)
    # Nobody remembers since when it gathers: it is not put off.
    return group.next_at or quiet


def pause_after(tries: int, jitter: float) -> timedelta:
    """How long a group is left alone that was tried so often in vain.

    jitter: 0 to 1. So that a hundred groups do not come back at the same moment, half
            of the pause is by chance
    """
    doubled = FIRST_PAUSE * (1 << min(max(tries, 1) - 1, 16))
    return min(doubled, LONGEST_PAUSE) * (0.5 + 0.5 * jitter)


def retry_at(
    now: datetime,
    failing_since: datetime,
    pause: timedelta,
    *,
    retry_after_s: float | None = None,
) -> datetime:
    """When a message is tried again: after our own pause, or after the one that the
    receiver asked for where that is longer, up to the longest. The last try comes when
    the day is over, whatever it asked for."""
    if retry_after_s is not None:
        asked_s = min(retry_after_s, LONGEST_PAUSE.total_seconds())
        pause = max(timedelta(seconds=asked_s), pause)
    return max(min(now + pause, failing_since + GIVEN_UP_AFTER), now)


def is_given_up(failing_since: datetime, now: datetime) -> bool:
    """Whether a message that was just tried in vain is not tried again."""
    return now - failing_since >= GIVEN_UP_AFTER


def _key(*parts: str) -> bytes:
    """Of parts that may hold anything: no two lists of them have the same bytes."""
    text = "".join(f"{len(part)}:{part}" for part in parts)
    return hashlib.sha256(text.encode(errors="surrogatepass")).digest()
