"""What `/probe` asks of a registry, and what it never asks."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import httpx
import pytest

from support.certificates import an_authority
from support.database import a_database
from support.read_model import NOW
from support.recording_server import recording_server
from support.scripted_registry import (
    Reply,
    Request,
    scripted_registry,
)
from support.wait import PATIENCE_S
from support.web_app import create_app
from weighbridge.bootstrap.kinds import KINDS
from weighbridge.bootstrap.registries.clients import RateLimiters
from weighbridge.bootstrap.registries.probing import KEPT_S, Paces, Probes, alone
from weighbridge.config import RegistrySettings, Settings, load_settings
from weighbridge.config.settings import Pace
from weighbridge.errors import UsageError
from weighbridge.ports.protocols import Asker, Pacing
from weighbridge.store.session import Database
from weighbridge.telemetry import Telemetry
from weighbridge.web.options import WebOptions

HELLO: Final = Reply(headers=(("content-type", "application/json"),), body=b"{}")


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    with a_database(tmp_path) as opened:
        yield opened


@dataclass
class Clock:
    """Seconds that only a test lets pass."""

    now: float = 0.0

    def __call__(self) -> float:
        return self.now


@dataclass
class CountedPacing:
    """Lets everybody in, and counts."""

    turns: int = 0
    pauses: list[float] = field(default_factory=list)

    def serve(self, asker: Asker) -> None:
        pass

    def enter(self, *, is_urgent: bool) -> float:
        self.turns += 1
        return 0.0

    def leave(self, *, is_urgent: bool) -> None:
        pass

    def pause(self, seconds: float) -> None:
        self.pauses.append(seconds)


def settings_of(url: str, ca_file: Path | None = None) -> Settings:
    hub = RegistrySettings(name="hub", url=url, ca_file=ca_file)
    return load_settings(None, {}, KINDS).model_copy(update={"registries": (hub,)})


def probes_of(
    database: Database,
    url: str,
    *,
    paces: Paces = alone,
    monotonic: Clock | None = None,
    deadline_s: float = PATIENCE_S,
) -> Probes:
    return Probes(
        settings_of(url),
        database,
        Telemetry(),
        paces,
        clock=lambda: NOW,
        monotonic=Clock() if monotonic is None else monotonic,
        deadline_s=deadline_s,
    )


async def test_a_probe_costs_one_request_a_minute(database: Database) -> None:
    clock = Clock()
    async with scripted_registry() as registry:
        registry.on("GET", "/v2/", HELLO)
        probes = probes_of(database, registry.url, monotonic=clock)

        first = await probes("hub")
        clock.now += KEPT_S - 1
        again = await probes("hub")
        asked_within_a_minute = len(registry.seen)
        clock.now += 1
        later = await probes("hub")

        assert first.failure == later.failure == ""
        assert again is first
        assert asked_within_a_minute == 1
        assert registry.targets == ["GET /v2/"] * 2
        assert first.requests == {"ping": 1}
        assert not first.is_encrypted


async def test_a_failure_is_kept_for_as_long(database: Database) -> None:
    async with scripted_registry() as registry:
        registry.on("GET", "/v2/", Reply(404))
        probes = probes_of(database, registry.url)

        first, again = await probes("hub"), await probes("hub")

        assert first.failure == "not_found"
        assert again is first
        assert len(registry.seen) == 1


async def test_many_who_ask_at_once_are_one_question(database: Database) -> None:
    async with scripted_registry() as registry:
        registry.on("GET", "/v2/", HELLO)
        probes = probes_of(database, registry.url)

        told = await asyncio.gather(*(probes("hub") for _ in range(20)))

        assert len(set(map(id, told))) == 1
        assert registry.targets == ["GET /v2/"]


async def test_a_token_is_all_that_it_asks_for_besides(database: Database) -> None:
    def token(request: Request) -> Reply:
        return Reply(body=json.dumps({"token": "t"}).encode())

    async with scripted_registry() as registry:
        challenge = f'Bearer realm="{registry.url}/token",service="s"'
        registry.on("GET", "/v2/", HELLO, shows="Bearer t")
        registry.on("GET", "/v2/", Reply(401, (("www-authenticate", challenge),)))
        registry.on("GET", "/token?service=s", token)

        probe = await probes_of(database, registry.url)("hub")

        assert probe.failure == ""
        assert registry.targets == ["GET /v2/", "GET /token?service=s", "GET /v2/"]
        assert probe.requests == {"ping": 2, "token": 1}


@pytest.mark.parametrize(
    ("reply", "failure"),
    [
        (Reply(401, (("www-authenticate", 'Basic realm="r"'),)), "unauthorized"),
        (Reply(403), "denied"),
        (
            Reply(headers=(("content-type", "text/html"),), body=b"<p>welcome"),
            "not_a_registry",
        ),
        (Reply(302, (("location", "http://169.254.169.254/v2/"),)), "redirect_refused"),
    ],
    ids=["nobody", "forbidden", "web page", "elsewhere"],
)
async def test_what_lets_nobody_in_is_told_by_its_code(
    database: Database, reply: Reply, failure: str
) -> None:
    async with scripted_registry() as registry:
        registry.on("GET", "/v2/", reply)

        probe = await probes_of(database, registry.url)("hub")

        assert probe.failure == failure


async def test_nothing_that_listens_is_told_within_the_deadline(
    database: Database, unused_tcp_port: int
) -> None:
    probes = probes_of(database, f"http://127.0.0.1:{unused_tcp_port}")

    probe = await probes("hub")

    assert probe.failure in ("connect_error", "deadline")


async def test_one_that_never_answers_is_given_up(database: Database) -> None:
    async def silent(
        reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        await reader.read()
        writer.close()

    async with await asyncio.start_server(silent, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        probes = probes_of(database, f"http://127.0.0.1:{port}", deadline_s=0.3)

        probe = await probes("hub")

    assert probe.failure == "deadline"


async def test_it_waits_for_its_turn_among_all_who_ask(database: Database) -> None:
    pacing = CountedPacing()
    named: list[str] = []

    def shared(name: str, _: Pace) -> Pacing:
        named.append(name)
        return pacing

    @asynccontextmanager
    async def paces() -> AsyncIterator[RateLimiters | None]:
        yield RateLimiters(shared)

    async with scripted_registry() as registry:
        registry.on("GET", "/v2/", Reply(429, (("retry-after", "1"),)), times=1)
        registry.on("GET", "/v2/", HELLO)

        probe = await probes_of(database, registry.url, paces=paces)("hub")

        assert probe.failure == ""
        assert named == ["hub"]
        assert pacing.turns == len(registry.seen) == 2
        assert pacing.pauses == [1.0]


async def test_until_when_its_certificate_holds_is_told(
    database: Database, tmp_path: Path
) -> None:
    authority = an_authority(tmp_path)
    async with recording_server(tls=authority.server("127.0.0.1")) as server:
        settings = settings_of(server.origin, ca_file=Path(authority.ca_file))
        trusted = await Probes(settings, database, Telemetry())("hub")
        others = await Probes(settings_of(server.origin), database, Telemetry())("hub")

    assert trusted.failure == ""
    assert trusted.is_encrypted
    assert trusted.certified_until is not None
    assert trusted.certified_until > datetime.now(UTC)
    assert (others.failure, others.certified_until) == ("tls_error", None)


ATTACKS: Final = {
    "url": "http://127.0.0.1:{port}",
    "url with a path": "http://127.0.0.1:{port}/v2/",
    "host": "127.0.0.1:{port}",
    "metadata": "http://169.254.169.254/latest/meta-data/",
    "metadata host": "169.254.169.254",
    "metadata by IPv6": "http://[fd00:ec2::254]/",
    "file": "file:///etc/passwd",
    "gopher": "gopher://127.0.0.1:{port}/_x",
    "other case": "HUB",
    "with a repository": "hub/library/python",
    "with a port": "hub:80",
    "user before it": "hub@127.0.0.1:{port}",
    "blank before it": " hub",
    "nobody": "other",
    "long": "h" * 2000,
}


@pytest.mark.parametrize("target", ATTACKS.values(), ids=ATTACKS)
async def test_only_a_configured_name_is_asked__api_012(
    database: Database, target: str
) -> None:
    async with scripted_registry() as registry:
        telemetry = Telemetry()
        probes = Probes(settings_of(registry.url), database, telemetry, never)
        options = WebOptions(prober=probes)
        app = create_app(database, telemetry, options)
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(
            transport=transport, base_url="http://127.0.0.1:8080"
        ) as client:
            answer = await client.get(
                "/probe", params={"target": target.format(port=registry.port)}
            )

        assert answer.status_code == 400
        assert answer.json()["error"]["code"] == "unknown_registry"
        assert target not in answer.text
        assert (registry.connections, registry.seen) == (0, [])


def never() -> AbstractAsyncContextManager[RateLimiters | None]:
    """Every probe begins with it."""
    raise AssertionError("a registry was to be asked")


async def test_one_that_is_not_configured_is_no_probe(database: Database) -> None:
    probes = probes_of(database, "http://127.0.0.1:1", paces=never)

    with pytest.raises(UsageError) as told:
        await probes("other")

    assert told.value.code == "unknown_registry"
