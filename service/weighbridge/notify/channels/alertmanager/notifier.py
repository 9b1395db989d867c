"""Open violations to Alertmanagers: all of them are told, again and again, as alerts of
API v2.

All labels together are what an alert is, so they are only what stays the same while
it goes on; tag, digest, line, limit and sizes are annotations. Of several violations
with the same labels one alert is made.
"""

import asyncio
import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final, TypeAlias

from weighbridge.domain.message.grouping import Message, ViolationNotice
from weighbridge.domain.text.printable import printable
from weighbridge.errors import NotifyError
from weighbridge.notify.post import MessageReceiver, ReceiverNotifier
from weighbridge.notify.render.content import (
    CauseCounts,
    MessageItem,
    headline_of,
    item_of,
    name_of,
    repositories_by_cause,
    url_of,
    written,
)

Alert: TypeAlias = Mapping[str, object]

ALERTNAME: Final = "WeighbridgeOversizedPush"
TEST_ALERTNAME: Final = "WeighbridgeTest"
RESEND_S: Final = 60.0
"""Alerts that go on are sent again as often."""
_LIFE: Final = timedelta(seconds=4 * RESEND_S)
"""Unless they are sent again, they end after this (alerts_api: resending)."""
LABEL_CHARACTERS: Final = 255
_LISTED: Final = 10

# Alertmanager's templates put annotations into Slack's mark-up as they are, where
# <!channel> calls everybody.
_HARMLESS: Final = str.maketrans({"<": "\u2039", ">": "\u203a"})
ALERTS_A_REQUEST: Final = 500


class Alertmanager(ReceiverNotifier):
    """One of a channel: told of everything that is open each minute, and of what has
    ended for five minutes more; what is not told again ends by itself.

    number: its place in the `urls` of its channel, from 1; None for the only one
    """

    def __init__(
        self,
        receiver: MessageReceiver,
        number: int | None = None,
    ) -> None:
        super().__init__(receiver)
        self.number = number

    async def resend(self, tolds: Sequence[ViolationNotice], now: datetime) -> None:
        """Send these: `opened` ones fire, `resolved` ones have ended. Raises
        NotifyError."""
        await self.post(alerts_of(tolds, now))

    async def post(self, alerts: Sequence[Alert]) -> None:
        """Send alerts, so many in a request. Raises NotifyError."""
        for start in range(0, len(alerts), ALERTS_A_REQUEST):
            piece = alerts[start : start + ALERTS_A_REQUEST]
            await self._receiver.post(json.dumps(piece).encode())


class AlertmanagerNotifier:
    """A Notifier, for tests: one message to every Alertmanager of a channel.

    each: one for each Alertmanager of a cluster: they tell each other what they have
          sent, not what they were sent. Each has a connection of its own, so that none
          waits for another
    """

    def __init__(self, name: str, each: Sequence[Alertmanager]) -> None:
        self._name = name
        self.each = each

    @property
    def name(self) -> str:
        return self._name

    async def send(self, message: Message) -> None:
        """The items of a message; a test is an alert of another name. Raises
        NotifyError if any of them did not take all; the others have."""
        alertname = TEST_ALERTNAME if message.is_test else ALERTNAME
        alerts = alerts_of(message.items, datetime.now(UTC), alertname=alertname)
        sent = [one.post(alerts) for one in self.each]
        results = await asyncio.gather(*sent, return_exceptions=True)
        failures: list[tuple[int, NotifyError]] = []
        for number, result in enumerate(results, start=1):
            if isinstance(result, NotifyError):
                failures.append((number, result))
            elif result is not None:
                raise result
        if failures:
            raise _together(self._name, failures, len(self.each))

    async def reach(self) -> None:
        """See `Reachable`: all of them."""
        await asyncio.gather(*(one.reach() for one in self.each))

    async def aclose(self) -> None:
        for one in self.each:
            await one.aclose()


