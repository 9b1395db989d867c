"""Messages by way of apprise, of which a fake stands here."""

from collections.abc import Callable

import pytest

from support.tolds import a_message, hostile_message
from weighbridge.domain.text.printable import Secret
from weighbridge.errors import NotifyError
from weighbridge.notify.channels.apprise.notifier import PIP_LINE, AppriseNotifier

URL = "ntfy://secret-topic"


class FakeApprise:
    """Knows `ntfy://` URLs."""

    def __init__(self, *, is_taken: bool = True) -> None:
        self.told: list[tuple[str, str]] = []
        self._is_taken = is_taken

    def add(self, servers: str) -> bool:
        return servers.startswith("ntfy://")

    def notify(self, *, body: str, title: str, body_format: str) -> bool | None:
        assert body_format == "text"
        self.told.append((title, body))
        return self._is_taken


def channel(fake: FakeApprise, url: str = URL) -> AppriseNotifier:
    return AppriseNotifier("phone", lambda: Secret(url), lambda: lambda: fake)


async def test_the_headline_is_the_title() -> None:
    fake = FakeApprise()

    await channel(fake).send(a_message())

    ((title, body),) = fake.told
    assert title == "harbor/shop/api:1.4.2 is 583 MB over max_compressed"
    assert body.startswith("harbor/shop/api:1.4.2\n  1.08 GB compressed")


async def test_nobody_is_called_by_what_a_stranger_pushed() -> None:
    # Discord reads @everyone in any text, Slack <!channel> in some.
    fake = FakeApprise()

    await channel(fake).send(hostile_message("@everyone <!channel> <@U123>"))

    ((title, body),) = fake.told
    assert "\uff20everyone \u2039!channel\u203a" in body
    assert set("@<>").isdisjoint(title + body)


async def test_what_apprise_cannot_hand_over_is_tried_again() -> None:
    with pytest.raises(NotifyError) as caught:
        await channel(FakeApprise(is_taken=False)).send(a_message())

    assert (caught.value.code, caught.value.retryable) == ("channel_busy", True)


async def test_a_url_that_apprise_does_not_know_is_never_right() -> None:
    with pytest.raises(NotifyError) as caught:
        await channel(FakeApprise(), "nfty://secret-topic").send(a_message())

    assert (caught.value.code, caught.value.retryable) == ("channel_refused", False)
    assert "secret-topic" not in caught.value.message


async def test_a_missing_library_is_told_with_the_line_that_installs_it() -> None:
    def load() -> Callable[[], FakeApprise]:
        raise ImportError("No module named 'apprise'")

    with pytest.raises(NotifyError) as caught:
        await AppriseNotifier("phone", lambda: Secret(URL), load).send(a_message())

    assert (caught.value.code, caught.value.hint) == ("missing_extra", PIP_LINE)
