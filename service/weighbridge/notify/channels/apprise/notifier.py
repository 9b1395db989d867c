"""Messages by way of apprise, an optional extra that knows a hundred other services.

It makes its own connections: neither the guard of addresses nor our deadlines hold
there, which is why its URL is only ever what the operator writes.
"""

import asyncio
import logging
from collections.abc import Callable
from importlib import import_module
from typing import Final, Protocol

from weighbridge.domain.message.grouping import Message
from weighbridge.domain.text.printable import Secret
from weighbridge.errors import NotifyError
from weighbridge.notify.post import ThreadNotifier, read
from weighbridge.notify.render.content import content_of, text_below

PIP_LINE: Final = "python -m pip install 'weighbridge[apprise]'"
TEXT_CHARACTERS: Final = 3_500
"""What most services take at once; apprise cuts for those that take less."""
# Which service it is we do not know, and Discord reads @everyone in any text.
_HARMLESS: Final = str.maketrans({"@": "\uff20", "<": "\u2039", ">": "\u203a"})


class _Apprise(Protocol):
    """The part of apprise.Apprise that is used."""

    def add(self, servers: str) -> bool: ...

    def notify(self, *, body: str, title: str, body_format: str) -> bool | None: ...


class AppriseNotifier(ThreadNotifier):
    """A Notifier over one URL of apprise."""

    def __init__(
        self,
        name: str,
        url: Callable[[], Secret],
        load: Callable[[], Callable[[], _Apprise]] | None = None,
    ) -> None:
        super().__init__(name)
        self._url = url
        self._load = load or _load

    async def send(self, message: Message) -> None:
        """Raises NotifyError."""
        url = await read(self._name, self._url)
        content = content_of(message)
        text = text_below(content, TEXT_CHARACTERS).translate(_HARMLESS)
        title = content.headline.translate(_HARMLESS)
        async with self._in_time():
            # The thread goes on if it hangs; apprise has time-outs of its own.
            is_taken = await asyncio.get_running_loop().run_in_executor(
                self._threads, self._notify, url, title, text
            )
        if not is_taken:
            # It says no more, but in its own log.
            raise NotifyError(
                f"channel {self._name}: apprise could not send the message",
                code="channel_busy",
                retryable=True,
            )

    def _notify(self, url: Secret, title: str, body: str) -> bool:
        try:
            make = self._load()
        except ImportError as exc:
            raise NotifyError(
                f"channel {self._name}: apprise is not installed",
                code="missing_extra",
                hint=PIP_LINE,
            ) from exc
        apprise = make()
        if not apprise.add(url.reveal()):
            raise NotifyError(
                f"channel {self._name}: apprise does not know such a url",
                code="channel_refused",
                hint="see the list of services in apprise's documentation",
            )
        return bool(apprise.notify(title=title, body=body, body_format="text"))


def _load() -> Callable[[], _Apprise]:
    """The class, imported only now: it takes a quarter of a second."""
    for name in ("apprise", "urllib3"):
        # What they log holds the address.
        logging.getLogger(name).setLevel(logging.CRITICAL + 1)
    make: Callable[[], _Apprise] = import_module("apprise").Apprise
    return make