def _together(
    name: str, failures: Sequence[tuple[int, NotifyError]], count: int
) -> NotifyError:
    """One error for all: trying again helps if it helps with any of them."""
    number, first = failures[0]
    if count == 1:
        return first
    said = first.message.removeprefix(f"channel {name}: ")
    waits = [exc.retry_after for _, exc in failures if exc.retry_after is not None]
    return NotifyError(
        f"channel {name}: {len(failures)} of {count} did not take it; "
        f"number {number} of urls: {said}",
        code=first.code,
        hint=first.hint,
        retryable=any(exc.retryable for _, exc in failures),
        retry_after=max(waits, default=None),
    )


def alerts_of(
    notices: Iterable[ViolationNotice], now: datetime, *, alertname: str = ALERTNAME
) -> list[Alert]:
    """One alert for each set of labels, in a fixed order. It fires while one of its
    violations is open; else it ended with the last of them."""
    by_labels: dict[tuple[tuple[str, str], ...], list[ViolationNotice]] = {}
    for notice in notices:
        labels = tuple(sorted(_labels(notice, alertname).items()))
        by_labels.setdefault(labels, []).append(notice)
    return [
        _alert(dict(labels), by_labels[labels], now) for labels in sorted(by_labels)
    ]


def _labels(notice: ViolationNotice, alertname: str) -> dict[str, str]:
    """Valid names by any rule of Prometheus; an empty value would be no label."""
    labels = {
        "alertname": alertname,
        "severity": notice.severity,
        "registry": notice.registry,
        "repository": notice.repository,
        "policy": notice.policy,
        "team": notice.team or "",
    }
    return {
        name: printable(text, LABEL_CHARACTERS) for name, text in labels.items() if text
    }


def _alert(
    labels: Mapping[str, str], notices: Sequence[ViolationNotice], now: datetime
) -> Alert:
    open_ = [notice for notice in notices if notice.event == "opened"]
    ended = [notice.closed_at or now for notice in notices]
    # What fires is described by what is open: the newest of it, and how many.
    shown = sorted(open_ or notices, key=lambda notice: notice.opened_at, reverse=True)
    newest = shown[0]
    ends = now + _LIFE if open_ else max(ended)
    # Alertmanager refuses what ends before it starts, as a clock that was put back may
    # have it.
    starts = min(ends, *(notice.opened_at for notice in shown))
    alert = {
        "labels": labels,
        "annotations": _annotations(shown),
        "startsAt": _moment(starts),
        "endsAt": _moment(ends),
    }
    url = url_of(newest)
    return {**alert, "generatorURL": url} if url else alert


def _annotations(notices: Sequence[ViolationNotice]) -> Mapping[str, str]:
    newest = notices[0]
    # All that is wrong with the newest image, one limit after the other.
    same = [notice for notice in notices if name_of(notice) == name_of(newest)]
    sharing = CauseCounts(repositories_by_cause(notices), is_all=True)
    items = [item_of(notice, sharing) for notice in same]
    item, key = items[0], newest.limit_key
    annotations = {
        "summary": f"{headline_of(same)}.",
        "description": _description(items),
        "tag": newest.tag,
        "digest": str(newest.digest or ""),
        "platform": newest.platform,
        "limit": f"{key} {written(key, newest.limit_amount)}",
        "amount": written(key, newest.amount),
        "compressed_bytes": _number(newest.compressed_bytes),
        "uncompressed_bytes": _number(newest.uncompressed_bytes),
        "line": item.cause.value if item.cause else "",
        "grown": item.cause.name if item.cause else "",
        "violations": str(len(notices)),
        "images": ", ".join(list(dict.fromkeys(map(name_of, notices)))[:_LISTED]),
        "url": item.url,
    }
    return {
        name: printable(text, 3_000).translate(_HARMLESS)
        for name, text in annotations.items()
        if text
    }


def _description(items: Sequence[MessageItem]) -> str:
    return f"{items[0].name}: {'. '.join(map(_sentence, items))}"


def _sentence(item: MessageItem) -> str:
    cause = f". {item.cause.name}: {item.cause.value}" if item.cause else ""
    return f"{item.verdict}{cause}"


def _number(amount: int | None) -> str:
    return "" if amount is None else str(amount)


def _moment(when: datetime) -> str:
    return when.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
