"""A load of webhooks over raw sockets: so many a second, each answer timed.

A request is due at its moment whether the service keeps up or not, and its time counts
from there: a service that stands still is not measured by the few requests that were
under way.
"""

import asyncio
import json
import random
from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

SECRET: Final = "a-secret-of-the-load-test"
_TICK_S: Final = 0.002


@dataclass(slots=True)
class Report:
    """What was sent and answered.

    accepted: numbers of the events that got a 2xx
    seconds:  from when each was due to its answer, by status
    waited:   from when each was written to its answer, by status
    """

    offered: int = 0
    took_s: float = 0.0
    statuses: Counter[int] = field(default_factory=Counter)
    accepted: set[int] = field(default_factory=set)
    seconds: dict[int, list[float]] = field(default_factory=dict)
    waited: dict[int, list[float]] = field(default_factory=dict)
    lost: int = 0

    def note(self, status: int, number: int, due_s: float, waited_s: float) -> None:
        self.statuses[status] += 1
        self.seconds.setdefault(status, []).append(due_s)
        self.waited.setdefault(status, []).append(waited_s)
        if 200 <= status < 300:
            self.accepted.add(number)

    @property
    def accepted_a_second(self) -> float:
        good = sum(n for status, n in self.statuses.items() if 200 <= status < 300)
        return good / self.took_s

    def percentile(self, status: int, share: float, *, waited: bool = False) -> float:
        """Seconds within which so large a share was answered."""
        found = sorted((self.waited if waited else self.seconds).get(status, [0.0]))
        return found[min(len(found) - 1, int(share * len(found)))]


def event_id(number: int) -> str:
    return f"event-{number:08d}"


def made_up(number: int) -> str:
    """A digest that no registry has."""
    return f"sha256:{number:064x}"


def request_of(
    host: str,
    number: int,
    *,
    repositories: int = 50,
    secret: str = SECRET,
    digest_of: Callable[[int], str] = made_up,
) -> bytes:
    """One push, as a distribution tells it."""
    digest = digest_of(number)
    repository = f"load/r{number % repositories}"
    body = json.dumps(
        {
            "events": [
                {
                    "id": event_id(number),
                    "timestamp": "2026-01-02T03:04:05.678901234Z",
                    "action": "push",
                    "target": {
                        "mediaType": "application/vnd.oci.image.manifest.v1+json",
                        "digest": digest,
                        "size": 1100,
                        "length": 1100,
                        "repository": repository,
                        "url": f"http://registry.example/v2/{repository}/manifests/",
                        "tag": f"t{number % 7}",
                    },
                    "request": {"id": "r", "method": "PUT", "useragent": "docker/27"},
                    "actor": {"name": "ci"},
                    "source": {"addr": "registry-0:5000", "instanceID": "i"},
                }
            ]
        }
    ).encode()
    head = (
        f"POST /webhooks/distribution HTTP/1.1\r\nHost: {host}\r\n"
        f"Authorization: Bearer {secret}\r\n"
        "Content-Type: application/vnd.docker.distribution.events.v2+json\r\n"
        "User-Agent: Go-http-client/1.1\r\nAccept-Encoding: gzip\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


class _Connection(asyncio.Protocol):
    """One request after the other."""

    def __init__(self, load: "_Load") -> None:
        self._load = load
        self._buffer = b""
        self._number = -1
        self._due_at = 0.0
        self._sent_at = 0.0
        self.transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def send(self, number: int, due_at: float) -> None:
        assert self.transport is not None
        self._number, self._due_at = number, due_at
        self._sent_at = self._load.loop.time()
        self.transport.write(self._load.requests[number])

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        head, found, body = self._buffer.partition(b"\r\n\r\n")
        if not found or len(body) < _length_of(head):
            return
        self._buffer = b""
        now = self._load.loop.time()
        number, self._number = self._number, -1
        status = int(head[9:12])
        self._load.report.note(status, number, now - self._due_at, now - self._sent_at)
        self._load.on_answer(self._load.report)
        self._load.freed(self)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._number >= 0:
            self._load.report.lost += 1
        self._load.gone(self)


def _length_of(head: bytes) -> int:
    for line in head.split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            return int(value)
    return 0


class _Load:
    """Everything that is under way."""

    def __init__(
        self,
        requests: Mapping[int, bytes],
        numbers: Sequence[int],
        on_answer: Callable[[Report], None],
    ) -> None:
        self.requests = requests
        self.numbers = numbers
        self.on_answer = on_answer
        self.report = Report()
        self.loop = asyncio.get_running_loop()
        self.open: set[_Connection] = set()
        self._free: list[_Connection] = []
        self._due: deque[tuple[int, float]] = deque()
        self._next = 0

    def freed(self, connection: _Connection) -> None:
        self._free.append(connection)
        self._hand_out()

    def gone(self, connection: _Connection) -> None:
        self.open.discard(connection)
        if connection in self._free:
            self._free.remove(connection)

    async def run(self, address: str, a_second: float, connections: int) -> Report:
        host, _, port = address.rpartition(":")
        for _ in range(connections):
            _, made = await self.loop.create_connection(
                lambda: _Connection(self), host, int(port)
            )
            self.open.add(made)
            self._free.append(made)
        began = self.loop.time()
        while self._next < len(self.numbers) and self.open:
            now = self.loop.time()
            if a_second:
                self._fall_due(began, now, a_second)
            else:
                self._fill(now)
            self._hand_out()
            await asyncio.sleep(_TICK_S)
        while self._due or len(self._free) < len(self.open):
            if not self.open or self.loop.time() - began > 300:
                break
            await asyncio.sleep(_TICK_S)
        self.report.offered = len(self.numbers)
        self.report.took_s = self.loop.time() - began
        for connection in list(self.open):
            if connection.transport is not None:
                connection.transport.close()
        await asyncio.sleep(0)
        return self.report

    def _fall_due(self, began: float, now: float, a_second: float) -> None:
        until = min(len(self.numbers), int((now - began) * a_second) + 1)
        while self._next < until:
            due_at = began + self._next / a_second
            self._due.append((self.numbers[self._next], due_at))
            self._next += 1

    def _fill(self, now: float) -> None:
        while self._next < len(self.numbers) and len(self._due) < 2 * len(self.open):
            self._due.append((self.numbers[self._next], now))
            self._next += 1

    def _hand_out(self) -> None:
        while self._free and self._due:
            number, due_at = self._due.popleft()
            self._free.pop().send(number, due_at)


def send_load(
    address: str,
    numbers: Sequence[int],
    *,
    a_second: float,
    connections: int,
    repositories: int = 50,
    on_answer: Callable[[Report], None] = lambda _: None,
    digest_of: Callable[[int], str] = made_up,
) -> Report:
    """Send the events of these numbers; returns once each is answered, or nobody is
    there any more.

    a_second: 0 for as many as there are answers
    """
    known = {
        n: request_of(address, n, repositories=repositories, digest_of=digest_of)
        for n in set(numbers)
    }

    async def run() -> Report:
        load = _Load(known, numbers, on_answer)
        return await load.run(address, a_second, connections)

    return asyncio.run(run())


def with_duplicates(count: int, share: float, seed: int = 1) -> list[int]:
    """Numbers of which so large a share was there before, in no order."""
    chance = random.Random(seed)  # noqa: S311 - a die, no secret
    distinct = max(1, round(count * (1 - share)))
    numbers = list(range(distinct)) + [
        chance.randrange(distinct) for _ in range(count - distinct)
    ]
    chance.shuffle(numbers)
    return numbers
