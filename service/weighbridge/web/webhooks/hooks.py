"""The senders that are configured, and which of them a request is from."""

import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Final

import structlog
from msgspec import Struct

from weighbridge.domain.text.printable import Secret
from weighbridge.domain.webhook.webhook_source import (
    PushSeen,
    SecretKey,
    ShownSecret,
    shown_digests,
)
from weighbridge.errors import ConfigError
from weighbridge.ports.protocols import JobQueue
from weighbridge.web.request.bodies import READ_S
from weighbridge.web.webhooks.inbox import ANSWER_S

LOOKED_AT_S: Final = 2.0
"""So often at most it is looked whether a file of secrets has changed."""


class Hook(Struct, frozen=True):
    """One sender, and the registry that it speaks for.

    host:     of the registry, `host[:port]`
    secrets:  all that are valid now, read anew; raises ConfigError
    files:    those that hold secrets: once one of them changes, they are read anew
    is_ours:  whether this repository, and this tag of it, are handled at all
    """

    source: str
    registry: str
    host: str
    secrets: Callable[[], Sequence[Secret]]
    files: Sequence[Path] = ()
    is_ours: Callable[[PushSeen], bool] = lambda _: True


class Reception(Struct, frozen=True):
    """Who may tell of pushes, and who is asked to handle them; None: whoever finds
    that they wait.

    read_s:   how long a body may take to come
    answer_s: how long it may take to be kept
    """

    hooks: Sequence[Hook] = ()
    jobs: JobQueue | None = None
    read_s: float = READ_S
    answer_s: float = ANSWER_S


NOBODY: Final = Reception()


class _Known:
    """A hook with its keys, which follow its files."""

    def __init__(self, hook: Hook, clock: Callable[[], float]) -> None:
        self.hook = hook
        self._clock = clock
        self._log = structlog.get_logger("weighbridge.webhooks")
        self._marks = _marks_of(hook.files)
        self._looked_at = clock()
        self._keys = [SecretKey(secret.reveal()) for secret in hook.secrets()]

    @property
    def keys(self) -> Sequence[SecretKey]:
        """While a file cannot be read, those that were valid before."""
        if self.hook.files and self._clock() - self._looked_at >= LOOKED_AT_S:
            self._looked_at = self._clock()
            marks = _marks_of(self.hook.files)
            if marks != self._marks:
                self._marks = marks
                self._read()
        return self._keys

    def _read(self) -> None:
        try:
            self._keys = [SecretKey(secret.reveal()) for secret in self.hook.secrets()]
        except ConfigError as exc:
            self._log.warning(
                "a webhook's secret cannot be read; the last one stays valid",
                source=self.hook.source,
                registry=self.hook.registry,
                why=exc.message,
            )


class Hooks:
    """Finds the sender of a request. Every key of the source is compared each time,
    so that the time says nothing of which one was nearly right."""

    def __init__(
        self, hooks: Iterable[Hook], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._by_source: dict[str, list[_Known]] = {}
        for hook in hooks:
            known = self._by_source.setdefault(hook.source, [])
            known.append(_Known(hook, clock))

    @property
    def sources(self) -> Sequence[str]:
        return sorted(self._by_source)

    def find(self, shown: ShownSecret) -> Hook | None:
        """By what the request shows in its head."""
        digests = shown_digests(shown)
        return self._first(shown, lambda key: key.is_shown(digests))

    def find_signer(self, shown: ShownSecret, body: bytes) -> Hook | None:
        """By a signature over its body."""
        return self._first(shown, lambda key: key.has_signed(shown, body))

    def find_only(self, source: str) -> Hook | None:
        """The hook of a source that has one and no more: a token names the source, and
        no registry."""
        known = self._by_source.get(source, ())
        return known[0].hook if len(known) == 1 else None

    def _first(
        self, shown: ShownSecret, fits: Callable[[SecretKey], bool]
    ) -> Hook | None:
        found = [
            known.hook
            for known in self._by_source.get(shown.source, ())
            # A list: each key is compared, the first that fits among them.
            if any([fits(key) for key in known.keys])
        ]
        return found[0] if found else None


def _marks_of(files: Iterable[Path]) -> list[tuple[int, int, int]]:
    """What changes when a file is written or replaced."""
    marks = []
    for path in files:
        try:
            found = path.stat()
        except OSError:
            marks.append((0, 0, 0))
        else:
            marks.append((found.st_mtime_ns, found.st_size, found.st_ino))
    return marks
